"""The page of a replay: which policy to choose, with plots and figures, and the same as JSON."""

import json
from dataclasses import dataclass
from typing import Any

from evergreen.files import replace
from evergreen.replay.result import Replayed, Result
from evergreen.reports import replay_plots
from evergreen.reports.html import figure, plain, render
from evergreen.settings import Settings


@dataclass(frozen=True)
class ReplayPage:
    """The result of a replay, and the paths of its page and of its figures."""

    replayed: Replayed
    page: str
    figures: str

    def table(self) -> list[dict[str, str]]:
        """The figures as rows of a table, in Prefect's UI and on a terminal."""
        return [
            {
                "policy": policy.name,
                policy.metric.replace("_", " "): f"{figure(policy.mean)} [{figure(policy.low)}, {figure(policy.high)}]",
                "regret to the oracle": _span(policy.regret),
                **{f"share of {name}": _share_of(policy, name) for name in self.replayed.knowing},
                "worst week": figure(policy.worst_week),
                "trainings": str(policy.trainings),
                "promoted": str(policy.promotions),
                "wrongly": str(policy.wrong_promotions),
                "CPU s": f"{policy.cpu_seconds:.0f}",
            }
            for policy in self.replayed.policies
        ]

    def problems(self) -> list[str]:
        """Why policies ended early."""
        return [policy.problem for policy in self.replayed.policies if policy.problem]


def write(replayed: Replayed) -> ReplayPage:
    """Write a replay's page and JSON into the home's reports, atomically."""
    folder = Settings.read().home / "reports"
    page, figures_path = folder / f"{replayed.model}.replay.html", folder / f"{replayed.model}.replay.json"
    with_series = [policy for policy in replayed.policies if policy.series]
    unit = replayed.metric.replace("_", " ")
    points = {policy.name: (policy.cpu_seconds, policy.mean, policy.low, policy.high) for policy in with_series}
    text = render(
        "replay_page",
        found=replayed,
        unit=unit,
        figure=figure,
        span=_span,
        share=_share,
        knowing=replayed.knowing,
        priced=any(policy.money is not None for policy in replayed.policies),
        mute=any(policy.unanswered for policy in replayed.policies),
        changed=any(policy.recovery_days is not None for policy in replayed.policies),
        floored=any(policy.days_below_floor is not None for policy in replayed.policies),
        time=replay_plots.replayed(
            {policy.name: policy.series for policy in with_series},
            {policy.name: policy.moves for policy in with_series},
            unit,
        ),
        cost=replay_plots.costs(points, unit, replayed.recommended),
    )
    replace(page, text)
    replace(figures_path, json.dumps(plain(replayed), indent=1))
    return ReplayPage(replayed, str(page), str(figures_path))


def _share(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"


def _share_of(policy: Result, name: str) -> str:
    return _share(policy.against[name].share) if name in policy.against else "–"


def _span(interval: Any) -> str:
    if interval is None:
        return "–"
    value, low, high = (figure(number, "%+.3g") for number in (interval.value, interval.low, interval.high))
    return f"{value} [{low}, {high}]"
