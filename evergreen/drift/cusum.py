"""Slow drift: cumulative sums of a column's levels, which add up changes that are too small for any one window.

The level of a column is its mean in a unit of time, or the share of its commonest category. Two sums run over the
levels after the reference, one for each direction (Page, "Continuous Inspection Schemes", Biometrika 41, 1954). How
far they run where nothing drifts depends on how long the level remembers (`evergreen.drift.sum_limits`).
"""

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from evergreen.definition.metrics import Floats
from evergreen.drift import sum_limits
from evergreen.drift.profile import Column, Profile

if TYPE_CHECKING:
    from evergreen.definition.options import Monitoring

SHARE = 0.8  # of the false alarms; the distances of windows, whose limits are bounds, stay far below what is left
_DAY = timedelta(days=1)
_MANY = 112  # units of a reference, from which on three weeks less are no matter
_LEAST, _MOST = 28, 730  # units of a reference: with fewer there is no limit, and older ones are not needed
_CONSTANT = 1e-9  # of its level, below which the spread of a column is that of rounding


@dataclass(frozen=True)
class Slide:
    """The cumulative sum of a column.

    Attributes
    ----------
    value : float
        The larger one of the two sums, in standard deviations.
    limit : float
        Above which the column has drifted.
    since : str
        The unit in which the sum began to grow; ISO 8601.
    upwards : bool
    """

    value: float
    limit: float
    since: str
    upwards: bool

    @property
    def drifted(self) -> bool:
        """Whether the sum exceeds its limit."""
        return self.value > self.limit

    @property
    def times(self) -> float:
        """The sum as a multiple of its limit."""
        return self.value / self.limit

    @property
    def phrase(self) -> str:
        """The drift as text, for a reason.

        Examples
        --------
        >>> Slide(24.06, 13.8, "2013-03-02", upwards=True).phrase
        'has risen since 2013-03-02: a cumulative sum of 24.1 over 13.8'
        """
        moved = "risen" if self.upwards else "fallen"
        return f"has {moved} since {self.since[:10]}: a cumulative sum of {self.value:.1f} over {self.limit:.1f}"


@dataclass(frozen=True)
class Levels:
    """A column's levels by unit of time, without empty units.

    Attributes
    ----------
    units : array of datetime64 (n,)
    values : array (n,)
    rows : array (n,)
        How many rows each is the level of.
    """

    units: "NDArray[np.datetime64]"
    values: Floats
    rows: Floats

    def newest(self, count: int) -> "Levels":
        """The last ones."""
        return Levels(self.units[-count:], self.values[-count:], self.rows[-count:])


@dataclass(frozen=True)
class Sums:
    """The two cumulative sums of a column over what came after its reference.

    Attributes
    ----------
    units : array of datetime64 (n,)
    up, down : array (n,)
        In standard deviations.
    limit : float
    """

    units: "NDArray[np.datetime64]"
    up: Floats
    down: Floats
    limit: float

    @property
    def newest(self) -> Slide:
        """Where they stand."""
        if not len(self.units):
            return Slide(0.0, self.limit, "", upwards=True)
        upwards = bool(self.up[-1] >= self.down[-1])
        summed = self.up if upwards else self.down
        empty = np.flatnonzero(summed == 0)
        begun = int(empty[-1]) + 1 if len(empty) else 0
        since = str(self.units[begun]) if begun < len(self.units) else ""
        return Slide(float(summed[-1]), self.limit, since, upwards)


def slides(reference: Profile, later: Profile, monitoring: "Monitoring") -> dict[str, Slide]:
    """Where the cumulative sums of a reference's columns stand after what came after it; see `sums`."""
    return {name: summed.newest for name, summed in sums(reference, later, monitoring).items()}


def sums(reference: Profile, later: Profile, monitoring: "Monitoring") -> dict[str, Sums]:
    """The cumulative sums of the columns of a reference over what came after it.

    Columns whose reference is too short, constant or a trend have none.

    Parameters
    ----------
    reference, later : Profile
        In the same bins.
    monitoring : Monitoring
        Its unit and false alarms.
    """
    unit = max(monitoring.unit, _DAY)
    long_enough = _long_enough(reference, monitoring)
    known = {name: own.newest(_used(len(own.units))) for name, own in long_enough.items() if name in later.columns}
    standards = {name: standard for name, own in known.items() if (standard := _Standard.of(own, unit == _DAY))}
    chance = 1 - math.exp(-SHARE * monitoring.false_alarms / max(len(known), 1))
    limits = _limits(standards, max(round(timedelta(days=365) / unit), 1), chance)
    return {
        name: standards[name].summed(levels(later, name, monitoring.unit, reference), limit)
        for name, limit in limits.items()
        if math.isfinite(limit)
    }


def _used(units: int) -> int:
    """How many units of a reference are used: whole weeks, or four weeks where there are many.

    Each length is simulated once, which takes 0.2 to 0.4 s of CPU: columns that lack a few days share one.

    Examples
    --------
    >>> [_used(units) for units in (28, 33, 91, 120, 365, 2000)]
    [28, 28, 91, 112, 364, 728]
    """
    step = 7 if units < _MANY else 28
    return min(units, _MOST) // step * step


