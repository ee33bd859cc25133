"""The report of the demo's year: one self-contained page, and its figures as JSON."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from evergreen.definition import loader
from evergreen.evaluation import performance
from evergreen.evaluation.performance import Realised
from evergreen.files import replace
from evergreen.lifecycle.outcome import REINSTATED
from evergreen.reports import monitoring_plots
from evergreen.reports.html import render
from evergreen.reports.timeline import ALARM, ESTIMATED

if TYPE_CHECKING:
    from evergreen.evaluation.bootstrap import Interval
    from evergreen.lifecycle.outcome import Outcome

_OF_MONITORS = (ALARM, ESTIMATED)  # kinds of marks that no week of the demo has
_KIND = {"promote": "promoted", REINSTATED: "an earlier version came back", "reject": "rejected"}


class Week(Protocol):
    """The fields of a week that the report uses."""

    since: str
    until: str
    champion: str | None
    frozen: Realised | None
    fresh: Realised | None
    outcome: "Outcome"
    quarantined: list[str]


@dataclass(frozen=True)
class Summary:
    """The main figures.

    Attributes
    ----------
    metric : str
    frozen, fresh : float
        Over the whole time.
    gain : Interval
        Of fresh over frozen, paired by day.
    months : list of (month, frozen, fresh)
    counts : dict of kind of outcome to int
    """

    metric: str
    frozen: float
    fresh: float
    gain: "Interval"
    months: list[tuple[str, float, float]]
    counts: dict[str, int]


@dataclass(frozen=True)
class DemoReport:
    """The paths of the report, and its summary."""

    page: Path
    figures: Path
    summary: Summary

    @property
    def sentence(self) -> str:
        """The result in a sentence."""
        summary = self.summary
        share = 1 - summary.fresh / summary.frozen
        return (
            f"The model that kept learning was {summary.gain.value:.2f} minutes a flight nearer to the truth than the "
            f"frozen one (95 % interval {summary.gain.low:.2f} to {summary.gain.high:.2f}; {share:.0%} less error): "
            f"{summary.counts.get('promoted', 0)} promotions, {summary.counts.get('rejected', 0)} rejections, "
            f"{summary.counts.get('an earlier version came back', 0)} times an earlier version came back, "
            f"{summary.counts.get('not enough evidence', 0)} times there was not enough evidence, "
            f"{summary.counts.get('batch in quarantine', 0)} batch in quarantine."
        )

    @property
    def last_line(self) -> str:
        """Both paths and both means."""
        summary = self.summary
        return f"{self.page} {self.figures} {summary.metric}: frozen {summary.frozen:.2f}, fresh {summary.fresh:.2f}"


def write(folder: Path, model: str, weeks: list[Any]) -> DemoReport:
    """Write ``report.html`` and ``demo.json`` into a folder.

    Parameters
    ----------
    folder : Path
    model : str
    weeks : list of Week
        At least one of them scored.
    """
    summary = summarise(model, weeks)
    written = DemoReport(folder / "report.html", folder / "demo.json", summary)
    picture = monitoring_plots.year(_line(weeks, "frozen"), _line(weeks, "fresh"), _marks(weeks), _axis(summary.metric))
    trainings = [week for week in weeks if week.outcome.challenger]
    page = render(
        "demo_page", model=model, picture=picture, summary=summary, written=written, weeks=trainings, all=weeks
    )
    replace(written.page, page)
    replace(written.figures, json.dumps(_figures(weeks, summary), indent=1))
    return written


def summarise(model: str, weeks: list[Any]) -> Summary:
    """Summarise the weeks."""
    definition = loader.load(model)
    scored = [week for week in weeks if week.frozen and week.fresh]
    frozen, fresh = [week.frozen for week in scored], [week.fresh for week in scored]
    of_frozen, of_fresh = performance.by_month(definition, frozen), performance.by_month(definition, fresh)
    return Summary(
        metric=definition.metric.name.replace("_", " "),
        frozen=performance.total(definition, frozen),
        fresh=performance.total(definition, fresh),
        gain=performance.gain(definition, fresh, frozen),
        months=[(month, of_frozen[month], of_fresh[month]) for month in of_frozen],
        counts={kind: len(times) for kind, times in _marks(weeks).items()},
    )


def _line(weeks: list[Week], which: str) -> list[tuple[str, float]]:
    scored = [(week.since, getattr(week, which)) for week in weeks if getattr(week, which)]
    return [(since, score.value) for since, score in scored if score.rows]


def _marks(weeks: list[Week]) -> dict[str, list[str]]:
    marks: dict[str, list[str]] = {kind: [] for kind in monitoring_plots.MARKS if kind not in _OF_MONITORS}
    for week in weeks:
        kind = _KIND.get(week.outcome.decision, week.outcome.decision)
        if kind in marks:
            marks[kind].append(week.until)
        marks["batch in quarantine"] += [week.until] * len(week.quarantined)
    return marks


def _axis(metric: str) -> str:
    return f"{metric}, minutes"


def _figures(weeks: list[Week], summary: Summary) -> dict[str, Any]:
    return {
        "metric": summary.metric,
        "frozen": summary.frozen,
        "fresh": summary.fresh,
        "gain": {"value": summary.gain.value, "low": summary.gain.low, "high": summary.gain.high},
        "months": [{"month": month, "frozen": frozen, "fresh": fresh} for month, frozen, fresh in summary.months],
        "counts": summary.counts,
        "weeks": [_week(week) for week in weeks],
    }


def _week(week: Week) -> dict[str, Any]:
    return {
        "since": week.since,
        "until": week.until,
        "rows": week.fresh.rows if week.fresh else 0,
        "frozen": week.frozen.value if week.frozen and week.frozen.rows else None,
        "fresh": week.fresh.value if week.fresh and week.fresh.rows else None,
        "champion": week.champion,
        "challenger": week.outcome.challenger,
        "verdict": week.outcome.decision,
        "reason": week.outcome.reason,
        "put_forward": week.outcome.champion,
        "quarantined": week.quarantined,
    }
