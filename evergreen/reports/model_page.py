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
from evergreen.lake.lake import Lake
from evergreen.lifecycle import decision_log
from evergreen.lifecycle.decision_log import Entry
from evergreen.monitoring import observation
from evergreen.monitoring.observation import Observation
from evergreen.registry.registry import Registry
from evergreen.registry.version import Version
from evergreen.reports import monitoring_plots
from evergreen.reports.html import chain, day, figure, render
from evergreen.reports.monitoring_plots import MARKS, Watched
from evergreen.settings import Settings

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


def write(lake: Lake, registry: Registry, model: "Model", folder: Path | None = None) -> Written:
    """Write the overview of a model into a folder; by default the home's reports.

    A page that is there is replaced whole.
    """
    seen = observation.read(lake, model, most=_DAYS)
    decided = decision_log.read(lake, model)
    versions = registry.versions(model.name)
    champion = next((one for one in versions if "champion" in one.aliases), None)
    sentence = _sentence(champion, seen, decided)
    drawn = _drawn(model, seen, versions) if seen else None
    path = (folder or Settings.read().home / "reports") / f"{model.name}.html"
    picture, small = monitoring_plots.performance_over_time(drawn) if drawn else ("", b"")
    if small:
        replace(path.with_suffix(".png"), small)
    page = render(
        _PAGE,
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
        chain=_chain(champion) if champion else "",
    )
    replace(path, page)
    return Written(model.name, str(path), sentence, str(path.with_suffix(".png")) if small else "")


def _chain(champion: Version) -> str:
    """What the champion was made of; nothing of one that something else registered."""
    try:
        return chain(lineage.origin(champion.model, champion.number).steps)
    except TraceError:
        return ""


def _sentence(champion: Version | None, seen: list[Observation], decided: list[Entry]) -> str:
    """The state, first."""
    if champion is None:
        return "There is no champion yet: nothing answers, and nothing is watched."
    watched = next((one for one in decided if not one.wish or one.action == "roll back"), None)
    if not seen or watched is None:
        return f"Version {champion.number} answers. Nothing was observed of it yet."
    words = {"nothing": "All is quiet", "train": "A training was asked for", "alert": "A person should look"}
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


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Evergreen: {{ model.name }}</title><style>{{ style }}
figure { margin: 1rem 0; background: #fff; border-radius: 6px; overflow-x: auto; }
figure svg { width: 100%; min-width: 38rem; height: auto; display: block; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; } td.why { min-width: 16rem; }
td:first-child { white-space: nowrap; } .state { font-size: 1.15rem; }
</style></head><body>
<h1>{{ model.name }}</h1>
<p class="state"><b>{{ sentence }}</b></p>
<p>{{ model.purpose or "No purpose is stated." }}{% if champion %} Version {{ champion.number }} answers, since
{{ day(champion.champion_since) }}.{% endif %}{% if last %}
 Looked at {{ last.as_of[:16] | replace("T", " ") }}: {{ "{:,}".format(last.rows) }} rows from
{{ last.since[:10] }} to {{ last.until[:10] }}.{% endif %}</p>
{% if last %}
<h2>Performance</h2>
<figure role="img" aria-label="{{ model.metric.name }} over time">{{ performance | safe }}</figure>
<p>{% if reach and last.realised.ripe %}<b>Realised</b> until {{ last.ripened[:10] }}:
{{ figure(reach.value) }} [{{ figure(reach.low) }}, {{ figure(reach.high) }}],
{{ figure(last.judged) }} at the judging. {% endif %}{{ last.state | capitalize }}: {{ last.reason }}.
<b>Estimated</b> for the newest window, before its labels come: {{ figure(last.estimated) }}
({{ last.past_error }}).{% if last.probation %} <b>On probation</b> beside version {{ last.probation.against }}:
{{ last.probation.reason }}.{% endif %}{% if last.slices %} Worse in: {{ last.slices | join(", ") }}.{% endif %}</p>
<h2>Drift</h2>
{% if drift %}<figure role="img" aria-label="drift of every column by day">{{ drift | safe }}</figure>
<p><small>Each column against the champion's reference, by day: from 1 on, marked by a dot, it has drifted. The columns
that the champion rests on most stand first. Grey: the reference is too short for a threshold.</small></p>{% endif %}
<div class="wide"><table><tr><th>column</th><th class="n">distance</th><th class="n">threshold</th><th></th>
<th class="n">importance</th><th class="n">PSI</th><th class="n">Wasserstein</th></tr>
{% for one in last.drift %}<tr><td>{{ one.column }}</td>
<td class="n">{{ figure(one.measures.jensen_shannon, "%.4f") }}</td>
<td class="n">{{ figure(one.threshold, "%.4f") }}</td>
<td class="{{ 'bad' if one.counts else '' }}">
{{ "drifted" if one.counts else "drifted, counts not" if one.drifted else "" }}</td>
<td class="n">{{ "" if one.importance is none else "%.1f %%" | format(100 * one.importance) }}</td>
<td class="n">{{ figure(one.measures.psi, "%.4f") }}</td>
<td class="n">{{ figure(one.measures.wasserstein, "%.3f") }}</td>
</tr>{% endfor %}</table></div>
<h2>Data quality</h2>
{% if last.quality %}<ul>{% for one in last.quality %}<li class="bad">{{ one }}</li>{% endfor %}</ul>
{% else %}<p>Nothing is wrong with the newest window.</p>{% endif %}
{% endif %}
<h2>Decisions</h2>
{% if spells %}<div class="wide"><table><tr><th>as of</th><th>asked by</th><th>decision</th><th>why</th></tr>
{% for one in spells %}<tr><td>{{ one.newest.as_of[:16] | replace("T", " ") }}</td><td>{{ one.newest.asked }}</td>
<td class="{{ {'alert': 'bad', 'roll back': 'bad', 'train': 'good'}[one.newest.action] }}">
{{ one.newest.action }}</td><td class="why">{{ one.newest.reason }}
{% if one.times > 1 %}<small>({{ one.times }} times in a row since {{ one.since[:10] }})</small>{% endif %}</td></tr>
{% endfor %}</table></div>{% else %}<p>Nothing was decided yet.</p>{% endif %}
{% if chain %}<h2>Where the champion comes from</h2>
{{ chain | safe }}
<p><small><code>evergreen lineage {{ model.name }}</code> names every batch and file;
<code>evergreen reproduce {{ model.name }}</code> trains it again and compares.</small></p>{% endif %}
<h2>Versions</h2>
{% if versions %}<div class="wide"><table><tr><th>version</th><th>as of</th><th>verdict</th><th>why it was trained</th>
<th>why it ended so</th></tr>
{% for one in versions %}<tr><td>{{ one.number }}{{ " (" ~ one.aliases | join(", ") ~ ")" if one.aliases else "" }}</td>
<td>{{ day(one.as_of) }}</td><td class="{{ 'good' if one.decision == 'promote' else '' }}">
{{ one.decision or "not judged" }}{{ ", rolled back" if one.rolled_back else "" }}</td>
<td>{{ one.reason }}</td><td class="why">{{ one.rolled_back_reason or one.verdict_reason }}</td></tr>
{% endfor %}</table></div>{% else %}<p>No version was trained yet.</p>{% endif %}
<p><small><code>evergreen report {{ model.name }}</code> writes this page, as does every check of the monitor;
<code>evergreen why {{ model.name }}</code> shows all decisions.</small></p>
</body></html>
"""
