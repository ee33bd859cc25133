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
MOSTLY = 0.9  # the share of values that the contract asks to be among those that are listed
_VALUES = 12  # a category with so many at most has them listed in the contract


def numeric(features: "dict[str, Kind]") -> list[str]:
    """The features that are numbers."""
    return [name for name, kind in features.items() if kind in ("number", "integer")]


def ranges(
    table: Table,
    rows: pd.DataFrame,
    readings: dict[str, Reading],
    numeric: list[str],
    times: "pd.Series[pd.Timestamp]",
) -> dict[str, tuple[float, float]]:
    """The range of each column of numbers, widened on either side as far as its own values say.

    Columns that rise with the time have none, nor have those whose older half of rows gives a range that the newer half
    does not keep, such as months of half a year: the rows to come would not keep it either.

    Parameters
    ----------
    table : Table
    rows : DataFrame
        A sample of it.
    readings : dict of column to Reading
    numeric : list of str
    times : Series of Timestamp
        Of these rows.
    """
    text = {name for name in numeric if not pd.api.types.is_numeric_dtype(rows[name])}
    values = {name: columns.numbers(readings[name].values) for name in numeric}
    steady = [name for name in numeric if not columns.rises(values[name], times) and _is_kept(values[name], times)]
    seen = table.extent([name for name in steady if readings[name].parser is None], text)
    seen |= {name: (values[name].min(), values[name].max()) for name in steady if readings[name].parser}
    return {name: _range(values[name], float(seen[name][0]), float(seen[name][1])) for name in steady}


def _range(values: "pd.Series[float]", low: float, high: float) -> tuple[float, float]:
    whole = bool((values.dropna() % 1 == 0).all())
    return _widened(low, high, whole, _tails(values, low, high))


def _is_kept(values: "pd.Series[float]", times: "pd.Series[pd.Timestamp]") -> bool:
    """Whether the newer half of the rows lies in the range that would have been drafted of the older half."""
    older, newer = _halves(values, times)
    if older.empty or newer.empty:
        return True
    if older.min() == older.max():
        return bool(newer.min() == newer.max() == older.min())
    low, high = _range(older, float(older.min()), float(older.max()))
    return bool(low <= newer.min() and newer.max() <= high)


def _halves(values: pd.Series, times: "pd.Series[pd.Timestamp]") -> tuple[pd.Series, pd.Series]:
    """The known values of the older and of the newer half of the rows."""
    is_older = times <= times.median()
    return values[is_older].dropna(), values[~is_older].dropna()


def _tails(values: "pd.Series[float]", low: float, high: float) -> tuple[float, float]:
    """How far values may lie below and above all that are known.

    An end lies as many times as far from the median, again, as it lies beyond what one in the root of the count of
    values passes: little where tails are short, and far where they are long.

    Examples
    --------
    >>> [round(tail) for tail in _tails(pd.Series(range(10_001)), 0.0, 10_000.0)]
    [102, 102]
    >>> [f"{tail:.1e}" for tail in _tails(pd.Series(range(10_001)) ** 4, 0.0, 1e16)]
    ['1.0e+08', '4.1e+14']
    """
    known = values[np.isfinite(values)]
    if known.empty:
        return 0.0, 0.0
    share = len(known) ** -0.5
    largest = max(abs(low), abs(high)) or 1.0  # by which all is divided, so that no difference overflows
    below, middle, above = map(float, (known / largest).quantile([share, 0.5, 1 - share]))
    ends = [(middle - low / largest, middle - below), (high / largest - middle, above - middle)]
    slacks = [largest * (end * (end / near) - end) if near > 0 else 0.0 for end, near in ends]
    return slacks[0], slacks[1]


def _widened(
    low: float, high: float, whole: bool = False, tails: tuple[float, float] = (0.0, 0.0)
) -> tuple[float, float]:
    """Widen a range by a quarter or its tails, in round numbers; a range that is never negative stays so.

    Examples
    --------
    >>> _widened(0.0, 977.0), _widened(-11.5, 42.0), _widened(1, 4, whole=True), _widened(-1.0, 1.0, tails=(0.0, 6.0))
    ((0, 1230), (-25, 56), (0, 5), (-1.5, 7))
    >>> _widened(2.0**53, 2.0**53 + 100)
    (9007199254740967.0, 9007199254741116.0)
    >>> _widened(-1.7e308, 1.7e308)
    (-1.7976931348623157e+308, 1.7976931348623157e+308)
    """
    slack = 0.25 * high - 0.25 * low or abs(high) or 1.0
    below, above = (low - max(slack, tails[0]), high + max(slack, tails[1]))
    below, above = max(below, -_LARGEST), min(above, _LARGEST)
    if _PLAIN[0] < slack and max(-below, above, slack) < _PLAIN[1]:  # else none are round: 0, or too large
        units = [max(10.0 ** (np.floor(np.log10(max(slack, tail))) - 1), float(whole)) for tail in tails]
        below, above = np.floor(below / units[0]) * units[0], np.ceil(above / units[1]) * units[1]
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


def categories(
    rows: pd.DataFrame, features: "dict[str, Kind]", times: "pd.Series[pd.Timestamp]"
) -> dict[str, list[str | int]]:
    """The categories of columns that have only a few, most of which stay the same: the newer half has no others."""
    few = [name for name, kind in features.items() if kind == "category" and rows[name].nunique() <= _VALUES]
    halves = {name: _halves(rows[name], times) for name in few}
    steady = [name for name, (older, newer) in halves.items() if newer.isin(set(older)).mean() >= MOSTLY or newer.empty]
    return {name: sorted(rows[name].dropna().astype("str").unique().tolist()) for name in steady}


def classes(labels: pd.Series, target: str, kind: "Kind") -> dict[str, list[str | int]]:
    """The classes."""
    if kind == "integer":
        return {target: sorted(labels.astype("int64").unique().tolist())}
    return {target: sorted(labels.astype("str").unique().tolist())} if kind == "category" else {}
