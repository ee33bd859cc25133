"""What `evergreen ci` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from cli.render.parts import table_of, whole
from evergreen.exit_codes import Exit

if TYPE_CHECKING:
    from evergreen.experiments.model_change import ModelChange

_STYLES = {Exit.DONE: None, Exit.UNDECIDED: "yellow", Exit.REJECTED: "red", Exit.FAILED: "red"}


def checked(changes: Sequence[ModelChange], base: str, path: str) -> Any:
    """The affected models, a row each, and where the comment lies."""
    from evergreen.reports.experiment_page import share

    if not changes:
        return Group(Text(f"No model is affected by what changed since {base}."), whole(path, "The comment:"))
    table = table_of("", "model", "why", "gain in %", "gates", "verdict", uncut="model")
    for change in changes:
        compared = change.compared
        gain = share(compared, compared.variants[0]) if compared else "–"
        gates = change.head.decision if change.head else "–"
        table.add_row(change.model, change.reason, gain, gates, change.verdict, style=_STYLES[change.code])
    notes = [Text(f"{change.model}: {note}") for change in changes for note in (*change.problems, *change.notes)]
    return Group(table, *notes, whole(path, "The comment:"))
