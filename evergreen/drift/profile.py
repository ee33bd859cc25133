"""Profiles: counts of a table's columns by unit of time, in fixed bins, so that any window is a sum."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen.definition.metrics import Floats
from evergreen.definition.options import MIN_GROUP_SIZE
from evergreen.drift.bins import Bins

if TYPE_CHECKING:
    import pyarrow as pa

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Column:
    """The counts of one column by unit; columns of the same bins add up.

    Attributes
    ----------
    bins : Bins
    counts : array (units, slots)
    moments : array (units, 4)
        Of a number's finite values: sum, sum of squares, least and greatest (NaN where none).
    """

    bins: Bins
    counts: Counts
    moments: Floats

    def total(self) -> "Column":
        """All units as one."""
        return replace(self, counts=self.counts.sum(axis=0, keepdims=True), moments=_summed(self.moments))

    @property
    def rows(self) -> int:
        """Over all units."""
        return int(self.counts.sum())

    @property
    def missing(self) -> float:
        """The share that is missing; NaN for no rows."""
        return float(self.counts[:, -1].sum()) / self.rows if self.rows else math.nan

    @property
    def spread(self) -> float:
        """The standard deviation of the finite values; NaN for none."""
        known = int(self.counts[:, :-1].sum())
        if not known:
            return math.nan
        total, squares = self.moments[:, 0].sum(), self.moments[:, 1].sum()
        return math.sqrt(max(squares / known - (total / known) ** 2, 0.0))


def _summed(moments: Floats) -> Floats:
    if not len(moments):
        return np.array([[0.0, 0.0, np.nan, np.nan]])
    low, high = moments[:, 2], moments[:, 3]
    extremes = [np.fmin.reduce(low), np.fmax.reduce(high)]
    return np.array([[moments[:, 0].sum(), moments[:, 1].sum(), *extremes]])


@dataclass(frozen=True)
class Profile:
    """Columns of one table, counted by unit of time.

    Attributes
    ----------
    units : array of datetime64[us] (n,)
        The start of each, ascending.
    columns : dict of name to Column
    """

    units: "NDArray[np.datetime64]"
    columns: Mapping[str, Column]

    def between(self, since: pd.Timestamp, until: pd.Timestamp) -> "Profile":
        """The units that start in ``[since, until)``."""
        inside = (self.units >= _naive(since)) & (self.units < _naive(until))
        return self.only(inside)

    def only(self, selected: "NDArray[np.bool_]") -> "Profile":
        """Some of the units."""
        columns = {
            name: replace(column, counts=column.counts[selected], moments=column.moments[selected])
            for name, column in self.columns.items()
        }
        return Profile(self.units[selected], columns)

    def beside(self, other: "Profile") -> "Profile":
        """These columns and the other's, over the units of both; a unit missing in one of them is empty there."""
        units = np.union1d(self.units, other.units)
        parts = [(profile, np.searchsorted(units, profile.units)) for profile in (self, other)]
        columns = {
            name: _spread(column, at, len(units)) for profile, at in parts for name, column in profile.columns.items()
        }
        return Profile(units, columns)

    def total(self) -> dict[str, Column]:
        """Every column over all units."""
        return {name: column.total() for name, column in self.columns.items()}

    def without_single_rows(self, names: Iterable[str]) -> "Profile":
        """The same without what shows values of single rows of these columns.

        These are the least and the greatest value of every unit, and the sums of units with fewer than `MIN_GROUP_SIZE`
        values, which become NaN.
        """
        hidden = {name: replace(self.columns[name], moments=self.columns[name].moments.copy()) for name in names}
        for column in hidden.values():
            values = column.counts[:, :-1].sum(axis=1)
            column.moments[:, 2:] = np.nan
            column.moments[(values > 0) & (values < MIN_GROUP_SIZE), :2] = np.nan
        return replace(self, columns={**self.columns, **hidden})

    @cached_property
    def bins(self) -> dict[str, Bins]:
        """The bins of every column."""
        return {name: column.bins for name, column in self.columns.items()}

    def dump(self) -> dict[str, Any]:
        """As values that JSON can represent."""
        return {
            "units": [str(unit) for unit in self.units],
            "columns": {
                name: {"bins": asdict(column.bins), "counts": column.counts.tolist(), "moments": _plain(column.moments)}
                for name, column in self.columns.items()
            },
        }

    @classmethod
    def parse(cls, data: dict[str, Any]) -> "Profile":
        """Read what `dump` wrote."""
        units = np.array(data["units"], dtype="datetime64[us]")
        columns = {}
        for name, column in data["columns"].items():
            bins = _bins(column["bins"])
            counts = np.array(column["counts"], dtype=np.int64).reshape(len(units), bins.slots)
            moments = np.array(column["moments"], dtype=np.float64).reshape(len(units), 4)
            columns[name] = Column(bins, counts, moments)
        return cls(units, columns)

    def table(self, version: str, touched: "NDArray[np.datetime64]") -> "pa.Table":
        """One row for each unit and column, in the layout of the lake's table.

        Parameters
        ----------
        version : str
            The version whose bins these are; with the unit it forms the ``key``.
        touched : array of datetime64 (n,)
            When each unit's rows were last changed.
        """
        import pyarrow as pa

        moments = pa.timestamp("us", tz="UTC")
        names = list(self.columns)
        count = len(self.units)
        numbers = np.concatenate([self.columns[name].moments for name in names]).T if names else np.zeros((4, 0))
        return pa.table(
            {
                "key": pa.array([key(version, unit) for unit in self.units] * len(names), pa.string()),
                "version": pa.array([version] * count * len(names), pa.string()),
                "unit": pa.array(np.tile(self.units, len(names)), pa.timestamp("us")).cast(moments),
                "touched": pa.array(np.tile(touched, len(names)), pa.timestamp("us")).cast(moments),
                "name": pa.array(np.repeat(np.array(names, dtype=object), count), pa.string()),
                "counts": pa.array(
                    [counts.tolist() for name in names for counts in self.columns[name].counts], pa.list_(pa.int64())
                ),
                **{moment: pa.array(numbers[place]) for place, moment in enumerate(_MOMENTS)},
            }
        )

    @classmethod
    def empty(cls, bins: Mapping[str, Bins]) -> "Profile":
        """The profile of no unit."""
        columns = {
            name: Column(own, np.zeros((0, own.slots), dtype=np.int64), nothing(0)) for name, own in bins.items()
        }
        return cls(np.array([], dtype="datetime64[us]"), columns)

    @classmethod
    def of_table(cls, bins: Mapping[str, Bins], stored_rows: pd.DataFrame) -> "Profile":
        """Read rows that `table` wrote, for these columns; a unit without a column counts as empty."""
        units = np.unique(stored_rows["unit"].dt.tz_localize(None).to_numpy().astype("datetime64[us]"))
        columns = {}
        for name, fixed in bins.items():
            rows = stored_rows[stored_rows["name"] == name]
            places = np.searchsorted(units, rows["unit"].dt.tz_localize(None).to_numpy().astype("datetime64[us]"))
            counts = np.array(rows["counts"].to_list(), dtype=np.int64).reshape(len(rows), fixed.slots)
            moments = rows[list(_MOMENTS)].to_numpy(dtype=np.float64)
            columns[name] = _spread(Column(fixed, counts, moments), places, len(units))
        return cls(units, columns)


