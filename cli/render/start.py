"""A drafted model file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from cli.render.parts import table_of

if TYPE_CHECKING:
    from evergreen.scaffold.draft import Draft


def drafted(made: Draft) -> Any:
    """A model file that was written, and what in it is a guess."""
    table = table_of(f"{made.name}: {made.rows:,} rows", "part", "proposed", "why")
    why = made.why | {"key": f"unique in all {made.rows:,} rows", "features": ""}
    named = {"time": made.time, "key": ", ".join(made.key), "target": made.target, "task": made.task}
    for part, proposed in (named | {"features": ", ".join(made.features)}).items():
        table.add_row(part, Text(proposed), Text(why[part]))
    for column, reason in made.left_out.items():
        table.add_row("left out", Text(column), Text(reason))
    step = f"Review {made.path}, then: evergreen ingest {made.name} && evergreen train {made.name}"
    return Group(table, Text(step))
