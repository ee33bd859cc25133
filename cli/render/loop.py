"""What the loop did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from cli.render.parts import table_of

if TYPE_CHECKING:
    from evergreen.ingestion.batch import Ingested
    from evergreen.lifecycle.outcome import Outcome
    from evergreen.lifecycle.retraining import Decision


def ingested(model: str, batches: list[Ingested]) -> Any:
    """The batches of one ingest."""
    if not batches:
        return f"{model}: nothing is newer than what is there."
    table = table_of(f"{model}: ingest", "batch", "until", "rows", "new", "corrected", "fate")
    for one in batches:
        table.add_row(one.batch, one.until[:16], f"{one.rows:,}", f"{one.new:,}", f"{one.corrected:,}", one.fate)
    notes = [Text(f"{one.batch}: {note}") for one in batches for note in one.notes]
    return Group(table, *notes)


def outcome(came: Outcome) -> Any:
    """What a run of the loop came to."""
    word = {
        "promote": "promoted",
        "reject": "rejected",
        "comeback": "an earlier champion came back",
        "rollback": "rolled back",
        "waiting": "waits for leave",
        "refused": "refused",
        "none": "no training",
    }
    lines = [f"[bold]{came.model}: {word.get(came.decision, came.decision)}[/bold]", came.reason]
    if came.champion and came.decision not in ("waiting", "refused"):
        lines.append(f"The champion is version {came.champion}{'' if came.moved else ', as before'}.")
    if came.challenger:
        lines.append(f"`evergreen verdict {came.model} --version {came.challenger}` shows every gate.")
    lines += [f"In quarantine: {batch}. `evergreen quarantine show {came.model} {batch}`" for batch in came.quarantined]
    return "\n".join(lines)


def decided(model: str, decision: Decision) -> Any:
    """What a monitor decided."""
    return f"[bold]{model}: {decision.action}[/bold]\n{decision.reason}\n`evergreen why {model}` shows what was known."
