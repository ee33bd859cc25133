"""Durations that a drafted model file declares: holdout and blocks, from the span of its table's times."""

from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from math import ceil
from typing import Any

import pandas as pd

from evergreen.durations import as_text, parse

_BLOCKS = ["1min", "10min", "1h", "6h", "1d", "7d", "28d", "91d", "365d"]
_WITHIN = 6  # a block spans at least this many steps: neighbours in time are not independent
_FEWEST, _FEW, _MANY = 8, 12, 26  # blocks of a holdout
_LONG = timedelta(days=91)  # a model is usually replaced by then, so a longer holdout is not needed
_YEAR = timedelta(days=365)  # no holdout is longer because rows are few
_MONTH = timedelta(days=28)  # a block of this length needs no more than one step
_SHARE = 0.3  # of all the time, at most, is held out
_ROWS = 300  # that a holdout should have
_ENOUGH, LEAST = 100, 30  # rows that a verdict asks for: the default of `Gates`, and where there are no more
_SOME = 1.4  # times the least rows: `_sufficient` leaves room for a month that brings fewer
_BATCH = 1_000_000  # rows


@dataclass(frozen=True)
class Rhythm:
    """Durations in the form of a model file.

    Attributes
    ----------
    holdout, block : str
    blocks : int
        About how many blocks the holdout has.
    every : str
        How often to train again.
    batch : str or None
        None if all rows are one batch.
    min_rows : int
        How many rows of the holdout suffice for a verdict: fewer than usual only where a year has no more.
    """

    holdout: str
    block: str
    blocks: int
    every: str
    batch: str | None
    min_rows: int = _ENOUGH


def rhythm(times: "pd.Series[pd.Timestamp]", rows: int, moments: int, told: float = 1.0) -> Rhythm:
    """Propose the durations for a table.

    Parameters
    ----------
    times : Series of Timestamp
        Of a sample of the labelled rows.
    rows, moments : int
        How many rows the table has, and how many different times.
    told : float
        What a row tells, beside one of two classes that are equally frequent: `told_by` of the labels.

    Examples
    --------
    >>> hours = pd.Series(pd.date_range("2013-01-01", periods=30 * 24, freq="h"))
    >>> rhythm(hours, rows=720, moments=720)
    Rhythm(holdout='8d', block='1d', blocks=8, every='1d', batch=None, min_rows=100)
    >>> months = pd.Series(pd.date_range("2008-01-01", periods=96, freq="MS"))
    >>> rhythm(months, rows=480, moments=96)
    Rhythm(holdout='364d', block='28d', blocks=13, every='28d', batch=None, min_rows=40)
    """
    span = (times.max() - times.min()).to_pytimedelta()
    if moments < 2 * _FEWEST:
        return _few(times, rows)
    block = _block(span, span / (moments - 1))
    many = max(_MANY, _LONG // parse(block))
    a_row = span / (rows * told) / parse(block)
    for_rows = max(min(ceil(_ROWS * a_row), _YEAR // parse(block)), ceil(_SOME * LEAST * a_row))
    wanted = max(_FEW, min(many, round(0.1 * span / parse(block))), for_rows)
    blocks = max(1, min(wanted, int(_SHARE * span / parse(block))))
    every = "28d" if parse(block) >= timedelta(days=7) else "7d" if span >= timedelta(days=60) else "1d"
    holdout = parse(block) * blocks
    return Rhythm(as_text(holdout), block, blocks, every, batch(span, rows), _sufficient(rows * holdout / span))


def told_by(labels: "pd.Series[Any]") -> float:
    """What a row of classes tells: the variance of the commonest class, beside that of two equal ones.

    Examples
    --------
    >>> [round(told_by(pd.Series([0] * zeros + [1] * ones)), 2) for zeros, ones in ((5, 5), (7, 3), (99, 1))]
    [1.0, 0.84, 0.04]
    """
    share = labels.value_counts(normalize=True).iloc[0]
    return float(4 * share * (1 - share))


def batch(span: timedelta, rows: int) -> str | None:
    """The longest batch with at most about a million rows; None if the whole table is one.

    Examples
    --------
    >>> batch(timedelta(days=365), 10_000_000), batch(timedelta(days=365), 300_000)
    ('28d', None)
    """
    if rows <= _BATCH:
        return None
    return max((block for block in _BLOCKS if parse(block) <= span * _BATCH / rows), key=parse, default=_BLOCKS[0])


def _block(span: timedelta, step: timedelta) -> str:
    """The shortest block that spans several steps, or a month or more and one, at least a day if the span allows it."""
    fitting = [block for block in _BLOCKS if int(_SHARE * span / parse(block)) >= _FEWEST]
    least = max(min(_WITHIN * step, max(_MONTH, 0.9 * step)), timedelta(days=1))  # months differ in length
    steady = [block for block in fitting if parse(block) >= least]
    return steady[0] if steady else fitting[-1] if fitting else _BLOCKS[0]


def _few(times: "pd.Series[pd.Timestamp]", rows: int) -> Rhythm:
    """With few different times, each time has a block of its own, and the newest few are held out."""
    times_in_order = sorted(times.drop_duplicates())
    held_out = max(1, min(max(2, int(_SHARE * len(times_in_order))), len(times_in_order) - 1))
    before = (times_in_order[-held_out] - times_in_order[-held_out - 1]) / 2  # the holdout begins between two of them
    holdout = as_text((times_in_order[-1] - times_in_order[-held_out] + before).to_pytimedelta())
    nearest = min(later - time for time, later in pairwise(times_in_order))
    block = max((block for block in _BLOCKS if parse(block) <= nearest), key=parse, default=_BLOCKS[0])
    span = times_in_order[-1] - times_in_order[0]
    enough = _sufficient(rows * held_out / len(times_in_order))
    return Rhythm(holdout, block, held_out, "28d", batch(span, rows), enough)


def _sufficient(held_out: float) -> int:
    """The rows that a verdict asks for, with room for a month that brings fewer.

    Examples
    --------
    >>> [_sufficient(rows) for rows in (1000, 120, 60, 20)]
    [100, 90, 40, 30]
    """
    return max(LEAST, min(_ENOUGH, int(0.075 * held_out) * 10))
