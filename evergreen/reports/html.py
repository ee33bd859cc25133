"""Small self-contained HTML pages for people, and the same values for programs."""

import math
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from evergreen.ingestion.quarantine import Entry

STYLE = """
:root { color-scheme: light dark; --line: #8884; --bad: #D55E00; --good: #0072B2; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { line-height: 1.2; } .wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .35rem .6rem;
border-bottom: 1px solid var(--line); vertical-align: top; } .bad { color: var(--bad); font-weight: 600; }
.good { color: var(--good); } small { opacity: .75; }
.chain { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .6rem 1.4rem; }
.chain li { position: relative; flex: 1 1 5.4rem; border: 1px solid var(--line); border-radius: 6px;
padding: .4rem .5rem; min-width: 0; overflow-wrap: anywhere; } .chain small, .chain b { display: block; }
.chain li:not(:last-child)::after { content: "→"; position: absolute; right: -1.3rem; top: calc(50% - .8rem);
opacity: .6; }
"""
_QUARANTINED = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ entry.model }}: batch {{ entry.batch }} in quarantine</title><style>{{ style }}</style></head><body>
<h1>{{ entry.model }}: batch {{ entry.batch }} is in quarantine</h1>
<p>{{ "{:,}".format(entry.rows) }} rows asked for from {{ entry.since[:16] }} to {{ entry.until[:16] }} broke
{{ entry.failures | length }} expectation{{ "" if entry.failures | length == 1 else "s" }} of the contract.
None of them reached the table. Mend the source and ask for the batch again, release it as it is if the contract is
wrong, or give it up:</p>
<p><code>evergreen quarantine retry {{ entry.model }} {{ entry.batch }}</code><br>
<code>evergreen quarantine drop {{ entry.model }} {{ entry.batch }}</code><br>
<code>evergreen quarantine release {{ entry.model }} {{ entry.batch }}</code></p>
<div class="wide"><table><tr><th>column</th><th>expectation</th><th>expected</th><th>found</th><th></th></tr>
{% for one in entry.results %}<tr><td>{{ one.column }}</td>
<td>{{ one.type | replace("expect_", "") | replace("_", " ") }}</td><td>{{ one.expected }}</td><td>{{ one.found }}</td>
<td class="{{ 'good' if one.success else 'bad' }}">
{{ "held" if one.success else ("warned" if one.warn else "broken") }}</td></tr>
{% endfor %}</table></div></body></html>
"""


def render(template: str, **values: object) -> str:
    """Fill a Jinja template; everything that is filled in is escaped."""
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True)
    return environment.from_string(template).render(style=STYLE, **values)


def day(time: "pd.Timestamp | None") -> str:
    """A time as its date; empty where there is none."""
    return "" if time is None else f"{time:%Y-%m-%d}"


def chain(steps: Sequence[tuple[str, str, str]]) -> str:
    """Boxes with arrows between them, each a title, a fact and a detail; they wrap on a narrow page."""
    return render(_CHAIN, steps=steps)


_CHAIN = """<ol class="chain">{% for title, fact, detail in steps %}<li><small>{{ title }}</small><b>{{ fact }}</b>
<small>{{ detail }}</small></li>{% endfor %}</ol>"""


def figure(value: float | None, form: str = "%.4g", infinite: str = "–") -> str:
    """A number for a person; what is none is told by a dash.

    Examples
    --------
    >>> figure(1.23456), figure(None), figure(float("inf"), infinite="none yet")
    ('1.235', '–', 'none yet')
    """
    if value is None or math.isnan(value):
        return "–"
    return infinite if math.isinf(value) else form % value


def plain(value: Any) -> Any:
    """Dataclasses as dicts; numbers that JSON lacks as null."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value


def quarantined(entry: "Entry") -> str:
    """The page of a batch that broke its contract."""
    return render(_QUARANTINED, entry=entry)
