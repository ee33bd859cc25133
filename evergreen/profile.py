"""Profiles: counts of a table's columns by unit of time, in fixed bins, so that any window is a sum."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen.metric import Floats

if TYPE_CHECKING:
    import pyarrow as pa

    from evergreen.model import Kind

Counts = NDArray[np.int64]
ORIGIN = pd.Timestamp("2000-01-03", tz="UTC")  # a Monday: units of a week begin on one, as DuckDB has it
OTHER, MISSING = "other", "missing"
EVERYBODYS = 10  # rows that share a value: it is nobody's own, and may be shown though the column is private
_DEEPEST = 500  # categories that are told apart; the rest are "other"
_COVERED = 0.999  # of the rows, which the categories told apart hold at least, if so many suffice


@dataclass(frozen=True)
class Bins:
    """What the values of one column are counted in.

    A number falls into the first bin whose edge it does not exceed; the first bin lies below all
    that the reference held, the last above it. A category that the reference did not hold is
    "other". The last slot of both counts what is missing, or no finite number.

    Attributes
    ----------
    kind : {"number", "category"}
    edges : tuple of float
        Ascending; empty for categories.
    categories : tuple of str
        The most frequent first; empty for numbers.
    """

    kind: Literal["number", "category"]
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()

    @property
    def labels(self) -> list[str]:
        """What each slot counts.

        Examples
        --------
        >>> Bins("number", edges=(0.0, 1.0)).labels
        ['up to 0', 'up to 1', 'above 1', 'missing']
        """
        if self.kind == "category":
            return [*self.categories, OTHER, MISSING]
        above = [f"above {self.edges[-1]:.6g}"] if self.edges else ["any"]
        return [*(f"up to {edge:.6g}" for edge in self.edges), *above, MISSING]

    @property
    def slots(self) -> int:
        """How many counts a column has."""
        return len(self.edges or self.categories) + 2


def bins_of(values: "pd.Series[Any]", kind: "Kind", most: int = 10, *, private: bool = False) -> Bins:
    """Fix the bins of a column by a reference's values.

    Parameters
    ----------
    values : Series
    kind : str
        As the model file declares it. Text is counted by its length, a time by its seconds.
    most : int
        Bins of equal count for numbers, fewer where values repeat.
    private : bool
        No value that may be one row's own becomes an edge or a category.

    Examples
    --------
    >>> bins_of(pd.Series(["a", "b", "a"]), "category").categories
    ('a', 'b')
    >>> bins_of(pd.Series([1.0, 2.0, 3.0, 4.0]), "number", most=2).edges
    (0.9999999999999999, 2.5, 4.0)
    """
    if _is_category(kind):
        shares = values.dropna().astype(str).str.lower().value_counts() if kind == "boolean" else _shares(values)
        shares = shares[shares >= EVERYBODYS] if private else shares
        enough = int(np.searchsorted(shares.cumsum().to_numpy(), _COVERED * shares.sum())) + 1
        return Bins("category", categories=tuple(shares.index[: min(enough, _DEEPEST)]))
    numbers = as_numbers(values, kind)
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return Bins("number")
    if private:
        return Bins("number", edges=tuple(np.unique(np.quantile(numbers, np.linspace(0, 1, most + 1)[1:-1])).tolist()))
    inner = np.quantile(numbers, np.linspace(0, 1, most + 1)[1:])
    below = np.nextafter(numbers.min(), -np.inf)
    return Bins("number", edges=tuple(float(edge) for edge in np.unique([below, *inner])))


def _shares(values: "pd.Series[Any]") -> "pd.Series[int]":
    """Counts by value, the most frequent first, ties in the order of the alphabet."""
    counted = values.dropna().astype(str).value_counts()
    return counted.sort_index().sort_values(ascending=False, kind="stable")


def _is_category(kind: "Kind") -> bool:
    return kind in ("category", "boolean")


def as_numbers(values: "pd.Series[Any]", kind: "Kind") -> Floats:
    """The numbers that a column is counted by, NaN where missing."""
    if kind == "text":
        return np.asarray(values.str.len().astype("float64"), dtype=np.float64)
    if kind == "datetime":
        seconds = (values - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)
        return np.asarray(seconds, dtype=np.float64)
    return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)


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

    def only(self, chosen: "NDArray[np.bool_]") -> "Profile":
        """Some of the units."""
        cut = {
            name: replace(one, counts=one.counts[chosen], moments=one.moments[chosen])
            for name, one in self.columns.items()
        }
        return Profile(self.units[chosen], cut)

    def beside(self, other: "Profile") -> "Profile":
        """These columns and the other's, over the units of both; a unit that one lacks counts nothing there."""
        units = np.union1d(self.units, other.units)
        parts = [(one, np.searchsorted(units, one.units)) for one in (self, other)]
        columns = {name: _spread(column, at, len(units)) for one, at in parts for name, column in one.columns.items()}
        return Profile(units, columns)

    def total(self) -> dict[str, Column]:
        """Every column over all units."""
        return {name: one.total() for name, one in self.columns.items()}

    def without_extremes(self, names: Iterable[str]) -> "Profile":
        """The same, but for the least and the greatest value of these columns, each of which is one row's own."""
        hidden = {name: replace(self.columns[name], moments=self.columns[name].moments.copy()) for name in names}
        for one in hidden.values():
            one.moments[:, 2:] = np.nan
        return replace(self, columns={**self.columns, **hidden})

    @cached_property
    def bins(self) -> dict[str, Bins]:
        """The bins of every column."""
        return {name: one.bins for name, one in self.columns.items()}

    def dump(self) -> dict[str, Any]:
        """As what JSON can hold."""
        return {
            "units": [str(unit) for unit in self.units],
            "columns": {
                name: {"bins": asdict(one.bins), "counts": one.counts.tolist(), "moments": _plain(one.moments)}
                for name, one in self.columns.items()
            },
        }

    @classmethod
    def parse(cls, data: dict[str, Any]) -> "Profile":
        """Read what `dump` wrote."""
        units = np.array(data["units"], dtype="datetime64[us]")
        columns = {}
        for name, one in data["columns"].items():
            bins = _bins(one["bins"])
            counts = np.array(one["counts"], dtype=np.int64).reshape(len(units), bins.slots)
            moments = np.array(one["moments"], dtype=np.float64).reshape(len(units), 4)
            columns[name] = Column(bins, counts, moments)
        return cls(units, columns)

    def table(self, version: str, touched: "NDArray[np.datetime64]") -> "pa.Table":
        """One row a unit and column, in the form that the lake keeps.

        Parameters
        ----------
        version : str
            Whose bins these are; with the unit it makes the ``key`` of what was profiled at once.
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
                    [one.tolist() for name in names for one in self.columns[name].counts], pa.list_(pa.int64())
                ),
                **{moment: pa.array(numbers[place]) for place, moment in enumerate(_MOMENTS)},
            }
        )

    @classmethod
    def of_table(cls, bins: Mapping[str, Bins], kept: pd.DataFrame) -> "Profile":
        """Read what the lake kept of `table`, for these columns; a unit without one counts nothing."""
        units = np.unique(kept["unit"].dt.tz_localize(None).to_numpy().astype("datetime64[us]"))
        columns = {}
        for name, fixed in bins.items():
            rows = kept[kept["name"] == name]
            places = np.searchsorted(units, rows["unit"].dt.tz_localize(None).to_numpy().astype("datetime64[us]"))
            counts = np.array(rows["counts"].to_list(), dtype=np.int64).reshape(len(rows), fixed.slots)
            moments = rows[list(_MOMENTS)].to_numpy(dtype=np.float64)
            columns[name] = _spread(Column(fixed, counts, moments), places, len(units))
        return cls(units, columns)


def _spread(column: Column, places: "NDArray[np.intp]", units: int) -> Column:
    counts, moments = np.zeros((units, column.bins.slots), dtype=np.int64), _nothing(units)
    counts[places], moments[places] = column.counts, column.moments
    return Column(column.bins, counts, moments)


_MOMENTS = ("total", "squares", "low", "high")


def _nothing(units: int) -> Floats:
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
    moments = _nothing(units)
    for place in range(units):
        within = numbers[known & (unit == place)]
        if len(within):
            moments[place] = within.sum(), (within**2).sum(), within.min(), within.max()
    return Column(bins, counts, moments)


def _naive(moment: pd.Timestamp) -> np.datetime64:
    return moment.tz_convert("UTC").tz_localize(None).to_datetime64()


def _plain(moments: Floats) -> list[list[float | None]]:
    return [[None if math.isnan(one) else float(one) for one in row] for row in moments]


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


def unit_start(moment: pd.Timestamp, unit: timedelta) -> pd.Timestamp:
    """The start of the unit that a moment lies in.

    Examples
    --------
    >>> unit_start(pd.Timestamp("2013-06-20 14:00", tz="UTC"), timedelta(days=7)).isoformat()
    '2013-06-17T00:00:00+00:00'
    """
    return ORIGIN + (moment - ORIGIN) // unit * pd.Timedelta(unit)


def sql(bins: Mapping[str, Bins], kinds: Mapping[str, "Kind"], source: str, time: str, unit: timedelta) -> str:
    """One scan that counts every column by unit of time, in DuckDB's SQL; `read` reads its answer.

    Parameters
    ----------
    bins : dict of name to Bins
    kinds : dict of name to kind
        As the model file declares them.
    source : str
        A table's name, or a query in brackets.
    time : str
        The column that units go by.
    unit : timedelta
    """
    names = list(bins)
    cleaned = ", ".join(f"{_cleaned(_quoted(name), kinds[name])} AS c{place}" for place, name in enumerate(names))
    counted = ", ".join(_counted(f"c{place}", bins[name]) for place, name in enumerate(names))
    return f"""
        SELECT unit, count(*) AS n, {counted}
        FROM (SELECT {bucket(time, unit)} AS unit, {cleaned} FROM {source})
        GROUP BY unit ORDER BY unit
    """  # noqa: S608


def bucket(time: str, unit: timedelta) -> str:
    """The start of a row's unit, in DuckDB's SQL, by whole numbers: `time_bucket` takes twice as long.

    They are counted from long before any row, since `//` rounds towards nought.
    """
    size = int(unit / timedelta(microseconds=1))
    origin = int(ORIGIN.timestamp()) * 10**6 - size * (10**17 // size)
    return f"make_timestamptz({origin} + (epoch_us({_quoted(time)}) - {origin}) // {size} * {size})"


def _cleaned(column: str, kind: "Kind") -> str:
    """A number without what is not finite, a category as text."""
    if _is_category(kind):
        return f"CAST({column} AS VARCHAR)"
    if kind == "text":
        return f"CAST(length({column}) AS DOUBLE)"
    if kind == "datetime":
        return f"epoch_us({column}) / 1e6"
    return f"CASE WHEN isfinite(CAST({column} AS DOUBLE)) THEN CAST({column} AS DOUBLE) END"


def _counted(column: str, bins: Bins) -> str:
    if bins.kind == "category":
        return f"histogram({column}) AS {column}_values, count({column}) AS {column}_n"
    up_to = ", ".join(f"coalesce(count_if({column} <= {edge!r}), 0)" for edge in bins.edges)
    moments = f"sum({column}), sum({column} * {column}), min({column}), max({column})"
    return f"[{up_to}] AS {column}_up_to, [{moments}] AS {column}_moments, count({column}) AS {column}_n"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def read(bins: Mapping[str, Bins], answer: pd.DataFrame) -> Profile:
    """Read the answer to `sql`."""
    units = answer["unit"].dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("datetime64[us]")
    columns = {name: _read(fixed, answer, f"c{place}") for place, (name, fixed) in enumerate(bins.items())}
    return Profile(units, columns)


def _read(bins: Bins, answer: pd.DataFrame, column: str) -> Column:
    known = answer[f"{column}_n"].to_numpy(dtype=np.int64)
    missing = answer["n"].to_numpy(dtype=np.int64) - known
    if bins.kind == "category":
        place = {category: position for position, category in enumerate(bins.categories)}
        held = np.zeros((len(answer), len(bins.categories)), dtype=np.int64)
        for unit, values in enumerate(answer[f"{column}_values"]):
            for category, count in values if values is not None else ():
                if category in place:
                    held[unit, place[category]] = count
        other = known - held.sum(axis=1)
        return Column(bins, np.column_stack([held, other, missing]), _nothing(len(answer)))
    up_to = np.array([list(one) for one in answer[f"{column}_up_to"]], dtype=np.int64).reshape(
        len(answer), len(bins.edges)
    )
    within = np.diff(np.column_stack([np.zeros(len(answer), dtype=np.int64), up_to, known]), axis=1)
    moments = np.array([list(one) for one in answer[f"{column}_moments"]], dtype=np.float64).reshape(len(answer), 4)
    moments[:, :2] = np.nan_to_num(moments[:, :2])
    return Column(bins, np.column_stack([within, missing]), moments)
