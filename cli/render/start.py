"""What the commands of `cli/start.py` print: how a drafted model file was made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from cli.render.parts import table_of, whole

if TYPE_CHECKING:
    from evergreen.scaffold.draft import Draft


def drafted(draft: Draft) -> Any:
    """A model file that was written, and what in it is a guess."""
    table = table_of(f"{draft.name}: {draft.rows:,} rows", "part", "proposed", "why")
    why = draft.why | {"features": ""}
    named = {"time": draft.time, "key": ", ".join(draft.key) or "none", "target": draft.target, "task": draft.task}
    for part, proposed in (named | {"features": ", ".join(draft.features)}).items():
        table.add_row(part, Text(proposed), Text(why[part]))
    table.add_row("label delay", Text(draft.label_delay), Text(draft.why["label_delay"]))
    if draft.label_time:
        table.add_row("label time", Text(draft.label_time), Text(draft.why["label_time"]))
    if form := draft.unusual_form:
        table.add_row("file", Text(form), Text("guessed from the bytes of the file: look at a few values"))
    for part, reasons in (("reading", draft.notes), ("left out", draft.left_out)):
        for column, reason in reasons.items():
            if reason:
                table.add_row(part, Text(column), Text(reason))
    for finding in draft.findings:
        from_then = f", from {finding.since} on" if finding.since else ""
        table.add_row("judging", Text(f"{finding.what}: {finding.state}{from_then}"), Text(finding.why))
    beside = [Text(f"Note: {note}")] if (note := draft.source.passed_over()) else []
    return Group(table, *beside, whole(str(draft.path), "Review the draft:"))
