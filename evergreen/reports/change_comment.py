"""The comment on a pull request: what a change does to each model, in GitHub's Markdown, one file."""

import math
from collections.abc import Iterator, Sequence
from itertools import accumulate

from evergreen.exit_codes import Exit
from evergreen.experiments.comparison import Compared
from evergreen.experiments.model_change import Judged, ModelChange, code_of
from evergreen.reports.experiment_page import share, span
from evergreen.reports.html import figure

MARK = "<!-- evergreen ci -->"  # by which a workflow finds its comment again, to write it anew
_LONGEST = 60_000  # characters; GitHub takes 65,536
_SIGNS = {Exit.DONE: "✅", Exit.REJECTED: "❌", Exit.UNDECIDED: "❔", Exit.FAILED: "❌"}
_BARS = "▁▂▃▄▅▆▇█"


def markdown(changes: Sequence[ModelChange], base: str, commit: str) -> str:
    """The whole comment, as long as GitHub takes one; of many models those that must not be merged come first.

    Parameters
    ----------
    changes : list of ModelChange
        Of the affected models.
    base, commit : str
        What the change is compared with: its name, and the commit at which the branch left it.
    """
    return "\n".join([MARK, *_lines(changes, base, commit), ""])


def _lines(changes: Sequence[ModelChange], base: str, commit: str) -> Iterator[str]:
    yield f"## Evergreen: {_headline(changes)}"
    yield f"\nAgainst `{_code(base)}` at `{commit[:10]}`."
    if not changes:
        yield "No model file, and nothing that one imports, changed; neither did the lock of packages."
        return
    yield "\n| | model | verdict | error, base → head | gain | by production's gates |"
    yield "| --- | --- | --- | --- | --- | --- |"
    first = sorted(changes, key=lambda change: change.code == Exit.DONE)
    rows = [f"| {_SIGNS[change.code]} | {' | '.join(map(_text, _row(change)))} |" for change in first]
    yield from _fitting([*rows, *("\n".join(_details(change)) for change in first)])
    yield "\n<sub>Nothing was registered and no alias moved. Intervals are paired by block of time. The history that"
    yield "base and head are compared on ends where the next holdout begins, on which the gates judge.</sub>"


def _fitting(parts: Sequence[str]) -> Iterator[str]:
    """The parts of a comment that there is room for, and a word if some are left out."""
    ends = list(accumulate(len(part) + 1 for part in parts))
    shown = sum(end <= _LONGEST for end in ends)
    yield from parts[:shown]
    if shown < len(parts):
        yield "\nThis comment has no room for more; `evergreen ci` shows the rest, and `--json` all figures."


def _headline(changes: Sequence[ModelChange]) -> str:
    if not changes:
        return "no model is affected"
    count = f"{len(changes)} model{'s' if len(changes) > 1 else ''} affected"
    words = {
        Exit.FAILED: "not to be merged",
        Exit.REJECTED: "makes a model worse",
        Exit.UNDECIDED: "not enough evidence",
    }
    code = code_of(list(changes))
    return f"{count}, {words[code]}" if code in words else count


def _row(change: ModelChange) -> list[str]:
    compared = change.compared
    if compared is None:
        return [change.model, change.verdict, "–", "–", _gates(change.head)]
    head = compared.variants[0]
    error = f"{figure(compared.own.value.value)} → {figure(head.value.value)}"
    gain = f"{share(compared, head)} % ({span(head.gain)})" if math.isfinite(head.gain.value) else "–"
    return [change.model, change.verdict, error, gain, _gates(change.head)]


def _gates(judged: Judged | None) -> str:
    if judged is None:
        return "–"
    return f"{judged.decision}{': ' + ', '.join(judged.kept_out_by) if judged.kept_out_by else ''}"


def _details(change: ModelChange) -> Iterator[str]:
    yield f"\n<details><summary>{_code(change.model)}: {_code(change.reason)}</summary>\n"
    for problem in change.problems:
        yield f"- ❌ {_text(problem)}"
    for note in change.notes:
        yield f"- {_text(note)}"
    if change.compared:
        yield from _compared(change.compared)
    for side, judged in (("head", change.head), ("base", change.base)):
        if judged:
            against = f" against version {judged.against}" if judged.against else ""
            yield f"\n**{side}**'s challenger{against}: {_text(judged.decision)}. {_text(judged.reason)}"
    yield "\n</details>"


def _compared(compared: Compared) -> Iterator[str]:
    head, unit = compared.variants[0], compared.metric.replace("_", " ")
    for problem in head.problems:
        yield f"- ❌ {_text(problem)}"
    yield (
        f"Trained anew at the beginning of each of {compared.count} periods of {compared.step}, "
        f"{compared.since[:10]} to {compared.until[:10]}, and scored on the {compared.rows:,} rows that followed "
        f"(table version {compared.version}, {compared.level:.0%} intervals). {compared.note}\n"
    )
    yield f"| | {unit} | gain | by period | CPU s of trainings |"
    yield "| --- | --- | --- | --- | --- |"
    values = [[period.value for period in result.periods] for result in compared.results]
    low, high = _ends([value for line in values for value in line])
    for result, line in zip(compared.results, values, strict=True):
        gain = "–" if result is compared.own else span(result.gain)
        bars = sparkline(line, low, high)
        yield f"| {result.name} | {span(result.value, '%.4g')} | {gain} | `{bars}` | {result.seconds:.0f} |"
    told = [part for part in head.slices if part.gain.low > 0 or part.gain.high < 0]
    if told:
        yield "\nSlices that are better or worse beyond chance:\n"
        yield f"| slice | rows | {unit} | gain |\n| --- | --- | --- | --- |"
        for part in sorted(told, key=lambda part: part.gain.value):
            name = _text(f"{part.column}={part.value}")
            yield f"| {name} | {part.rows:,} | {figure(part.metric)} | {span(part.gain)} |"


def sparkline(values: Sequence[float], low: float, high: float) -> str:
    """Values as a row of bars between two ends; a gap where there is none.

    Examples
    --------
    >>> sparkline([1.0, 2.0, float("nan"), 3.0], 1.0, 3.0)
    '▁▅ █'
    """
    reach = high - low or 1.0
    places = [round((value - low) / reach * (len(_BARS) - 1)) if math.isfinite(value) else None for value in values]
    return "".join(" " if place is None else _BARS[place] for place in places)


def _ends(values: Sequence[float]) -> tuple[float, float]:
    finite = [value for value in values if math.isfinite(value)] or [0.0]
    return min(finite), max(finite)


def _text(text: str) -> str:
    """Text of a file, a column or an error, in which Markdown and HTML mean nothing."""
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for mark in ("\\", "`", "*", "_", "[", "]", "|", "#", "@"):
        safe = safe.replace(mark, f"\\{mark}" if mark != "@" else "@\u200b")
    return " ".join(safe.split())


def _code(text: str) -> str:
    """Text within a heading or code, without what would end it."""
    return " ".join(text.replace("`", "'").replace("<", "&lt;").replace(">", "&gt;").split())