def _spread(column: Column, places: "NDArray[np.intp]", units: int) -> Column:
    counts, moments = np.zeros((units, column.bins.slots), dtype=np.int64), nothing(units)
    counts[places], moments[places] = column.counts, column.moments
    return Column(column.bins, counts, moments)


_MOMENTS = ("total", "squares", "low", "high")


def nothing(units: int) -> Floats:
    """The moments of units without rows."""
    return np.tile([0.0, 0.0, np.nan, np.nan], (units, 1))


def count(bins: Bins, numbers: Floats, unit: "NDArray[np.intp]", units: int) -> Column:
    """Count numbers in memory, as `sql` counts those of a table.

    Parameters
    ----------
    bins : Bins
    numbers : array (n,)
    unit : array (n,)
        The number of each row's unit, from 0.
    units : int
    """
    known = np.isfinite(numbers)
    slot = np.where(known, np.searchsorted(bins.edges, np.where(known, numbers, 0.0), side="left"), bins.slots - 1)
    counts = np.bincount(unit * bins.slots + slot, minlength=units * bins.slots).reshape(units, bins.slots)
    moments = nothing(units)
    for place in range(units):
        within = numbers[known & (unit == place)]
        if len(within):
            moments[place] = within.sum(), (within**2).sum(), within.min(), within.max()
    return Column(bins, counts, moments)


def _naive(moment: pd.Timestamp) -> np.datetime64:
    return moment.tz_convert("UTC").tz_localize(None).to_datetime64()


def _plain(moments: Floats) -> list[list[float | None]]:
    return [[None if math.isnan(value) else float(value) for value in row] for row in moments]


def _bins(data: dict[str, Any]) -> Bins:
    return Bins(data["kind"], tuple(data["edges"]), tuple(data["categories"]))


def key(version: str, unit: "np.datetime64") -> str:
    """Name one unit in one version's bins.

    Examples
    --------
    >>> key("7", np.datetime64("2013-01-01", "us"))
    '7 2013-01-01T00:00:00.000000'
    """
    return f"{version} {unit}"
