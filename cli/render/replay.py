"""What `evergreen replay` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from cli.render.parts import as_it_is, table_of, whole

if TYPE_CHECKING:
    from evergreen.reports.replay_page import ReplayPage


def replayed(result: ReplayPage) -> Any:
    """The result of a replay: a row for each policy, the recommended one in bold, and its settings."""
    found = result.replayed
    table = table_of(f"{found.model}: replay", *(rows := result.table())[0])
    for row in rows:
        table.add_row(*row.values(), style="bold" if row["policy"] == found.recommended else None)
    todo = [as_it_is(lines, "green") for lines in (found.lines, found.window_lines) if lines]
    window = [Text(found.window_advice)] if found.window_advice else []
    page = whole(result.page)
    problems = [Text(problem, style="red") for problem in result.problems()]
    return Group(table, Text(found.reason), *window, *todo, *problems, page)
