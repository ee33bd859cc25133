"""What the commands of `cli/loop.py` print: batches, trainings, decisions, scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from cli.render.advice import advised
from cli.render.parts import table_of
from evergreen.lifecycle.outcome import REINSTATED

if TYPE_CHECKING:
    from evergreen.ingestion.batch import Ingested
    from evergreen.lifecycle.decision import Decision
    from evergreen.lifecycle.outcome import Outcome


def ingested(model: str, batches: list[Ingested]) -> Any:
    """The batches of one ingest."""
    if not batches:
        return f"{model}: nothing is newer than what is there."
    table = table_of(f"{model}: ingest", "batch", "until", "rows", "new", "corrected", "fate")
    for batch in batches:
        table.add_row(
            batch.batch, batch.until[:16], f"{batch.rows:,}", f"{batch.new:,}", f"{batch.corrected:,}", batch.fate
        )
    notes = [Text(f"{batch.batch}: {note}") for batch in batches for note in batch.notes]
    return Group(table, *notes)


def outcome(result: Outcome) -> Any:
    """The outcome of a run of the loop."""
    word = {
        "promote": "promoted",
        "reject": "rejected",
        REINSTATED: "an earlier champion was reinstated",
        "rollback": "rolled back",
        "waiting": "pending approval",
        "refused": "refused",
        "none": "no training",
    }
    heading = Text(f"{result.model}: {word.get(result.decision, result.decision)}", style="bold")
    lines = [result.reason]
    if result.champion and result.decision not in ("waiting", "refused"):
        lines.append(f"The champion is version {result.champion}{'' if result.moved else ', as before'}.")
    if result.challenger:
        lines.append(f"`evergreen verdict {result.model} --version {result.challenger}` shows every gate.")
    lines += [
        f"In quarantine: {batch}. `evergreen quarantine show {result.model} {batch}`" for batch in result.quarantined
    ]
    lines += [f"Note: {note}" for note in result.notes]
    return Group(heading, "\n".join(lines), *([advised(result.advice)] if result.advice else []))


def decided(model: str, decision: Decision) -> Any:
    """The decision of a monitor."""
    heading = Text(f"{model}: {decision.action}", style="bold")
    return Group(heading, f"{decision.reason}\n`evergreen why {model}` shows what was known.")
