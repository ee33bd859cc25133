"""A column's distribution beside its reference, and its distance over time, as SVG."""

import math
from collections.abc import Sequence

from markupsafe import Markup

from evergreen.iso_time import seconds
from evergreen.reports.evaluation_plots import shortened
from ui.drawing.axis import Axis, days, upright
from ui.facts.drift import Bar

_WIDE, _LEFT, _ROW, _BAR = 640.0, 170.0, 26.0, 9.0
_NAME = Markup('<text class="y" x="{:.1f}" y="{:.1f}">{}<title>{}</title></text>')
_RECT = Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.2f}" height="{:.1f}"><title>{}</title></rect>')
_TICK = Markup('<path class="grid" d="M{0:.1f} 0V{1:.1f}"/><text class="x" x="{0:.1f}" y="{2:.1f}">{3}</text>')
_DOT = Markup('<circle class="dot drifted" cx="{:.1f}" cy="{:.1f}" r="3.5"/>')
_TABLE = "the values are in the table below"
_WHOLE = Markup('<svg class="chart {}" viewBox="0 0 {:.0f} {:.0f}" role="img" aria-label="{}">{}</svg>')


def bars(shown: Sequence[Bar]) -> Markup:
    """Two bars for each bin: the reference as an outline above the current window's, which is filled."""
    most = max((share for bar in shown for share in (bar.reference, bar.current) if math.isfinite(share)), default=1.0)
    across, high = Axis(0.0, most or 1.0, _LEFT, _WIDE - 20), _ROW * len(shown)
    parts = [_TICK.format(across.at(tick), high, high + 16, f"{100 * tick:.3g} %") for tick in across.ticks(4)]
    for row, bar in enumerate(shown):
        top = _ROW * row + (_ROW - 2 * _BAR) / 2
        parts.append(_NAME.format(_LEFT - 8, top + _BAR + 4, shortened(bar.label, 22), bar.label[:200]))
        for place, (name, share) in enumerate((("reference", bar.reference), ("current", bar.current))):
            if math.isfinite(share) and share > 0:
                told = f"{bar.label[:80]}, {name}: {100 * share:.3g} %"
                width = max(across.at(share) - _LEFT, 1.0)
                parts.append(_RECT.format(f"bar {name}", _LEFT, top + _BAR * place, width, _BAR - 1, told))
    return _WHOLE.format("bars", _WIDE, high + 22, f"shares by bin; {_TABLE}", Markup().join(parts))


def distance(history: Sequence[tuple[str, float, float]]) -> Markup:
    """The distance of a column by check, with its threshold; empty for fewer than two checks."""
    points = [(seconds(at), value, limit) for at, value, limit in history if math.isfinite(value)]
    if len(points) < 2:
        return Markup("")
    wide, high, below, left = 640.0, 150.0, 22.0, 62.0
    across = Axis(points[0][0], max(points[-1][0], points[0][0] + 1), left, wide - 12)
    up = Axis.of([0.0, *(value for point in points for value in point[1:])], high - below, 8)
    limits = [(at, limit) for at, _, limit in points if math.isfinite(limit)]
    above = [(at, value) for at, value, limit in points if value > limit]
    parts = [
        upright(up, left, wide - 12, 4),
        days(across, 8, high - below, 5),
        _path("baseline", [(across.at(at), up.at(limit)) for at, limit in limits]),
        _path("realised", [(across.at(at), up.at(value)) for at, value, _ in points]),
        *(_DOT.format(across.at(at), up.at(value)) for at, value in above),
    ]
    return _WHOLE.format("small", wide, high, f"distance by check; {_TABLE}", Markup().join(parts))


def _path(name: str, points: Sequence[tuple[float, float]]) -> Markup:
    if not points:
        return Markup("")
    return Markup('<path class="line {}" d="M{}"/>').format(name, "L".join(f"{x:.1f} {y:.1f}" for x, y in points))
