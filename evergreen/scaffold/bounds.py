"""What a drafted contract says of the columns: the range of numbers, the values of categories."""

import sys
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from evergreen.scaffold.reading import columns
from evergreen.scaffold.reading.columns import Reading
from evergreen.scaffold.reading.sample import Table

if TYPE_CHECKING:
    from evergreen.definition.options import Kind

_LARGEST = sys.float_info.max
_PLAIN = (1e-300, 1e300)  # widths of ranges that are written in round numbers
_VALUES = 12  # a category with so many at most has them listed in the contract


def numeric(features: "dict[str, Kind]") -> list[str]:
    """The features that are numbers."""
    return [name for name, kind in features.items() if kind in ("number", "integer")]


def ranges(
    table: Table, rows: pd.DataFrame, readings: dict[str, Reading], numeric: list[str]
) -> dict[str, tuple[float, float]]:
    """The range of each column of numbers, widened by a quarter on either side.

    Parameters
    ----------
    table : Table
    rows : DataFrame
        A sample of it.
    readings : dict of column to Reading
    numeric : list of str
    """
    text = {name for name in numeric if not pd.api.types.is_numeric_dtype(rows[name])}
    values = {name: columns.numbers(readings[name].values) for name in numeric}
    seen = table.extent([name for name in numeric if readings[name].parser is None], text)
    seen |= {name: (values[name].min(), values[name].max()) for name in numeric if readings[name].parser}
    return {
        name: _widened(float(seen[name][0]), float(seen[name][1]), bool((values[name].dropna() % 1 == 0).all()))
        for name in numeric
    }


def _widened(low: float, high: float, whole: bool = False) -> tuple[float, float]:
    """Widen a range by a quarter on either side, in round numbers; a range that is never negative stays so.

    Examples
    --------
    >>> _widened(0.0, 977.0), _widened(-11.5, 42.0), _widened(1, 4, whole=True)
    ((0, 1230), (-25, 56), (0, 5))
    >>> _widened(2.0**53, 2.0**53 + 100)
    (9007199254740967.0, 9007199254741116.0)
    >>> _widened(-1.7e308, 1.7e308)
    (-1.7976931348623157e+308, 1.7976931348623157e+308)
    """
    slack = 0.25 * high - 0.25 * low or abs(high) or 1.0
    if not _PLAIN[0] < slack < _PLAIN[1]:  # no round numbers: they would be 0, or too large
        below, above = max(low - slack, -_LARGEST), min(high + slack, _LARGEST)
    else:
        unit = max(10.0 ** (np.floor(np.log10(slack)) - 1), float(whole))
        below, above = np.floor((low - slack) / unit) * unit, np.ceil((high + slack) / unit) * unit
    below, above = max(below, 0.0) if low >= 0 else below, min(above, 0.0) if high <= 0 else above
    return _short(below, slack), _short(above, slack)


def _short(number: float, width: float) -> float:
    """A number in as few digits, six at least, as change it by less than a thousandth of the range's width.

    Examples
    --------
    >>> _short(0.1 + 0.2, 0.1), _short(9007199254740991.0, 100.0)
    (0.3, 9007199254740991.0)
    """
    if not abs(number) < _PLAIN[1]:
        return float(number)
    shortened = (float(f"{number:.{digits}g}") for digits in range(6, 17))
    short = next((short for short in shortened if abs(short - number) <= width / 1e3), float(number))
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def categories(rows: pd.DataFrame, features: "dict[str, Kind]") -> dict[str, list[str | int]]:
    """The categories of columns that have only a few."""
    few = [name for name, kind in features.items() if kind == "category" and rows[name].nunique() <= _VALUES]
    return {name: sorted(rows[name].dropna().astype("str").unique().tolist()) for name in few}


def classes(labels: pd.Series, target: str, kind: "Kind") -> dict[str, list[str | int]]:
    """The classes."""
    if kind == "integer":
        return {target: sorted(labels.astype("int64").unique().tolist())}
    return {target: sorted(labels.astype("str").unique().tolist())} if kind == "category" else {}