def _limits(standards: dict[str, "_Standard"], year: int, chance: float) -> dict[str, float]:
    """The limits of columns; those with references of the same length tell together how such columns remember."""
    found: dict[str, float] = {}
    for length in {len(standard.residuals) for standard in standards.values()}:
        alike = {name: standard for name, standard in standards.items() if len(standard.residuals) == length}
        traits = sum_limits.traits(np.column_stack([standard.residuals for standard in alike.values()]))
        weekly = next(iter(alike.values())).weekly
        found |= dict(zip(alike, sum_limits.limits(traits, length, year, weekly, chance).tolist(), strict=True))
    return found


def left_for_windows(reference: Profile, monitoring: "Monitoring") -> "Monitoring":
    """The same with the false alarms that are left for the distances of windows, if slow drift can be judged."""
    if not _long_enough(reference, monitoring):
        return monitoring
    return monitoring.model_copy(update={"false_alarms": (1 - SHARE) * monitoring.false_alarms})


def _long_enough(reference: Profile, monitoring: "Monitoring") -> dict[str, Levels]:
    """The levels of the columns that have enough of them."""
    known = {name: levels(reference, name, monitoring.unit) for name in reference.columns}
    return {name: own for name, own in known.items() if len(own.units) >= _LEAST}


def levels(profile: Profile, name: str, unit: timedelta, reference: Profile | None = None) -> Levels:
    """The level of a column by unit, or by day where units are shorter.

    Parameters
    ----------
    profile : Profile
    name : str
    unit : timedelta
    reference : Profile, optional
        Whose commonest category counts, if it is another one.
    """
    column = profile.columns[name]
    if column.bins.kind == "category":
        commonest = int((reference or profile).columns[name].counts[:, :-1].sum(axis=0).argmax())
        sums = column.counts[:, commonest].astype(float)
    else:
        sums = column.moments[:, 0]
    return _by_unit(profile.units, sums, _known(column), unit)


def _known(column: Column) -> Floats:
    return np.asarray(column.counts[:, :-1].sum(axis=1), dtype=np.float64)


def _by_unit(units: "NDArray[np.datetime64]", sums: Floats, rows: Floats, unit: timedelta) -> Levels:
    if unit < _DAY:
        units, sums, rows = _by_day(units, sums, rows, unit)
    there = (rows > 0) & np.isfinite(sums)
    return Levels(units[there], sums[there] / rows[there], rows[there])


def _by_day(
    units: "NDArray[np.datetime64]", sums: Floats, rows: Floats, unit: timedelta
) -> tuple["NDArray[np.datetime64]", Floats, Floats]:
    """The sums of whole days: a morning is no level of a day."""
    days, place = np.unique(units.astype("datetime64[D]"), return_inverse=True)
    sums, rows = (np.asarray(np.bincount(place, each, len(days)), dtype=np.float64) for each in (sums, rows))
    if not len(days):
        return days, sums, rows
    begun = units[0] > days[0]
    ended = units[-1] + np.timedelta64(unit) < days[-1] + np.timedelta64(1, "D")
    whole = slice(int(begun), len(days) - int(ended))
    return days[whole], sums[whole], rows[whole]


@dataclass(frozen=True)
class _Standard:
    """What a reference says of a column's levels.

    Attributes
    ----------
    centres : array (7,)
        The mean by weekday.
    residuals : array (n,)
        Of the reference.
    spread : float
        Their standard deviation.
    rows : float
        The median of the rows of a unit.
    weekly : bool
        Whether units are days, which have weekdays.
    """

    centres: Floats
    residuals: Floats
    spread: float
    rows: float
    weekly: bool

    @classmethod
    def of(cls, reference: Levels, weekly: bool) -> "_Standard | None":
        """None for a constant."""
        weekday = _weekday(reference.units, weekly)
        centres = _centres(reference.values, weekday)
        residuals = reference.values - centres[weekday]
        spread = float(residuals.std(ddof=len(np.unique(weekday))))
        if not spread > _CONSTANT * np.abs(reference.values).max():
            return None
        return cls(centres, residuals, spread, float(np.median(reference.rows)), weekly)

    def summed(self, later: Levels, limit: float) -> Sums:
        """The sums over later levels."""
        few = np.minimum(np.sqrt(later.rows / self.rows), 1.0)  # of fewer rows, a level is less certain
        standard = (later.values - self.centres[_weekday(later.units, self.weekly)]) / self.spread * few
        up, down = sum_limits.cumulated(np.column_stack([standard, -standard])).T
        return Sums(later.units, up, down, limit)


def _weekday(units: "NDArray[np.datetime64]", weekly: bool) -> "NDArray[np.int64]":
    days = units.astype("datetime64[D]").astype(np.int64)
    return days % sum_limits.WEEK if weekly else np.zeros_like(days)


def _centres(values: Floats, weekday: "NDArray[np.int64]") -> Floats:
    """The mean level by weekday; that of all days for a weekday that the reference lacks."""
    count, total = (np.bincount(weekday, weights, sum_limits.WEEK) for weights in (None, values))
    return np.where(count > 0, total / np.maximum(count, 1), values.mean())
