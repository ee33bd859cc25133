"""Stored profiles: each time unit is counted once, and again only if its rows changed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from evergreen import time_units
from evergreen.drift import profile, scan
from evergreen.drift.profile import Profile
from evergreen.ingestion.label_arrival import horizon
from evergreen.lake.lake import PREDICTIONS, PROFILES, ROWS, Lake
from evergreen.monitoring import reference
from evergreen.sql import columns, literal, within

if TYPE_CHECKING:
    from evergreen.definition.model import Model
    from evergreen.monitoring.reference import Reference


def refresh(lake: Lake, model: "Model", version: str, base: "Reference", now: pd.Timestamp) -> int:
    """Count the whole units before a time whose rows, predictions or labels changed since the last count.

    Parameters
    ----------
    lake : Lake
    model : Model
    version : str
    base : Reference
    now : Timestamp
        From `evergreen.monitoring.newest_rows.own_time`.

    Returns
    -------
    int
        How many units were counted.
    """
    since, until = horizon(model, now), time_units.unit_start(now, model.monitoring.unit)
    changed = _changed(lake, model, version, since, until)
    if changed.empty:
        return 0
    last = changed.index.max() + pd.Timedelta(model.monitoring.unit)
    scanned = count(lake, model, version, base, changed.index.min(), last, list(reference.kinds(model)))
    chosen = pd.DatetimeIndex(changed.index).tz_localize(None).to_numpy().astype("datetime64[us]")
    counted = scanned.only(np.isin(scanned.units, chosen))
    touched = pd.DatetimeIndex(changed).tz_localize(None).to_numpy().astype("datetime64[us]")
    keys = ", ".join(literal(profile.key(version, unit)) for unit in counted.units)
    lake.replace(model.name, PROFILES, counted.table(version, touched), f"key IN ({keys})")
    return len(counted.units)


def count(
    lake: Lake,
    model: "Model",
    version: str,
    base: "Reference",
    since: pd.Timestamp,
    until: pd.Timestamp,
    only: Sequence[str],
) -> Profile:
    """Count columns of the units that start in ``[since, until)`` from the current rows, in one version's bins."""
    kinds = {name: kind for name, kind in reference.kinds(model).items() if name in only}
    bins = {name: base.profile.bins[name] for name in kinds if name in base.profile.bins}
    sql = scan.sql(bins, kinds, reference.window_source(model, version), model.time, model.monitoring.unit)
    bounds = {"since": since.to_pydatetime(), "until": until.to_pydatetime()}
    counted = scan.read(bins, lake.query(model, sql, bounds, tables=[ROWS, PREDICTIONS]))
    return counted.without_single_rows(name for name in bins if name in model.serving.private)


def _changed(
    lake: Lake, model: "Model", version: str, since: pd.Timestamp, until: pd.Timestamp
) -> "pd.Series[pd.Timestamp]":
    """The last change of each unit that changed since its last count."""
    key, period = columns(model.key), within(model.time)
    bucket = scan.bucket(model.time, model.monitoring.unit)
    sql = f"""
        SELECT {bucket} AS unit, max(greatest("_arrived", coalesce("_answered", "_arrived"))) AS touched
        FROM (SELECT {columns([*model.key, model.time])}, "_arrived" FROM {ROWS} WHERE {period})
        LEFT JOIN (SELECT {key}, "_answered" FROM {PREDICTIONS} WHERE {period} AND "_version" = $version)
        USING ({key}) GROUP BY 1 ORDER BY 1
    """
    bounds = {"since": since.to_pydatetime(), "until": until.to_pydatetime()}
    current = lake.query(model, sql, bounds | {"version": version}, tables=[ROWS, PREDICTIONS])
    touched = pd.Series(current["touched"].to_numpy(), index=pd.DatetimeIndex(current["unit"]))
    if not lake.exists(model.name, PROFILES):
        return touched
    sql = f"SELECT unit, max(touched) AS touched FROM {PROFILES} WHERE version = $version AND unit >= $since GROUP BY unit"  # noqa: E501
    stored = lake.query(model, sql, {"version": version, "since": since.to_pydatetime()}, tables=[PROFILES])
    counted = pd.Series(stored["touched"].to_numpy(), index=pd.DatetimeIndex(stored["unit"]))
    return touched[touched != counted.reindex(touched.index)]


def between(
    lake: Lake, model: "Model", version: str, base: "Reference", since: pd.Timestamp, until: pd.Timestamp
) -> Profile:
    """The stored profile in one version's bins, for the units that start in ``[since, until)``."""
    bins = base.profile.bins
    if not lake.exists(model.name, PROFILES):
        return Profile.empty(bins)
    sql = f"SELECT * FROM {PROFILES} WHERE version = $version AND unit >= $since AND unit < $until"
    bounds = {"version": version, "since": since.to_pydatetime(), "until": until.to_pydatetime()}
    rows = lake.query(model, sql, bounds, tables=[PROFILES])
    return Profile.of_table(bins, rows.assign(name=rows["name"].map(lambda name: reference.name_of(name, bins))))
