"""What `evergreen try` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from cli.render.parts import as_it_is, table_of, whole

if TYPE_CHECKING:
    from evergreen.reports.experiment_page import ExperimentPage

_STYLES = {"better": "green", "worse": "red", "failed": "red"}


def compared(page: ExperimentPage) -> Any:
    """The result of an experiment: a row for each variant, what was found, and the change that is best."""
    from evergreen.reports.experiment_page import rows

    found = page.compared
    lines = rows(found)
    table = table_of(f"{found.model}: variants", *lines[0], uncut="variant")
    for line, result in zip(lines, found.results, strict=True):
        table.add_row(*line.values(), style=_STYLES.get(result.found) if result is not found.own else None)
    problems = [
        Text(f"{result.name}: {problem}", style="red") for result in found.results for problem in result.problems
    ]
    change = [as_it_is(found.best.diff, "green")] if found.best and found.best.diff else []
    short = [Text(found.note)] if found.note else []
    kept = Text(f"Rows from {found.until[:10]} on were not read: the gates judge on them.", style="dim")
    return Group(table, Text(found.sentence), *problems, *change, *short, kept, whole(page.page))
