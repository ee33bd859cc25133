"""What `label_delay` and `label_time` of a model file mean, for rows in pandas and in SQL.

A label is known at its `label_time`, or without one `label_delay` after its row's time. It is used, for training
and evaluation, once it is known and its row is old enough: labels that come early are a biased sample (a default is
known sooner than a repaid loan). Old enough is the declared delay, or a longer one that was learned
(`evergreen.ingestion.label_maturity`).
"""

from datetime import timedelta
from typing import TYPE_CHECKING

import pandas as pd

from evergreen.sql import column

if TYPE_CHECKING:
    from evergreen.definition.model import Model


def known_at(model: "Model", rows: pd.DataFrame) -> "pd.Series[pd.Timestamp]":
    """When each row's label became known, if it has one."""
    return rows[model.label_time] if model.label_time else _delayed(model, rows)


def used_from(model: "Model", rows: pd.DataFrame, after: timedelta | None = None) -> "pd.Series[pd.Timestamp]":
    """From when each row's label is used, if it has one; NaT where its `label_time` is missing.

    A row is used from the age `after` on; that is the declared delay, unless it is longer.
    """
    delayed, known = rows[model.time] + _longer(model, after), known_at(model, rows)
    return delayed.where(delayed > known, known)


def known_at_sql(model: "Model") -> str:
    """When a row's label became known, if it has one."""
    return column(model.label_time) if model.label_time else _later_sql(model, model.label_delay)


def used_from_sql(model: "Model", after: timedelta | None = None) -> str:
    """From when a row's label is used, if it has one; NULL where its `label_time` is missing. As `used_from`."""
    delayed, known = _later_sql(model, _longer(model, after)), known_at_sql(model)
    # greatest() ignores NULL
    return f"CASE WHEN {known} IS NOT NULL THEN greatest({known}, {delayed}) END" if model.label_time else delayed


def _longer(model: "Model", after: timedelta | None) -> timedelta:
    return model.label_delay if after is None else max(model.label_delay, after)


def _delayed(model: "Model", rows: pd.DataFrame) -> "pd.Series[pd.Timestamp]":
    return rows[model.time] + model.label_delay


def _later_sql(model: "Model", delay: timedelta) -> str:
    return f"{column(model.time)} + to_microseconds({delay // timedelta(microseconds=1)})"
