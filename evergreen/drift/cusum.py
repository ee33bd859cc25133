"""Slow drift: cumulative sums of a column's levels, which add up changes that are too small for any one window.

The level of a column is its mean in a unit of time, or the share of its commonest category. Two sums run over the
levels after the reference, one for each direction (Page, "Continuous Inspection Schemes", Biometrika 41, 1954). How
far they run where nothing drifts depends on how long the level remembers; the limit is that of simulated columns whose
memory looks the same over a reference of the same length.
"""

import math
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from evergreen.definition.metrics import Floats
from evergreen.drift.profile import Column, Profile

if TYPE_CHECKING:
    from evergreen.definition.options import Monitoring

_DAY = timedelta(days=1)
_WEEK = 7
_LEAST, _MOST = 28, 730  # units of a reference: with fewer there is no limit, and older ones are not needed
_ALLOWANCE = 0.5  # standard deviations a unit that are not added up: half of the change that is found soonest
_CLIPPED = 3.0  # standard deviations: a single wild unit is no slow drift
_SIMULATED, _NEAREST = 4000, 400
_MEMORY = 0.95  # at most, of a simulated column: its autoregression
_LONGEST = 0.995  # the quantile of the simulated correlations beyond which a column has no limit
_CONSTANT = 1e-9  # of its level, below which the spread of a column is that of rounding
_TAIL = 0.1  # the share of simulated years from which rarer ones are extrapolated


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
    long_enough = _long_enough(reference, monitoring)
    known = {name: own for name, own in long_enough.items() if name in later.columns}
    chance = 1 - math.exp(-monitoring.false_alarms / 2 / max(len(known), 1))
    found = {
        name: _sums(own.newest(_MOST), levels(later, name, monitoring.unit, reference), monitoring.unit, chance)
        for name, own in known.items()
    }
    return {name: summed for name, summed in found.items() if summed is not None}


def left_for_windows(reference: Profile, monitoring: "Monitoring") -> "Monitoring":
    """The same with the false alarms that are left for the distances of windows: half, if slow drift can be judged."""
    if not _long_enough(reference, monitoring):
        return monitoring
    return monitoring.model_copy(update={"false_alarms": monitoring.false_alarms / 2})


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


def _sums(reference: Levels, later: Levels, unit: timedelta, chance: float) -> Sums | None:
    weekly = max(unit, _DAY) == _DAY
    weekday = _weekday(reference.units, weekly)
    centres = _centres(reference.values, weekday)
    residual = reference.values - centres[weekday]
    spread = float(residual.std(ddof=len(np.unique(weekday))))
    if not spread > _CONSTANT * np.abs(reference.values).max():
        return None
    year = max(round(timedelta(days=365) / max(unit, _DAY)), 1)
    limit = _limit(float(_correlations(residual[None, :])[0]), len(residual), year, weekly, chance)
    if math.isinf(limit):
        return None
    few = np.minimum(np.sqrt(later.rows / np.median(reference.rows)), 1.0)  # of fewer rows, a level is less certain
    standard = (later.values - centres[_weekday(later.units, weekly)]) / spread * few
    up, down = _cumulated(np.column_stack([standard, -standard])).T
    return Sums(later.units, up, down, limit)


def _weekday(units: "NDArray[np.datetime64]", weekly: bool) -> "NDArray[np.int64]":
    days = units.astype("datetime64[D]").astype(np.int64)
    return days % _WEEK if weekly else np.zeros_like(days)


def _centres(values: Floats, weekday: "NDArray[np.int64]") -> Floats:
    """The mean level by weekday; that of all days for a weekday that the reference lacks."""
    count, total = np.bincount(weekday, minlength=_WEEK), np.bincount(weekday, values, _WEEK)
    return np.where(count > 0, total / np.maximum(count, 1), values.mean())


def _correlations(residuals: Floats) -> Floats:
    """The correlation of neighbours (columns,) in residuals (columns, units)."""
    squares = (residuals**2).sum(axis=1)
    return np.asarray((residuals[:, 1:] * residuals[:, :-1]).sum(axis=1) / np.maximum(squares, 1e-300))


def _cumulated(standard: Floats) -> Floats:
    """The sums of each column (units, columns), never below 0."""
    summed, last = np.empty_like(standard), np.zeros(standard.shape[1:])
    for place, now in enumerate(np.clip(standard, -_CLIPPED, _CLIPPED)):
        last = np.maximum(last + now - _ALLOWANCE, 0.0)
        summed[place] = last
    return summed


def _limit(correlation: float, reference: int, year: int, weekly: bool, chance: float) -> float:
    """What the sums of a column without drift exceed in a year with this probability.

    The simulated years are those of the columns whose neighbours correlate alike over their reference. Rare excesses
    are extrapolated: the maxima of such sums have an exponential tail. A column that remembers longer than any
    simulated one, as a trend does, has no limit.
    """
    correlations, highest = _simulated_years(reference, year, weekly)
    if correlation > np.quantile(correlations, _LONGEST):
        return math.inf
    nearest = np.argsort(np.abs(correlations - correlation), kind="stable")[:_NEAREST]
    maxima = highest[nearest]
    if chance >= _TAIL:
        return float(np.quantile(maxima, 1 - chance))
    tail = np.quantile(maxima, 1 - _TAIL)
    return float(tail + (maxima[maxima > tail] - tail).mean() * math.log(_TAIL / chance))


@lru_cache(maxsize=8)
def _simulated_years(reference: int, year: int, weekly: bool) -> tuple[Floats, Floats]:
    """Of simulated columns without drift: the correlation of neighbours in the reference, and a year's highest sum.

    The columns are autoregressions with memories spread evenly up to `_MEMORY`.
    """
    random = np.random.default_rng([reference, year, int(weekly)])
    memory = random.uniform(0.0, _MEMORY, _SIMULATED)
    step = np.sqrt(1 - memory**2)
    values = np.empty((reference + year, _SIMULATED))
    values[0] = random.normal(size=_SIMULATED)
    for unit in range(1, len(values)):
        values[unit] = memory * values[unit - 1] + step * random.normal(size=_SIMULATED)
    period = _WEEK if weekly else 1
    for place in range(period):
        values[place::period] -= values[place:reference:period].mean(axis=0)
    before = values[:reference]
    standard = values[reference:] / before.std(axis=0, ddof=period)
    highest = np.maximum(_cumulated(standard).max(axis=0), _cumulated(-standard).max(axis=0))
    return _correlations(before.T), highest
