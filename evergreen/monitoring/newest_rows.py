"""The time that a monitor takes for now: that of the newest rows, where their source has ended or paused."""

from typing import TYPE_CHECKING

import pandas as pd

from evergreen import time_units
from evergreen.lake.lake import ROWS, Lake
from evergreen.sql import column

if TYPE_CHECKING:
    from evergreen.definition.model import Model


def own_time(lake: Lake, model: "Model", as_of: pd.Timestamp) -> pd.Timestamp:
    """The given time, or the end of the unit of the newest row before its window if no row lies in that.

    A published table ends years ago, and a source can pause. Its newest window is then the last one with rows. What was
    known, of labels too, is still what was known at the given time.
    """
    unit = model.monitoring.unit
    until = time_units.unit_start(as_of, unit)
    if newest_row(lake, model, until, until - model.monitoring.window) is not None:
        return as_of
    newest = newest_row(lake, model, until)
    return as_of if newest is None else time_units.unit_start(newest, unit) + pd.Timedelta(unit)


def newest_row(
    lake: Lake, model: "Model", until: pd.Timestamp, since: pd.Timestamp | None = None
) -> pd.Timestamp | None:
    """The time of the newest row before a time, and from another on if one is given; None if there is none."""
    time = column(model.time)
    low, bounds = ("", {}) if since is None else (f"{time} >= $since AND", {"since": since.to_pydatetime()})
    sql = f"SELECT max({time}) AS newest FROM {ROWS} WHERE {low} {time} < $until"
    newest = lake.query(model, sql, bounds | {"until": until.to_pydatetime()})["newest"][0]
    return None if pd.isna(newest) else pd.Timestamp(newest)
