"""Helpers that several kinds of sources share; not a source itself."""

from datetime import datetime

import pandas as pd

from evergreen.definition.kinds.register import kind_of
from evergreen.definition.parsing import columns as parsing
from evergreen.definition.sources import Counts, Declared
from evergreen.errors import SourceShapeError


def rectangular(rows: pd.DataFrame, model: Declared) -> pd.DataFrame:
    """The rows, if no column name occurs twice."""
    if not rows.columns.is_unique:
        twice = sorted({str(column) for column in rows.columns[rows.columns.duplicated()]})
        raise SourceShapeError(
            f"{model.name}: the source gave the columns {twice} more than once. Name each differently."
        )
    return rows


def naive(moment: pd.Timestamp, model: Declared) -> datetime:
    """A time without its zone, in the zone of the model."""
    return moment.tz_convert(model.timezone).tz_localize(None).to_pydatetime()


def times_of(rows: pd.DataFrame, model: Declared) -> "pd.Series[pd.Timestamp] | None":
    """The times of rows in UTC, as the model's parser reads them; None if some cannot be read."""
    parser = {model.time: model.parsing[model.time]} if model.time in model.parsing else {}
    parsed, problems = parsing.read(rows, parser, model.timezone, model.time, model.key)
    if problems or model.time not in parsed:
        return None
    times, problem = kind_of("datetime").cast(parsed[model.time], model.timezone)
    return None if problem else times


def within(rows: pd.DataFrame, model: Declared, since: pd.Timestamp, until: pd.Timestamp) -> pd.DataFrame:
    """The rows of ``[since, until)`` and those without a time; all of them where times cannot be read."""
    times = times_of(rows, model)
    if times is None:
        return rows
    return rows[((times >= since) & (times < until)) | times.isna()].reset_index(drop=True)


def daily(times: "pd.Series[pd.Timestamp] | None", model: Declared, until: pd.Timestamp) -> Counts:
    """How many times before `until` lie on each day in the model's zone; empty where they cannot be read."""
    if times is None:
        return {}
    days = times[times < until].dt.tz_convert(model.timezone).dt.strftime("%Y-%m-%d")
    return {str(day): int(count) for day, count in days.value_counts().items()}


def counts(found: pd.DataFrame) -> Counts:
    """Counts from the columns ``day`` and ``n``; rows without a day are left out."""
    known = found[found["day"].notna()]
    return dict(zip(known["day"].astype("str").str[:10], map(int, known["n"]), strict=True))
