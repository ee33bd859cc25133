"""Batches in quarantine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from cli.render.parts import table_of

if TYPE_CHECKING:
    from evergreen.ingestion.quarantine import Entry


def entries(found: list[Entry]) -> Any:
    """Batches in quarantine, in a line each."""
    if not found:
        return "Nothing is in quarantine."
    table = table_of("", "model", "batch", "rows", "state", "why")
    for one in found:
        why = "; ".join(f"{failure.column}: {failure.found}" for failure in one.failures)
        table.add_row(one.model, one.batch, f"{one.rows:,}", one.state, Text(why))
    return table


def entry(found: Entry, folder: str) -> Any:
    """One batch in quarantine, with every expectation."""
    table = table_of(f"{found.model} {found.batch}: {found.state}", "column", "expectation", "expected", "found", "")
    for one in found.results:
        word = "held" if one.success else "warned" if one.warn else "broken"
        table.add_row(
            one.column, one.type.removeprefix("expect_").replace("_", " "), Text(one.expected), Text(one.found), word
        )
    return Group(table, Text(f"Rows and report: {folder}"))
