"""Columns of whole numbers that a feature would round: beyond 2**53 two of them can be one float."""

import re
from collections.abc import Iterable

import pandas as pd

from evergreen.definition.kinds.exactness import EXACT
from evergreen.scaffold.reading.sample import LIMIT, Table

_WHOLE = re.compile(r"[+-]?\d+")
REASON = "whole numbers beyond 2^53, which a number rounds; as a category they keep all digits"


def columns(table: Table, rows: pd.DataFrame, whole: Iterable[str]) -> list[str]:
    """Columns that hold whole numbers beyond 2**53.

    Parameters
    ----------
    table : Table
    rows : DataFrame
        A sample of it, as it is stored.
    whole : iterable of str
        Columns whose values in the sample are numbers.
    """
    written = {name: _written(rows[name]) for name in whole}
    wide = [name for name, values in written.items() if values is not None and values.map(abs).max() > EXACT]
    others = [name for name, values in written.items() if values is not None and name not in wide]
    if table.total <= LIMIT:
        return wide
    text = {name for name in others if not pd.api.types.is_numeric_dtype(rows[name])}
    beyond = [name for name, ends in table.extent(others, text).items() if max(map(abs, ends)) > EXACT]
    return [*wide, *beyond]


def _written(values: pd.Series) -> pd.Series | None:
    """The numbers of a column if all are whole and none is a float; None if it has others."""
    known = values.dropna()
    if known.dtype.kind == "f" or known.empty:
        return None
    if not _WHOLE.fullmatch(str(known.iloc[0]).strip()):  # before all of a measurement is looked at
        return None
    text = known.astype("str").str.strip()
    return text.map(int).astype("object") if text.str.fullmatch(_WHOLE.pattern).all() else None
