"""The rhythm of a table: from the span of its times, how long a holdout and its blocks should be."""

from dataclasses import dataclass
from datetime import timedelta
from math import ceil

import pandas as pd

from evergreen.durations import parse

_BLOCKS = ["1min", "10min", "1h", "6h", "1d", "7d", "28d", "91d", "365d"]
_WITHIN = 6  # a block spans so many steps at least: neighbours in time are not independent
_FEWEST, _FEW, _MANY = 8, 12, 26  # blocks of a holdout
_LONG = timedelta(days=91)  # a model is replaced by then: what comes later need not be held out
_SHARE = 0.3  # of all the time, at most, is held out
_ROWS = 300  # that a holdout should have
_BATCH = 1_000_000  # rows


@dataclass(frozen=True)
class Rhythm:
    """Durations as a model file has them.

    Attributes
    ----------
    holdout, block : str
    blocks : int
        That the holdout has of them, about.
    every : str
        How often to train again.
    batch : str or None
        None where all rows make one batch.
    """

    holdout: str
    block: str
    blocks: int
    every: str
    batch: str | None


def rhythm(times: "pd.Series[pd.Timestamp]", rows: int, moments: int) -> Rhythm:
    """Propose the durations for a table.

    Parameters
    ----------
    times : Series of Timestamp
        Of a sample of the labelled rows.
    rows, moments : int
        How many rows the table has, and how many different times.

    Examples
    --------
    >>> hours = pd.Series(pd.date_range("2013-01-01", periods=30 * 24, freq="h"))
    >>> rhythm(hours, rows=720, moments=720)
    Rhythm(holdout='8d', block='1d', blocks=8, every='1d', batch=None)
    """
    span = (times.max() - times.min()).to_pytimedelta()
    if moments < 2 * _FEWEST:
        return _few(times, rows)
    block = _block(span, span / (moments - 1))
    many = max(_MANY, _LONG // parse(block))
    wanted = max(_FEW, min(many, round(0.1 * span / parse(block))), ceil(_ROWS * span / rows / parse(block)))
    blocks = max(1, min(wanted, int(_SHARE * span / parse(block))))
    every = "28d" if parse(block) >= timedelta(days=7) else "7d" if span >= timedelta(days=60) else "1d"
    return Rhythm(written(parse(block) * blocks), block, blocks, every, batch(span, rows))


def batch(span: timedelta, rows: int) -> str | None:
    """How much time holds about a million rows at most; None if the whole does.

    Examples
    --------
    >>> batch(timedelta(days=365), 10_000_000), batch(timedelta(days=365), 300_000)
    ('28d', None)
    """
    if rows <= _BATCH:
        return None
    return max((one for one in _BLOCKS if parse(one) <= span * _BATCH / rows), key=parse, default=_BLOCKS[0])


def written(length: timedelta) -> str:
    """Write a duration as a model file has it, rounded up.

    Examples
    --------
    >>> written(timedelta(days=14)), written(timedelta(hours=36)), written(timedelta(seconds=61)), written(timedelta(0))
    ('14d', '36h', '2min', '0d')
    """
    units = {"d": timedelta(days=1), "h": timedelta(hours=1), "min": timedelta(minutes=1)}
    unit = next((name for name, size in units.items() if not length % size or length >= 7 * size), "min")
    return f"{ceil(length / units[unit])}{unit}"


def _block(span: timedelta, step: timedelta) -> str:
    """The shortest block that holds several steps, and a day if the span allows for days."""
    held = [one for one in _BLOCKS if int(_SHARE * span / parse(one)) >= _FEWEST]
    steady = [one for one in held if parse(one) >= max(_WITHIN * step, timedelta(days=1))]
    return steady[0] if steady else held[-1] if held else _BLOCKS[0]


def _few(times: "pd.Series[pd.Timestamp]", rows: int) -> Rhythm:
    """Where there are few different times, each is a block, and the newest few are held out."""
    found = sorted(times.drop_duplicates())
    held = max(1, min(max(2, int(_SHARE * len(found))), len(found) - 1))
    before = (found[-held] - found[-held - 1]) / 2  # the holdout begins between two of them
    holdout = written((found[-1] - found[-held] + before).to_pytimedelta())
    return Rhythm(holdout, _BLOCKS[0], held, "28d", batch(found[-1] - found[0], rows))
