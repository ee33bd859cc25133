"""The scan: the SQL that counts a table by unit of time, column and bin."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from evergreen.definition.kinds.register import kind_of
from evergreen.drift.bins import Bins
from evergreen.drift.profile import Column, Profile, nothing
from evergreen.sql import column
from evergreen.time_units import ORIGIN

if TYPE_CHECKING:
    from evergreen.definition.options import Kind


def sql(bins: Mapping[str, Bins], kinds: Mapping[str, "Kind"], source: str, time: str, unit: timedelta) -> str:
    """One scan that counts every column by unit of time, in DuckDB's SQL; `read` reads its result.

    Parameters
    ----------
    bins : dict of name to Bins
    kinds : dict of name to kind
        As the model file declares them.
    source : str
        A table's name, or a query in brackets.
    time : str
        The column whose time determines the unit.
    unit : timedelta
    """
    names = list(bins)
    cleaned = ", ".join(
        f"{kind_of(kinds[name]).counted_sql(column(name))} AS c{place}" for place, name in enumerate(names)
    )
    counted = ", ".join(_counted(f"c{place}", bins[name]) for place, name in enumerate(names))
    return f"""
        SELECT unit, count(*) AS n, {counted}
        FROM (SELECT {bucket(time, unit)} AS unit, {cleaned} FROM {source})
        GROUP BY unit ORDER BY unit
    """


def bucket(time: str, unit: timedelta) -> str:
    """The start of a row's unit, in DuckDB's SQL, in integer arithmetic: `time_bucket` takes twice as long.

    Units are counted from long before any row, since `//` rounds towards 0.
    """
    size = int(unit / timedelta(microseconds=1))
    origin = int(ORIGIN.timestamp()) * 10**6 - size * (10**17 // size)
    return f"make_timestamptz({origin} + (epoch_us({column(time)}) - {origin}) // {size} * {size})"


def _counted(column: str, bins: Bins) -> str:
    if bins.kind == "category":
        return f"histogram({column}) AS {column}_values, count({column}) AS {column}_n"
    up_to = ", ".join(f"coalesce(count_if({column} <= {edge!r}), 0)" for edge in bins.edges)
    moments = f"sum({column}), sum({column} * {column}), min({column}), max({column})"
    return f"[{up_to}] AS {column}_up_to, [{moments}] AS {column}_moments, count({column}) AS {column}_n"


def read(bins: Mapping[str, Bins], answer: pd.DataFrame) -> Profile:
    """Read the result of `sql`."""
    units = answer["unit"].dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("datetime64[us]")
    columns = {name: _read(fixed, answer, f"c{place}") for place, (name, fixed) in enumerate(bins.items())}
    return Profile(units, columns)


def _read(bins: Bins, answer: pd.DataFrame, column: str) -> Column:
    known = answer[f"{column}_n"].to_numpy(dtype=np.int64)
    missing = answer["n"].to_numpy(dtype=np.int64) - known
    if bins.kind == "category":
        place = {category: position for position, category in enumerate(bins.categories)}
        category_counts = np.zeros((len(answer), len(bins.categories)), dtype=np.int64)
        for unit, values in enumerate(answer[f"{column}_values"]):
            for category, count in values if values is not None else ():
                if category in place:
                    category_counts[unit, place[category]] = count
        other = known - category_counts.sum(axis=1)
        return Column(bins, np.column_stack([category_counts, other, missing]), nothing(len(answer)))
    up_to = np.array([list(cumulated) for cumulated in answer[f"{column}_up_to"]], dtype=np.int64).reshape(
        len(answer), len(bins.edges)
    )
    within = np.diff(np.column_stack([np.zeros(len(answer), dtype=np.int64), up_to, known]), axis=1)
    moments = np.array([list(four) for four in answer[f"{column}_moments"]], dtype=np.float64).reshape(len(answer), 4)
    moments[:, :2] = np.nan_to_num(moments[:, :2])
    return Column(bins, np.column_stack([within, missing]), moments)
