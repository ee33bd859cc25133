"""Performance over time with marks below it, as SVG."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter

from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from evergreen.iso_time import seconds
from evergreen.stores import Stores
from ui.drawing import marks
from ui.drawing.axis import Axis, days, upright
from ui.facts import performance
from ui.facts.performance import Moment, Performance

WIDE, HIGH, ROW = 900.0, 280.0, 20.0  # in its own units
_LEFT, _RIGHT, _TOP, _BELOW = 62.0, 12.0, 10.0, 22.0
_BREAK = 6  # times as far apart as usual
_TOLD = 80  # characters of what a mark is about
_DOTS = 150  # values, of which each is a dot
_LINE = Markup('<path class="line {}" d="{}"/>')
_DOT = Markup('<circle class="dot {}" cx="{:.1f}" cy="{:.1f}" r="2.5"/>')
_MARK = Markup('<path class="{}" d="{}" transform="translate({:.1f} {:.1f})"><title>{}</title></path>')
_SPAN = Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="4"><title>{}</title></rect>')
_BAND = Markup('<rect class="backtest" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>')
_REACH = Markup('<path class="reach" d="M{}z"/>')
_WHOLE = Markup('<svg class="chart" viewBox="0 0 {:.0f} {:.0f}" role="img" aria-label="{}">{}</svg>')


@dataclass(frozen=True)
class Drawn:
    """The performance of a model, ready for a page.

    Attributes
    ----------
    performance : Performance
    picture : Markup
        For where no script runs.
    data : Markup
        As JSON within a page, for the script that draws it.
    """

    performance: Performance
    picture: Markup
    data: Markup


def of(stores: Stores, name: str) -> Drawn:
    """Read the performance of a model, and draw it."""
    found = performance.of(stores, name)
    return Drawn(found, drawn(found), htmlsafe_json_dumps(found.data(), separators=(",", ":")))


def drawn(found: Performance) -> Markup:
    """The picture; empty for no moment."""
    moments = found.moments
    if not moments:
        return Markup("")
    times = [seconds(moment.at) for moment in moments]
    across = Axis(times[0] - 1, times[-1] + 1, _LEFT, WIDE - _RIGHT)
    values = [value for moment in moments for value in (*vars(moment.realised).values(), *_others(moment))]
    up = Axis.of(values, HIGH - _BELOW, _TOP)
    parts = [
        *_backtest(found, across),
        upright(up, _LEFT, WIDE - _RIGHT),
        days(across, _TOP, HIGH - _BELOW),
        *_reach(moments, across, up),
        *_line("baseline", times, [moment.baseline for moment in moments], across, up, steps=True),
        *_line("estimated", times, [moment.estimated for moment in moments], across, up),
        *_line("realised", times, [moment.realised.value for moment in moments], across, up),
        *_marked(found, across),
    ]
    high = HIGH + ROW * len(found.kinds) + 6
    title = f"{found.metric} over time; the values are in the table below"
    return _WHOLE.format(WIDE, high, title, Markup().join(parts))


def _others(moment: Moment) -> tuple[float, float]:
    return moment.estimated, moment.baseline


def _line(
    name: str, times: Sequence[float], values: Sequence[float], across: Axis, up: Axis, *, steps: bool = False
) -> Iterator[Markup]:
    """A line through what is known, which breaks where for long nothing is."""
    known = [(at, value) for at, value in zip(times, values, strict=True) if math.isfinite(value)]
    drawn = "H{0:.1f}V{1:.1f}" if steps else "L{0:.1f} {1:.1f}"
    for part in _parts([at for at, _ in known]):
        points = [(across.at(at), up.at(value)) for at, value in thinned(known[part])]
        rest = "".join(drawn.format(x, y) for x, y in points[1:])
        yield _LINE.format(name, f"M{points[0][0]:.1f} {points[0][1]:.1f}{rest}")
        if len(points) == 1 or (name == "realised" and len(known) <= _DOTS):
            yield from (_DOT.format(name, x, y) for x, y in points)


def thinned(values: Sequence[tuple[float, float]], most: int = 400) -> Sequence[tuple[float, float]]:
    """The least and the greatest of each group of values, where there are more than a picture can show.

    Examples
    --------
    >>> thinned([(1, 5.0), (2, 1.0), (3, 9.0), (4, 2.0)], most=2)
    [(2, 1.0), (3, 9.0)]
    """
    if len(values) <= most:
        return values
    size = -(-2 * len(values) // most)
    groups = [values[begin : begin + size] for begin in range(0, len(values), size)]
    ends = [{min(group, key=itemgetter(1)), max(group, key=itemgetter(1))} for group in groups]
    return [value for pair in ends for value in sorted(pair)]


def _parts(times: Sequence[float]) -> Iterator[slice]:
    """Where a line breaks: between times that are much farther apart than usual."""
    steps = [later - sooner for sooner, later in pairwise(times)]
    usual = sorted(steps)[len(steps) // 2] if steps else 0
    ends = [place + 1 for place, step in enumerate(steps) if step > _BREAK * usual]
    yield from (slice(begin, end) for begin, end in pairwise([0, *ends, len(times)]) if begin < end)


def _reach(moments: Sequence[Moment], across: Axis, up: Axis) -> Iterator[Markup]:
    known = [moment for moment in moments if math.isfinite(moment.realised.low)]
    for part in _parts([seconds(moment.at) for moment in known]):
        highs, lows = (
            thinned([(seconds(moment.at), getattr(moment.realised, end)) for moment in known[part]])
            for end in ("high", "low")
        )
        above = [f"{across.at(at):.1f} {up.at(high):.1f}" for at, high in highs]
        below = [f"{across.at(at):.1f} {up.at(low):.1f}" for at, low in reversed(lows)]
        yield _REACH.format("L".join(above + below))


def _backtest(found: Performance, across: Axis) -> Iterator[Markup]:
    if found.backtest:
        begin, end = (across.at(max(seconds(at), across.low)) for at in found.backtest)
        yield _BAND.format(begin, _TOP, max(end - begin, 1.0), HIGH - _BELOW - _TOP)


def _marked(found: Performance, across: Axis) -> Iterator[Markup]:
    """A row of marks for each kind; of those that would cover each other the first is drawn."""
    for row, kind in enumerate(found.kinds):
        middle, covered = HIGH + ROW * (row + 0.5), -math.inf
        for event in found.events:
            begin, end = (across.at(seconds(at)) for at in (event.at, event.until))
            if event.kind != kind or end < covered:
                continue
            covered = end + marks.SIZE / 4
            told = f"{event.at[:16].replace('T', ' ')} UTC, {kind}: {event.what[:_TOLD]}"
            if end - begin > marks.SIZE:
                yield _SPAN.format(marks.name(kind), begin, middle - 2, end - begin, told)
            else:
                place = (begin + end) / 2 - marks.SIZE / 2
                yield _MARK.format(marks.name(kind), marks.path(kind), place, middle - marks.SIZE / 2, told)
