"""Lineage, reproduction, audit log, erasure, check-ups."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from cli.render.parts import table_of

if TYPE_CHECKING:
    from evergreen.gates.known_bad import Diagnosis
    from evergreen.governance.audit import Verified
    from evergreen.governance.erasure import Erased
    from evergreen.governance.integrity import Examination
    from evergreen.governance.lineage import BatchLineage, Origin, PredictionLineage
    from evergreen.governance.reproduction import Reproduced
    from evergreen.lake.audit_log import Line

_SAID = ("moment", "until")  # in other columns


def acts(found: list[Line]) -> Any:
    """Lines of the audit log."""
    if not found:
        return "Nothing was done yet."
    several = len({one.model for one in found}) > 1
    table = table_of("", *(["model"] if several else []), "line", "as of", "what", "by", "detail")
    for column in table.columns[:-1]:
        column.no_wrap = True
    for one in found:
        told = {name: value for name, value in json.loads(one.detail).items() if value and name not in _SAID}
        detail = "; ".join(f"{name}: {_plain(value)}" for name, value in told.items())
        cells: list[Any] = [
            str(one.number),
            one.at[:16].replace("T", " "),
            f"{one.act} {one.subject}",
            one.by,
            Text(detail),
        ]
        table.add_row(*([one.model] if several else []), *cells)
    return table


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def proofs(found: list[Verified]) -> Any:
    """Whether logs are as they were written."""
    table = table_of("", "model", "lines", "known to the registry", "", "last line")
    for one in found:
        word = Text("NOT AS WRITTEN", style="bold red") if one.problems else Text("whole", style="green")
        table.add_row(one.model, f"{one.lines:,}", str(one.seals), word, one.head)
    return Group(table, *(Text(f"{one.model}: {told}", style="red") for one in found for told in one.problems))


def reproduced(found: Reproduced) -> Any:
    """What came of training a version again."""
    notes = [Text(f"Not as it was. {one}", style="yellow") for one in found.environment]
    table = table_of(f"{found.model}@{found.version}", "version", "compared", "", "found")
    for one in found.findings:
        word = Text("same", style="green") if one.same else Text("DIFFERS", style="bold red")
        table.add_row(one.version, one.what, word, Text(one.detail))
    end = (
        Text("REPRODUCED", style="bold green")
        if found.same
        else Text(f"NOT REPRODUCED. {found.first}", style="bold red")
    )
    return Group(*notes, table, end)


def origin_tree(made: Origin, answer: PredictionLineage | None) -> Any:
    """What a version was made of, and the answer that the question began at."""
    from rich.tree import Tree

    top = Tree(Text(f"{made.model}@{made.version}", style="bold"))
    if answer:
        known = f"; the label that came is {answer.label}" if answer.label else ""
        given = ", ".join(f"{value:.6g}" for value in answer.answer)
        told = f"answer {answer.id}: {given}, asked {_minute(answer.asked_at)}, as {answer.role}{known}"
        top, root = Tree(Text(told, style="bold")), top
        top.children.append(root)
    else:
        root = top
    since = f"champion since {_minute(made.promoted_at)}" if made.promoted_at else "never was champion"
    leave = f", approved by {made.approved_by}" if made.approved_by else ""
    refit = (
        f"a refit of version {made.judged} on all rows, which was judged: "
        if made.judged != made.version
        else "judged: "
    )
    met = f" against version {made.against}" if made.against else ", with no champion to meet"
    root.add(Text(f"{since}{leave}"))
    root.add(Text(f"{refit}{made.verdict}{met}"))
    root.add(Text(f"trained as of {_minute(made.as_of)} because of {made.trigger}; MLflow run {made.run}"))
    code = f"commit {made.commit[:10] or 'unknown'}, lock {made.lock or 'none'}, Python {made.python}"
    root.add(Text(f"{code}, model file {made.model_file}"))
    period = f"from {made.data_from[:10]} to {made.data_until[:10]}"
    rows = root.add(Text(f"{made.rows:,} rows {period}, of version {made.table_version} of the table"))
    if made.served or made.scored:
        root.add(Text(f"{made.served:,} answers to callers, {made.scored:,} to the monitor"))
    for one in made.batches:
        where = f" from {one.source}" if one.source else ""
        out = f", let out of quarantine by {one.released_by}" if one.released_by else ""
        rows.add(Text(f"{one.rows:,} of batch {one.batch}{where}{out}"))
    return top


def followed_tree(became: BatchLineage) -> Any:
    """What became of a batch."""
    from rich.tree import Tree

    root = Tree(Text(f"{became.model}: batch {became.batch}, {became.rows:,} rows of the table", style="bold"))
    for act in became.acts:
        told = json.loads(act.detail)
        by = f" by {act.by}" if act.by else ""
        source = f", from {told['source']}" if told.get("source") else ""
        root.add(Text(f"{_minute(act.at)} {told['fate']}{by}{source}{_noted(told)}"))
    for one in became.versions:
        since = f"champion since {_minute(one.promoted_at)}" if one.promoted_at else "never was champion"
        leaf = root.add(Text(f"version {one.version} learnt from {one.rows:,} rows of it; {since}"))
        if one.served or one.scored:
            leaf.add(Text(f"{one.served:,} answers to callers, {one.scored:,} to the monitor"))
    if not became.versions:
        root.add("No version was trained on it.")
    return root


def _noted(told: dict[str, Any]) -> str:
    notes = told.get("notes") or ([told["note"]] if told.get("note") else [])
    return f": {'; '.join(notes)}" if notes else ""


def _minute(moment: str) -> str:
    return moment[:16].replace("T", " ")


def erased(found: Erased) -> str:
    """What was erased, and who had learnt from it."""
    count = ", ".join(f"{rows:,} of {table}" for table, rows in found.rows.items())
    lines = [f"{found.model}: erased {count or 'nothing, there is no table yet'}."]
    if found.versions:
        told = ", ".join(found.versions)
        lines.append(f"Trained on these rows: version {told}. `evergreen train {found.model}` learns without them.")
    if found.unknown:
        lines.append(f"Of version {', '.join(found.unknown)} the rows cannot be read any more, so nobody can tell.")
    return "\n".join(lines)


def checked(model: str, found: list[Examination]) -> Any:
    """What must hold of a model's stores, and where it does not."""
    table = table_of(f"{model}: check-up", "what must hold", "")
    for one in found:
        word = Text("holds", style="green") if not one.problems else Text("DOES NOT HOLD", style="bold red")
        table.add_row(one.what, word)
    return Group(table, *(Text(told, style="red") for one in found for told in one.problems))


def diagnoses(model: str, found: list[Diagnosis]) -> Any:
    """How the gates met known-bad challengers."""
    table = table_of(f"{model}: known-bad challengers", "challenger", "must fail", "verdict", "found", "")
    for one in found:
        word = Text("refused", style="green") if one.refused else Text("NOT REFUSED", style="bold red")
        table.add_row(one.challenger, one.expected, one.decision, Text(one.found), word)
    refused = sum(one.refused for one in found)
    return Group(table, Text(f"{refused} of {len(found)} were refused, each for the right reason."))
