"""The overview of a model: one page of what was seen of it, decided and done, and why; for the morning after."""

import math
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from evergreen.errors import TraceError
from evergreen.files import replace
from evergreen.governance import lineage
from evergreen.lifecycle import decision_log
from evergreen.lifecycle.decision_log import Entry
from evergreen.monitoring import observation
from evergreen.monitoring.observation import Observation
from evergreen.registry.version import Version
from evergreen.reports import monitoring_plots
from evergreen.reports.html import chain, day, figure, render
from evergreen.reports.monitoring_plots import MARKS, Watched
from evergreen.settings import Settings
from evergreen.stores import Stores

if TYPE_CHECKING:
    from evergreen.definition.model import Model

_DAYS = 400


@dataclass(frozen=True)
class Spell:
    """The same decision, over and over.

    Attributes
    ----------
    newest : Entry
    since : str
        When it was made first.
    times : int
    """

    newest: Entry
    since: str
    times: int


@dataclass(frozen=True)
class Written:
    """Where the overview lies, its first sentence, and where the picture of performance lies, if there is one."""

    model: str
    path: str
    sentence: str
    picture: str = ""


def write(stores: Stores, model: "Model", folder: Path | None = None) -> Written:
    """Write the overview of a model into a folder; by default the home's reports.

    A page that is there is replaced whole.
    """
    seen = observation.read(stores.lake, model, most=_DAYS)
    decided = decision_log.read(stores.lake, model)
    versions = stores.registry.versions(model.name)
    champion = next((one for one in versions if "champion" in one.aliases), None)
    sentence = _sentence(champion, seen, decided)
    drawn = _drawn(model, seen, versions) if seen else None
    path = (folder or Settings.read().home / "reports") / f"{model.name}.html"
    picture, small = monitoring_plots.performance_over_time(drawn) if drawn else ("", b"")
    if small:
        replace(path.with_suffix(".png"), small)
    page = render(
        "model_page",
        model=model,
        champion=champion,
        sentence=sentence,
        last=seen[-1] if seen else None,
        reach=seen[-1].realised.whole.interval() if seen and seen[-1].realised else None,
        performance=picture,
        drift=monitoring_plots.drift_map(drawn) if drawn and drawn.columns else "",
        day=day,
        figure=partial(figure, infinite="none yet"),  # a threshold that is infinite
        spells=spells(decided)[:60],
        versions=[version for version in versions if not version.refit_of][:40],
        chain=_chain(stores, champion) if champion else "",
    )
    replace(path, page)
    return Written(model.name, str(path), sentence, str(path.with_suffix(".png")) if small else "")


def _chain(stores: Stores, champion: Version) -> str:
    """What the champion was made of; nothing of one that something else registered."""
    try:
        return chain(lineage.origin(stores, champion.model, champion.number).steps)
    except TraceError:
        return ""


def _sentence(champion: Version | None, seen: list[Observation], decided: list[Entry]) -> str:
    """The state, first."""
    if champion is None:
        return "There is no champion yet, so nothing is served or monitored."
    watched = next((one for one in decided if not one.wish or one.action == "roll back"), None)
    if not seen or watched is None:
        return f"Version {champion.number} is champion. It has not been monitored yet."
    words = {"nothing": "All is well", "train": "A training was requested", "alert": "A person should look"}
    return f"{words.get(watched.action, 'It was rolled back')}: {watched.reason}."


def spells(decided: list[Entry]) -> list[Spell]:
    """Decisions, newest first; not to do anything, asked for by the same, is told once for all times in a row."""
    grouped = groupby(enumerate(decided), key=lambda item: _alike(*item))
    rows = [[one for _, one in group] for _, group in grouped]
    return [Spell(some[0], some[-1].as_of, len(some)) for some in rows]


def _alike(place: int, one: Entry) -> tuple[str, int]:
    return one.asked, -1 if one.action == "nothing" else place


def _drawn(model: "Model", seen: list[Observation], versions: list[Version]) -> Watched:
    ripe = {one.ripened: one.realised for one in seen if one.realised and one.realised.ripe}
    reached = [(end, one.whole.interval()) for end, one in sorted(ripe.items())]
    columns, times = _ordered(seen), [{found.column: found.times for found in one.drift} for one in seen]
    return Watched(
        metric=model.metric.name.replace("_", " "),
        realised=[(end, one.value, one.low, one.high) for end, one in reached if math.isfinite(one.value)],
        estimated=[(one.until, one.estimated) for one in seen if math.isfinite(one.estimated)],
        judged=[(one.until, one.judged) for one in seen if math.isfinite(one.judged)],
        marks=_marks(versions, seen[0].since),
        days=[one.until for one in seen],
        columns=columns,
        drift=np.array([[far.get(column, math.nan) for far in times] for column in columns]).reshape(-1, len(seen)),
    )


def _ordered(seen: list[Observation]) -> list[str]:
    """Prediction and label, which are no features, then what the champion rests on most."""
    importance = {one.column: math.inf if one.importance is None else one.importance for one in seen[-1].drift}
    names = dict.fromkeys(one.column for seen_then in reversed(seen) for one in seen_then.drift)
    return sorted(names, key=lambda name: -importance.get(name, 0.0))


def _marks(versions: list[Version], since: str) -> dict[str, list[str]]:
    marks: dict[str, list[pd.Timestamp]] = {kind: [] for kind in MARKS}
    for version in versions:
        if version.promoted_at:
            own = version.promoted_by in (version.number, version.refit_of)
            marks["promoted" if own else "an earlier version came back"].append(version.promoted_at)
        if version.rolled_back_at:
            marks["rolled back"].append(version.rolled_back_at)
        kind = {"reject": "rejected"}.get(version.decision, version.decision)
        if kind in ("rejected", "not enough evidence"):
            marks[kind].append(version.required(Version.as_of))
    began = pd.Timestamp(since)
    return {kind: [time.isoformat() for time in sorted(set(times)) if time >= began] for kind, times in marks.items()}
