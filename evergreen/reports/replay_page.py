"""The page of a replay: which policy to take, the pictures and figures behind that, and the same as JSON."""

import json
from dataclasses import dataclass
from typing import Any

from evergreen.files import replace
from evergreen.replay.comparison import Replayed, Result
from evergreen.reports import replay_plots
from evergreen.reports.html import figure, plain, render
from evergreen.settings import Settings


@dataclass(frozen=True)
class Written:
    """Where the page and its figures lie, and what they say in short."""

    model: str
    recommended: str
    sentence: str
    lines: str
    page: str
    figures: str
    policies: list[Result]

    def table(self) -> list[dict[str, str]]:
        """The figures as rows for a person: in Prefect's UI, and on a terminal."""
        return [
            {
                "policy": one.name,
                one.metric.replace("_", " "): f"{figure(one.mean)} [{figure(one.low)}, {figure(one.high)}]",
                "regret to the oracle": _span(one.regret),
                "worst week": figure(one.worst_week),
                "trainings": str(one.trainings),
                "promoted": str(one.promotions),
                "wrongly": str(one.wrong_promotions),
                "CPU s": f"{one.cpu_seconds:.0f}",
            }
            for one in self.policies
        ]

    def problems(self) -> list[str]:
        """The policies that did not go through the whole time, and why."""
        return [one.problem for one in self.policies if one.problem]


def write(found: Replayed) -> Written:
    """Write a replay's page and JSON into the home's reports, whole or not at all."""
    folder = Settings.read().home / "reports"
    page, told = folder / f"{found.model}.replay.html", folder / f"{found.model}.replay.json"
    drawn = [one for one in found.policies if one.series]
    unit = found.metric.replace("_", " ")
    lines = found.result(found.recommended).lines if found.recommended else ""
    points = {one.name: (one.cpu_seconds, one.mean, one.low, one.high) for one in drawn}
    text = render(
        "replay_page",
        found=found,
        unit=unit,
        lines=lines,
        figure=figure,
        span=_span,
        priced=any(one.money is not None for one in found.policies),
        mute=any(one.unanswered for one in found.policies),
        changed=any(one.recovery_days is not None for one in found.policies),
        floored=any(one.days_below_floor is not None for one in found.policies),
        time=replay_plots.replayed(
            {one.name: one.series for one in drawn}, {one.name: one.moves for one in drawn}, unit
        ),
        cost=replay_plots.costs(points, unit, found.recommended),
    )
    replace(page, text)
    replace(told, json.dumps(plain(found), indent=1))
    return Written(found.model, found.recommended, found.reason, lines, str(page), str(told), found.policies)


def _span(one: Any) -> str:
    if one is None:
        return "–"
    value, low, high = (figure(number, "%+.3g") for number in (one.value, one.low, one.high))
    return f"{value} [{low}, {high}]"
