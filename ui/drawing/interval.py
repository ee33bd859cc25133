"""Intervals beside 0, as SVG: a dot, a line to both ends, and where they lie against the level."""

import math
from collections.abc import Iterable

from markupsafe import Markup

from evergreen.evaluation.bootstrap import Interval
from evergreen.reports.html import figure
from ui.drawing.axis import Axis

_WIDE, _HIGH = 180.0, 18.0
_ODD = 8  # intervals, of which one may be cut off at each side
_WHOLE = Markup(
    '<svg class="interval {}" viewBox="0 0 {:.0f} {:.0f}" role="img" aria-label="{}">'
    '<path class="zero" d="M{:.1f} 0V{:.0f}"/><path class="reach" d="M{:.1f} {:.0f}H{:.1f}"/>'
    '<circle cx="{:.1f}" cy="{:.0f}" r="3.5"/></svg>'
)


def reach(intervals: Iterable[Interval]) -> Axis:
    """The axis that shows 0 and most of several intervals: of many, those that reach far farther are cut off."""
    known = [interval for interval in intervals if math.isfinite(interval.low) and math.isfinite(interval.high)]
    left_out = len(known) // _ODD
    lows, highs = sorted(interval.low for interval in known), sorted(interval.high for interval in known)
    return Axis.of([0.0, *lows[left_out:], *highs[: len(highs) - left_out]], 4, _WIDE - 4)


def gain(interval: Interval | None, axis: Axis) -> Markup:
    """A gain beside 0: better, worse or neither beyond chance; empty where it is not known."""
    if interval is None or not math.isfinite(interval.value):
        return Markup("")
    low = interval.low if math.isfinite(interval.low) else interval.value
    high = interval.high if math.isfinite(interval.high) else interval.value
    word = "better" if low > 0 else "worse" if high < 0 else "neither"
    told = f"{figure(interval.value)}, from {figure(interval.low)} to {figure(interval.high)}"
    middle = _HIGH / 2
    begin, place, end = (min(max(axis.at(at), 0.0), _WIDE) for at in (low, interval.value, high))
    return _WHOLE.format(word, _WIDE, _HIGH, told, axis.at(0.0), _HIGH, begin, middle, end, place, middle)
