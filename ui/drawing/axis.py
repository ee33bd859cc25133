"""Axes: from values to places, and the round values that are written beside them."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from markupsafe import Markup

from evergreen.reports.html import figure

_UP = Markup('<path class="grid" d="M{0:.1f} {1:.1f}H{2:.1f}"/><text class="y" x="{3:.1f}" y="{4:.1f}">{5}</text>')
_ACROSS = Markup('<path class="grid" d="M{0:.1f} {1:.1f}V{2:.1f}"/><text class="x" x="{0:.1f}" y="{3:.1f}">{4}</text>')
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_DAY = 86_400
_DAYS = (1, 2, 7, 14)
_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120)


@dataclass(frozen=True)
class Axis:
    """A range of values on a range of places.

    Attributes
    ----------
    low, high : float
        Values; different ones.
    begin, end : float
        Their places.
    """

    low: float
    high: float
    begin: float
    end: float

    @classmethod
    def of(cls, values: Iterable[float], begin: float, end: float, room: float = 0.05) -> "Axis":
        """An axis that shows all finite values, with some room beside them."""
        finite = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
        low, high = min(finite), max(finite)
        more = (high - low) * room or abs(high) * room or 1.0
        return cls(low - more, high + more, begin, end)

    def at(self, value: float) -> float:
        """The place of a value."""
        return self.begin + (value - self.low) / (self.high - self.low) * (self.end - self.begin)

    def ticks(self, most: int = 5) -> list[float]:
        """Round values within the range.

        Examples
        --------
        >>> Axis(0.13, 0.61, 0, 100).ticks()
        [0.2, 0.3, 0.4, 0.5, 0.6]
        """
        rough = (self.high - self.low) / most
        size = 10.0 ** math.floor(math.log10(rough))
        step = next(size * factor for factor in _STEPS if size * factor >= rough)
        first = math.ceil(self.low / step)
        return [float(f"{place * step:.12g}") for place in range(first, math.floor(self.high / step) + 1)]


def upright(axis: Axis, left: float, right: float, most: int = 5) -> Markup:
    """The lines of an upright axis with its values."""
    return Markup().join(
        _UP.format(left, axis.at(tick), right, left - 6, axis.at(tick) + 4, figure(tick)) for tick in axis.ticks(most)
    )


def days(axis: Axis, top: float, bottom: float, most: int = 7) -> Markup:
    """The lines of an axis of seconds since 1970 with its days."""
    return Markup().join(
        _ACROSS.format(axis.at(at), top, bottom, bottom + 16, text) for at, text in dates(axis.low, axis.high, most)
    )


def dates(low: float, high: float, most: int = 7) -> list[tuple[float, str]]:
    """Days, or firsts of a month, within a range of seconds since 1970, and how each is written.

    Examples
    --------
    >>> [text for _, text in dates(1356998400, 1362000000, 3)]
    ['2013-01-01', '2013-02-01']
    """
    length = (high - low) / _DAY
    step = next((step for step in _DAYS if length / step <= most), 0)
    if step:
        first = math.ceil(low / _DAY / step) * step
        places = [day * _DAY for day in range(first, math.floor(high / _DAY) + 1, step)]
    else:
        months = next((count for count in _MONTHS if length / 30.4 / count <= most), _MONTHS[-1])
        places = _firsts(low, high, months)
    return [(place, f"{datetime.fromtimestamp(place, UTC):%Y-%m-%d}") for place in places]


def _firsts(low: float, high: float, months: int) -> list[int]:
    begin, end = datetime.fromtimestamp(low, UTC), datetime.fromtimestamp(high, UTC)
    numbers = range(begin.year * 12, end.year * 12 + 12, months)
    moments = [datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC) for number in numbers]
    return [int(moment.timestamp()) for moment in moments if low <= moment.timestamp() <= high]
