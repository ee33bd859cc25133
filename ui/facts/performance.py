"""The performance of a model over time, with what happened to it on the same time axis."""

import csv
import io
import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from evergreen.csv_text import defused
from evergreen.durations import in_words
from evergreen.evaluation.bootstrap import Interval
from evergreen.iso_time import seconds
from evergreen.lake.lake import Bare
from evergreen.lifecycle import decision_log
from evergreen.monitoring import series
from evergreen.reports import model_page, timeline
from evergreen.reports.monitoring_plots import MARKS
from evergreen.reports.timeline import Event
from evergreen.stores import Stores
from ui.facts.model import defined

if TYPE_CHECKING:
    from evergreen.definition.model import Model
    from evergreen.monitoring.series import Point
    from evergreen.registry.version import Version

MOST = 1_500  # observations: four years of daily ones
_SIGNIFICANT = "%.6g"
_DECISIONS = 2_000
_MARKED = 60_000  # characters of all marks together


@dataclass(frozen=True)
class Moment:
    """The end of a window, and what is known of it.

    Attributes
    ----------
    at : str
        ISO 8601.
    realised : Interval
        NaN where labels are not mature.
    estimated, baseline : float
        NaN where there is none.
    events : list of Event
        Since the moment before.
    """

    at: str
    realised: Interval
    estimated: float
    baseline: float
    events: list[Event] = field(default_factory=list)


@dataclass(frozen=True)
class Performance:
    """The performance of a model over time.

    Attributes
    ----------
    metric : str
        In words.
    greater_is_better : bool
    moments : list of Moment
        By time.
    events : list of Event
        By time, within that of the moments.
    backtest : (str, str) or None
        The period that a backtest observed instead of a monitor.
    missing : list of str
        What cannot be drawn yet, why, and from when it will be; a sentence each.
    """

    metric: str
    greater_is_better: bool
    moments: list[Moment] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    backtest: tuple[str, str] | None = None
    missing: list[str] = field(default_factory=list)

    @property
    def kinds(self) -> list[str]:
        """The kinds of marks that there are, in the order of their rows."""
        there = {event.kind for event in self.events}
        return [kind for kind in MARKS if kind in there]

    def data(self) -> dict[str, Any]:
        """The values for a script that draws them; times in seconds since 1970."""
        told = max(min(_MARKED // max(len(self.events), 1), 120), 24)  # characters of what each mark is about
        return {
            "metric": self.metric,
            "times": [int(seconds(moment.at)) for moment in self.moments],
            "realised": [_plain(moment.realised.value) for moment in self.moments],
            "low": [_plain(moment.realised.low) for moment in self.moments],
            "high": [_plain(moment.realised.high) for moment in self.moments],
            "estimated": [_plain(moment.estimated) for moment in self.moments],
            "baseline": [_plain(moment.baseline) for moment in self.moments],
            "backtest": [int(seconds(at)) for at in self.backtest] if self.backtest else None,
            "marks": [
                {
                    "kind": kind,
                    "spans": [
                        [int(seconds(event.at)), int(seconds(event.until)), event.what[:told]]
                        for event in self.events
                        if event.kind == kind
                    ],
                }
                for kind in self.kinds
            ],
        }

    def csv(self) -> str:
        """All moments as a table for a spreadsheet."""
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(["until", "realised", "low", "high", "estimated", "baseline", "events"])
        for moment in self.moments:
            numbers = (*vars(moment.realised).values(), moment.estimated, moment.baseline)
            events = "; ".join(f"{event.kind}: {event.what}" for event in moment.events)
            writer.writerow([moment.at, *("" if math.isnan(number) else number for number in numbers), defused(events)])
        return text.getvalue()


def of(stores: Stores, name: str) -> Performance:
    """The performance of a model by its newest observations."""
    model, lake = defined(name), stores.lake
    points, versions = series.points(lake, Bare(name), MOST), stores.registry.versions(name)
    metric = model.metric.name.replace("_", " ") if model else "the metric"
    better = model.metric.greater_is_better if model else False
    if not points:
        return Performance(metric, better, missing=[_unobserved(name, versions)])
    seen = model_page.watched(metric, points, [])
    events = [
        *timeline.of_versions(versions),
        *timeline.of_backtest(points),
        *timeline.of_estimates(points),
        *timeline.of_decisions(decision_log.read(lake, Bare(name), most=_DECISIONS, triggered=False)),
        *timeline.of_quarantine(stores.quarantine.entries(name)),
    ]
    events = timeline.within(events, points[0].since, points[-1].until)
    backtest = (points[0].until, seen.backtested) if seen.backtested else None
    moments = _moments(seen.realised, dict(seen.estimated), dict(seen.judged), events)
    events = [_from(moments[0].at, event) for event in events] if moments else []
    missing = [] if seen.realised else [_unlabelled(model, points)]
    return Performance(metric, better, moments, events, backtest, missing)


def _moments(
    realised: Sequence[tuple[str, float, float, float]],
    estimated: dict[str, float],
    baseline: dict[str, float],
    events: Sequence[Event],
) -> list[Moment]:
    reached = {at: Interval(value, low, high) for at, value, low, high in realised}
    times = sorted({*reached, *estimated, *baseline}, key=seconds)
    moments = [
        Moment(
            at,
            reached.get(at, Interval.unknown()),
            estimated.get(at, math.nan),
            baseline.get(at, math.nan),
        )
        for at in times
    ]
    ends, since = [seconds(at) for at in times], defaultdict[int, list[Event]](list)
    for event in events:
        since[min(bisect_left(ends, seconds(event.at)), len(ends) - 1)].append(event)
    for place, found in since.items():
        if place >= 0:
            moments[place].events.extend(found)
    return moments


def _from(first: str, event: Event) -> Event:
    """A mark of the first window stands at its end, where the axis begins."""
    at, until = (max(time, first, key=seconds) for time in (event.at, event.until))
    return replace(event, at=at, until=until)


def _unobserved(name: str, versions: "Sequence[Version]") -> str:
    if not any("champion" in version.aliases for version in versions):
        return "No version is champion, so nothing is monitored. The first check after a promotion is the first point."
    return (
        "The champion has not been monitored yet. Each run of the monitor adds a point, as its schedule says; "
        f"`evergreen monitor {name}` runs it now."
    )


def _unlabelled(model: "Model | None", points: "Sequence[Point]") -> str:
    """Why there is no realised performance, and from when there will be."""
    last = points[-1]
    why = f"There is no realised performance yet: {last.reason or 'no label is mature'}."
    if model is None or model.label_time:
        return f"{why} It begins once the labels of a whole window are mature; until then there is the estimate."
    first = datetime.fromisoformat(points[0].since) + model.performance_window + model.label_delay
    delay = f"{in_words(model.label_delay)} after their rows" if model.label_delay else "with their rows"
    return (
        f"{why} Labels come {delay}, and a window is {in_words(model.performance_window)}: it begins about "
        f"{first:%Y-%m-%d}, if they come. Until then there is the estimate."
    )


def _plain(value: float) -> float | None:
    return float(_SIGNIFICANT % value) if math.isfinite(value) else None
