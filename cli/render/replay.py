"""The result of a replay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from cli.render.parts import table_of, whole

if TYPE_CHECKING:
    from evergreen.reports.replay_page import Written as Replay


def replayed(found: Replay) -> Any:
    """What a replay came to: a line a policy, the recommended one marked, and what to do."""
    table = table_of(f"{found.model}: replay", *(rows := found.table())[0])
    for row in rows:
        table.add_row(*row.values(), style="bold" if row["policy"] == found.recommended else None)
    todo = [Text(found.lines, style="green")] if found.lines else []
    page = whole(found.page)
    problems = [Text(one, style="red") for one in found.problems()]
    return Group(table, Text(found.sentence), *todo, *problems, page)
