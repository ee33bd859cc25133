"""What `evergreen quarantine` prints: batches and their faults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from cli.render.parts import table_of, whole

if TYPE_CHECKING:
    from evergreen.ingestion.quarantine import Entry


def entries(held: list[Entry]) -> Any:
    """Batches in quarantine, in a line each."""
    if not held:
        return "Nothing is in quarantine."
    table = table_of("", "model", "batch", "rows", "state", "why")
    for entry in held:
        why = "; ".join(f"{failure.column}: {failure.shown}" for failure in entry.failures)
        table.add_row(entry.model, entry.batch, f"{entry.rows:,}", entry.state, Text(why))
    return table


def entry(quarantined: Entry, folder: str) -> Any:
    """One batch in quarantine, with every expectation."""
    table = table_of(
        f"{quarantined.model} {quarantined.batch}: {quarantined.state}",
        "column",
        "expectation",
        "expected",
        "found",
        "",
    )
    for result in quarantined.results:
        word = "held" if result.success else "warned" if result.warn else "broken"
        table.add_row(
            result.column,
            result.type.removeprefix("expect_").replace("_", " "),
            Text(result.expected),
            Text(result.shown),
            word,
        )
    of = f"{quarantined.model} {quarantined.batch}"
    acts = [
        Text(f"`evergreen quarantine retry {of}` reads the batch again, once its source is corrected."),
        Text(f"`evergreen quarantine release {of}` adds it as it is, `evergreen quarantine drop {of}` gives it up."),
    ]
    return Group(table, whole(folder, "Rows and report:"), *(acts if quarantined.state == "held" else []))
