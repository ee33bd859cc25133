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
        _PAGE,
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


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Evergreen: when to retrain {{ found.model }}</title><style>{{ style }}
figure { margin: 1rem 0; background: #fff; border-radius: 6px; overflow-x: auto; }
figure svg { width: 100%; min-width: 38rem; height: auto; display: block; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td:first-child { white-space: nowrap; } td.why { min-width: 14rem; }
.state { font-size: 1.15rem; } pre { overflow-x: auto; padding: .6rem .8rem;
border: 1px solid var(--line); border-radius: 6px; }
</style></head><body>
<h1>When to retrain {{ found.model }}</h1>
<p class="state"><b>{{ "Take " ~ found.recommended if found.recommended else "No policy to take" }}.</b>
{{ found.reason[0] | upper }}{{ found.reason[1:] }}</p>
{% if lines %}<pre>{{ lines }}</pre>{% endif %}
<p>Every policy went through {{ found.since[:10] }} to {{ found.until[:10] }} in steps of
{{ "%g" | format(found.step_days) }} days, with the stages of production, and at each step saw only what was known then.
All begin with the same champion. The oracle trains at every step and takes what it gets, whatever the gates would say:
it is what retraining alone can reach, not a bound on what is possible.</p>
<h2>Quality against cost</h2>
<figure role="img" aria-label="{{ unit }} against CPU seconds, by policy">{{ cost | safe }}</figure>
<h2>Over time</h2>
<figure role="img" aria-label="{{ unit }} over time, by policy">{{ time | safe }}</figure>
<h2>How good</h2>
<div class="wide"><table><tr><th>policy</th><th class="n">{{ unit }}</th><th class="n">gain over never</th>
<th class="n">regret to the oracle</th><th class="n">share of its gain</th><th class="n">worst week</th>
<th class="n">to the oracle's</th></tr>
{% for one in found.policies %}<tr><td class="{{ 'good' if one.name == found.recommended else '' }}">{{ one.name }}</td>
{% if one.problem %}<td colspan="6" class="bad">{{ one.problem }}</td>{% else %}
<td class="n">{{ figure(one.mean) }} [{{ figure(one.low) }}, {{ figure(one.high) }}]</td>
<td class="n">{{ span(one.over_never) }}</td><td class="n">{{ span(one.regret) }}</td>
<td class="n">{{ "–" if one.gain_share is none else "%.0f %%" | format(100 * one.gain_share) }}</td>
<td class="n">{{ figure(one.worst_week) }}</td>
<td class="n">{{ figure(one.worst_week_ratio, "%.2f") }}</td>{% endif %}</tr>
{% endfor %}</table></div>
<h2>What it did, and what that cost</h2>
<div class="wide"><table><tr><th>policy</th><th class="n">trainings</th><th class="n">promoted</th>
<th class="n">wrongly</th>
<th class="n">came back</th><th class="n">rolled back</th><th class="why">kept out by</th>
<th class="n">alarms</th><th class="n">false</th>
{% if mute %}<th class="n">steps unanswered</th>{% endif %}
{% if floored %}<th class="n">days below the floor</th>{% endif %}
{% if changed %}<th class="n">days to recover</th>{% endif %}<th class="n">CPU s</th>
{% if priced %}<th class="n">cost</th>{% endif %}</tr>
{% for one in found.policies if not one.problem %}
<tr><td class="{{ 'good' if one.name == found.recommended else '' }}">{{ one.name }}</td>
<td class="n">{{ one.trainings }}</td><td class="n">{{ one.promotions }}</td>
<td class="n">{{ one.wrong_promotions }}</td>
<td class="n">{{ one.comebacks }}</td><td class="n">{{ one.rollbacks }}</td><td class="why">
{% for gate, count in one.kept_out_by.items() %}{{ gate }}&nbsp;{{ count }}{{ "" if loop.last else ", " }}
{% endfor %}</td>
<td class="n">{{ one.alarms }}</td>
<td class="n">{{ one.false_alarms }}</td>
{% if mute %}<td class="n">{{ one.unanswered }}</td>{% endif %}
{% if floored %}<td class="n">{{ "–" if one.days_below_floor is none else one.days_below_floor }}</td>{% endif %}
{% if changed %}<td class="n">{{ figure(one.recovery_days, "%.0f") }}</td>{% endif %}
<td class="n">{{ "%.0f" | format(one.cpu_seconds) }}</td>
{% if priced %}<td class="n">{{ figure(one.money, "%.2f") }}</td>{% endif %}</tr>
{% endfor %}</table></div>
<p><b>Read it with care.</b> A policy that was the best of several on one history is less far ahead on the next.
Intervals are by blocks of days, paired between policies. A promotion is wrong, and an alarm is false, by what came in
the steps after it, beyond chance. CPU seconds are those that a policy would take alone, its watching and judging
included.</p>
<p><small>The figures are in <code>{{ found.model }}.replay.json</code> beside this page;
<code>evergreen replay {{ found.model }}</code> makes both.</small></p>
</body></html>
"""
