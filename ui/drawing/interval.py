"""Intervals beside 0, as SVG: a dot, a line to both ends, and where they lie against the level."""

import math
from collections.abc import Iterable

from markupsafe import Markup

from evergreen.evaluation.bootstrap import Interval
from evergreen.reports.html import figure
from ui.drawing.axis import Axis

_WIDE, _HIGH = 180.0, 18.0
_WHOLE = Markup(
    '<svg class="interval {}" viewBox="0 0 {:.0f} {:.0f}" role="img" aria-label="{}">'
    '<path class="zero" d="M{:.1f} 0V{:.0f}"/><path class="reach" d="M{:.1f} {:.0f}H{:.1f}"/>'
    '<circle cx="{:.1f}" cy="{:.0f}" r="3.5"/></svg>'
)


def reach(intervals: Iterable[Interval]) -> Axis:
    """The axis that shows several intervals and 0."""
    values = [value for interval in intervals for value in vars(interval).values()]
    return Axis.of([0.0, *values], 4, _WIDE - 4)


def gain(interval: Interval | None, axis: Axis) -> Markup:
    """A gain beside 0: better, worse or neither beyond chance; empty where it is not known."""
    if interval is None or not math.isfinite(interval.value):
        return Markup("")
    low = interval.low if math.isfinite(interval.low) else interval.value
    high = interval.high if math.isfinite(interval.high) else interval.value
    word = "better" if low > 0 else "worse" if high < 0 else "neither"
    told = f"{figure(interval.value)}, from {figure(interval.low)} to {figure(interval.high)}"
    middle = _HIGH / 2
    ends = (axis.at(low), middle, axis.at(high))
    return _WHOLE.format(word, _WIDE, _HIGH, told, axis.at(0.0), _HIGH, *ends, axis.at(interval.value), middle)
