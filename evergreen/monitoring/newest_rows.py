"""The time that a monitor takes for now: that of the newest rows, where their source has ended or paused."""

from typing import TYPE_CHECKING

import pandas as pd

from evergreen import time_units
from evergreen.lake.lake import ROWS, Lake
from evergreen.sql import column, within

if TYPE_CHECKING:
    from evergreen.definition.model import Model

_FIRST = pd.Timestamp.min.tz_localize("UTC").ceil("D")


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


def newest_row(lake: Lake, model: "Model", until: pd.Timestamp, since: pd.Timestamp = _FIRST) -> pd.Timestamp | None:
    """The time of the newest row in ``[since, until)``; None if there is none."""
    sql = f"SELECT max({column(model.time)}) AS newest FROM {ROWS} WHERE {within(model.time)}"
    bounds = {"since": since.to_pydatetime(), "until": until.to_pydatetime()}
    newest = lake.query(model, sql, bounds)["newest"][0]
    return None if pd.isna(newest) else pd.Timestamp(newest)
