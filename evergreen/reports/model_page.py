"""The overview of a model: one page of its observations, decisions and versions, with the reasons."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from evergreen.drift.columns import Drift
from evergreen.errors import TraceError
from evergreen.files import replace
from evergreen.governance import lineage
from evergreen.lifecycle import decision_log
from evergreen.lifecycle.decision_log import Entry
from evergreen.monitoring import observation
from evergreen.monitoring.observation import Observation
from evergreen.monitoring.series import Point
from evergreen.registry.version import Version
from evergreen.reports import monitoring_plots, timeline
from evergreen.reports.html import chain, day, figure, render
from evergreen.reports.monitoring_plots import MARKS, Watched
from evergreen.reports.timeline import Event
from evergreen.settings import Settings
from evergreen.stores import Stores
from evergreen.training.window import told

if TYPE_CHECKING:
    from evergreen.definition.model import Model

_DAYS = 400


@dataclass(frozen=True)
class RepeatedDecision:
    """The same decision, several times in a row.

    Attributes
    ----------
    newest : Entry
    since : str
        When it was first made.
    times : int
    """

    newest: Entry
    since: str
    times: int


@dataclass(frozen=True)
class ModelPage:
    """The path of the overview, its first sentence, and the path of the plot of performance, if there is one."""

    model: str
    path: str
    sentence: str
    picture: str = ""


def write(stores: Stores, model: "Model", folder: Path | None = None) -> ModelPage:
    """Write the overview of a model into a folder; by default the home's reports.

    An existing page is replaced.
    """
    observations = _each_window_once(observation.read(stores.lake, model, most=_DAYS))
    entries = decision_log.read(stores.lake, model)
    versions = stores.registry.versions(model.name)
    champion = next((version for version in versions if "champion" in version.aliases), None)
    sentence = _sentence(champion, observations, entries)
    events = [*timeline.of_versions(versions), *timeline.of_backtest(observations)]
    plotted = watched(model.metric.name, observations, events) if observations else None
    path = (folder or Settings.read().home / "reports") / f"{model.name}.html"
    picture, small = monitoring_plots.performance_over_time(plotted) if plotted else ("", b"")
    if small:
        replace(path.with_suffix(".png"), small)
    page = render(
        "model_page",
        model=model,
        champion=champion,
        sentence=sentence,
        last=observations[-1] if observations else None,
        backtest=[observation for observation in observations if observation.backtested],
        reach=observations[-1].realised.whole.interval() if observations and observations[-1].realised else None,
        performance=picture,
        drift=monitoring_plots.drift_map(plotted) if plotted and plotted.columns else "",
        day=day,
        figure=partial(figure, infinite="none yet"),  # a threshold is infinite until it is learned
        spells=grouped_decisions(entries)[:60],
        versions=[version for version in versions if not version.refit_of][:40],
        window=told,
        chain=_chain(stores, champion) if champion else "",
    )
    replace(path, page)
    return ModelPage(model.name, str(path), sentence, str(path.with_suffix(".png")) if small else "")


def _each_window_once(seen: list[Observation]) -> list[Observation]:
    """The observations by the end of their window, the latest of each: of a source that has ended there are many."""
    latest = {observation.until: observation for observation in seen}
    return [latest[until] for until in sorted(latest)]


def _chain(stores: Stores, champion: Version) -> str:
    """The lineage of the champion; empty for a version that Evergreen did not train."""
    try:
        return chain(lineage.origin(stores, champion.model, champion.number).steps)
    except TraceError:
        return ""


def _sentence(champion: Version | None, seen: list[Observation], decided: list[Entry]) -> str:
    """The state of the model in one sentence."""
    if champion is None:
        return "There is no champion yet, so nothing is served or monitored."
    watched = next((entry for entry in decided if not entry.wish or entry.action == "roll back"), None)
    if not seen or watched is None:
        return f"Version {champion.number} is champion. It has not been monitored yet."
    words = {"nothing": "All is well", "train": "A training was requested", "alert": "A person should look"}
    if watched.action == "nothing" and watched.found:
        return f"{watched.found} was found, and nothing is done: {watched.reason}."
    return f"{words.get(watched.action, 'It was rolled back')}: {watched.reason}."


def grouped_decisions(entries: list[Entry]) -> list[RepeatedDecision]:
    """Decisions, newest first; repeated decisions to do nothing on the same trigger are grouped."""
    grouped = groupby(enumerate(entries), key=lambda item: _alike(*item))
    rows = [[entry for _, entry in group] for _, group in grouped]
    return [RepeatedDecision(group[0], group[-1].as_of, len(group)) for group in rows]


def _alike(place: int, entry: Entry) -> tuple[str, int]:
    return entry.asked, -1 if entry.action == "nothing" else place


def watched(metric: str, seen: Sequence[Observation | Point], events: Sequence[Event]) -> Watched:
    """The data of the plots of a monitored model.

    Parameters
    ----------
    metric : str
        Its name.
    seen : sequence of Observation or Point
        By time, each window once; of points there is no drift.
    events : sequence of Event
        Those before the first window are left out.
    """
    mature = {observation.ripened: interval for observation in seen if (interval := observation.reached)}
    reached = sorted(mature.items())
    drifts = [observation.drift if isinstance(observation, Observation) else [] for observation in seen]
    columns, times = _ordered(drifts), [{found.column: found.times for found in drift} for drift in drifts]
    return Watched(
        metric=metric.replace("_", " "),
        realised=[
            (end, interval.value, interval.low, interval.high)
            for end, interval in reached
            if math.isfinite(interval.value)
        ],
        estimated=[
            (observation.until, observation.estimated) for observation in seen if math.isfinite(observation.estimated)
        ],
        judged=[(observation.until, observation.judged) for observation in seen if math.isfinite(observation.judged)],
        marks=_marks(events, seen),
        backtested=max((observation.until for observation in seen if observation.backtested), default=""),
        days=[observation.until for observation in seen],
        columns=columns,
        drift=np.array([[distances.get(column, math.nan) for distances in times] for column in columns]).reshape(
            -1, len(seen)
        ),
    )


def _ordered(drifts: Sequence[Sequence[Drift]]) -> list[str]:
    """Prediction and label first, then the features by their importance to the champion."""
    importance = {drift.column: drift.rank for drift in drifts[-1]}
    names = dict.fromkeys(drift.column for drift_then in reversed(drifts) for drift in drift_then)
    return sorted(names, key=lambda name: -importance.get(name, 0.0))


def _marks(events: Sequence[Event], seen: Sequence[Observation | Point]) -> dict[str, list[str]]:
    marks: dict[str, list[str]] = {kind: [] for kind in MARKS}
    for event in timeline.within(events, seen[0].since, seen[-1].until):
        marks[event.kind].append(event.at)
    return marks
