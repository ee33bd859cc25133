"""What `label_delay` and `label_time` of a model file mean, for rows in pandas and in SQL.

A label is known at its `label_time`, or without one `label_delay` after its row's time. It is used, for training
and evaluation, once it is known and its row is as old as the delay: labels that come early are a biased sample (a
default is known sooner than a repaid loan).
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


def used_from(model: "Model", rows: pd.DataFrame) -> "pd.Series[pd.Timestamp]":
    """From when each row's label is used, if it has one; NaT where its `label_time` is missing."""
    delayed, known = _delayed(model, rows), known_at(model, rows)
    return delayed.where(delayed > known, known)


def known_at_sql(model: "Model") -> str:
    """When a row's label became known, if it has one."""
    return column(model.label_time) if model.label_time else _delayed_sql(model)


def used_from_sql(model: "Model") -> str:
    """From when a row's label is used, if it has one; NULL where its `label_time` is missing."""
    delayed, known = _delayed_sql(model), known_at_sql(model)
    # greatest() ignores NULL
    return f"CASE WHEN {known} IS NOT NULL THEN greatest({known}, {delayed}) END" if model.label_time else delayed


def _delayed(model: "Model", rows: pd.DataFrame) -> "pd.Series[pd.Timestamp]":
    return rows[model.time] + model.label_delay


def _delayed_sql(model: "Model") -> str:
    return f"{column(model.time)} + to_microseconds({model.label_delay // timedelta(microseconds=1)})"
