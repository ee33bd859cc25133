"""The figures of a table that decide whether gates and triggers can judge: rows and blocks by time, label delay."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_DAY, _TICK = timedelta(days=1), timedelta(microseconds=1)
_RECENT = 12  # blocks from which today's rate is taken
_WINDOWS = 400  # newest positions of a period whose blocks are counted


@dataclass(frozen=True)
class Figures:
    """The labelled rows of a table, counted by blocks of the gates' length.

    Attributes
    ----------
    first, last : array of int (n,)
        The first and the last time in each block that holds rows, in us since the epoch, ascending.
    rows : array of float (n,)
        How many rows each of these blocks holds.
    block : timedelta
        The length of a block.
    delay : timedelta or None
        The age at which nearly all labels were seen to be known; None if that is not known.
    filled : float
        The share of the monitor's units, from the first row to the newest, that hold rows.
    groups : dict of gate to dict of value to int
        How many rows of the newest holdout each value has of the column that a gate compares by.
    """

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    rows: NDArray[np.float64]
    block: timedelta
    delay: timedelta | None = None
    filled: float = 1.0
    groups: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, times: "pd.Series[pd.Timestamp]", block: timedelta, unit: timedelta = _DAY, total: int | None = None
    ) -> "Figures":
        """Count rows with these times.

        Parameters
        ----------
        times : Series of Timestamp
            Of all labelled rows, or of a sample.
        block, unit : timedelta
            Of the gates, and of the monitor.
        total : int, optional
            How many rows there are, if the times are a sample.

        Examples
        --------
        >>> days = pd.Series(pd.date_range("2013-01-01", periods=48, freq="12h", tz="UTC"))
        >>> figures = Figures.of(days, timedelta(days=1))
        >>> figures.rows_in(timedelta(days=7)), figures.blocks_in(timedelta(days=7))
        (14, (7, 8))
        """
        known = pd.to_datetime(times.dropna(), utc=True).dt.tz_localize(None)
        at = np.sort(known.to_numpy(dtype="datetime64[us]").astype(np.int64))
        _, start, count = np.unique(at // (block // _TICK), return_index=True, return_counts=True)
        units = at // (unit // _TICK)
        filled = len(np.unique(units)) / (units[-1] - units[0] + 1) if len(units) else 1.0
        rows = np.asarray(count, dtype=np.float64) * ((total or len(at)) / max(len(at), 1))
        return cls(at[start], at[start + count - 1], rows, block, filled=float(filled))

    @property
    def total(self) -> int:
        """How many rows there are."""
        return round(float(self.rows.sum()))

    @property
    def span(self) -> timedelta:
        """From the first row to the newest."""
        return int(self.last[-1] - self.first[0]) * _TICK if len(self.last) else timedelta(0)

    @property
    def newest(self) -> datetime | None:
        """The time of the newest row; None if there is no row."""
        return pd.Timestamp(int(self.last[-1]), unit="us", tz="UTC").to_pydatetime() if len(self.last) else None

    @property
    def rows_a_day(self) -> float:
        """How many rows a day has, in the newest blocks."""
        rows, last = self.rows[-_RECENT:], self.last[-_RECENT:]
        if len(rows) > 1:  # those after the newest row of the first block
            return float(rows[1:].sum()) / (int(last[-1] - last[0]) * _TICK / _DAY)
        return max(float(rows.sum()) - 1, 0.0) / (self.span / _DAY) if self.span else 0.0

    @property
    def spacing(self) -> timedelta:
        """How much time gives one more block that holds rows."""
        blocks = len(self.last)
        return int((self.first[-1] - self.first[0]) / (blocks - 1)) * _TICK if blocks > 1 else timedelta(0)

    def rows_in(self, length: timedelta) -> int:
        """How many rows come in so much time, at today's rate."""
        return round(self.rows_a_day * (length / _DAY))

    def most_rows_in(self, length: timedelta) -> int:
        """How many rows so much time had at most, of the periods that end with one of the newest blocks."""
        before = np.concatenate([[0.0], np.cumsum(self.rows)])
        ends = np.arange(max(len(self.last) - _RECENT, 0), len(self.last))
        starts = np.searchsorted(self.last, self.last[ends] - length // _TICK, side="right")
        whole = ceil(length / self.block) * self.block
        most = float((before[ends + 1] - before[starts]).max(initial=0.0)) * (length / whole)
        return max(ceil(most), self.rows_in(length))

    def blocks_in(self, length: timedelta) -> tuple[int, int]:
        """How many blocks with rows a period holds that ends with a row: usually, and at most."""
        if not len(self.last):
            return 0, 0
        first, last, places = (
            self.first[-_WINDOWS:],
            self.last[-_WINDOWS:],
            np.arange(1, len(self.last[-_WINDOWS:]) + 1),
        )
        size = length // _TICK
        whole = last - size >= first[0]
        if not whole.any():
            expected = int(length / self.spacing) if self.spacing else 1
            return expected, expected + 1
        usual = (places - np.searchsorted(last, last - size, side="right"))[whole]
        most = places - np.searchsorted(last, first - size, side="right")
        return int(np.median(usual)), int(most[whole].max())

    def length_of(self, *, blocks: int = 0, rows: int = 0, unit: timedelta) -> timedelta:
        """How much time holds so many blocks and rows, in whole units."""
        by_blocks = blocks * max(self.block, self.spacing)
        by_rows = rows / self.rows_a_day * _DAY if self.rows_a_day else timedelta(0)
        return ceil(max(by_blocks, by_rows) / unit) * unit
