"""What `evergreen migrate` prints."""

from collections.abc import Iterator
from typing import Any

from rich.console import Group
from rich.padding import Padding
from rich.text import Text

from cli.render.parts import table_of
from evergreen.lake.state_format import WRITES
from evergreen.migrations.run import Step


def shown(steps: list[Step], lake: str, stored: int, check: bool) -> Group:
    """The migrations that are pending, or were done, with what each changes of which model."""
    is_in = "is" if check or not steps else "is now"
    than = "" if stored == WRITES else f"; this release writes format {WRITES}"
    heading = f"The state in {lake} {is_in} in format {stored}{than}."
    if not steps:
        heading += " Nothing is pending." if check else " Nothing was to be migrated."
    return Group(Text(heading), *(part for step in steps for part in _step(step, check)))


def _step(step: Step, check: bool) -> Iterator[Any]:
    migration = step.migration
    yield Text(f"\nFormat {migration.to}: {migration.title}.", style="bold")
    yield Padding(Text(migration.why), (0, 0, 0, 2), expand=False)
    if check:
        yield Padding(Text(_others(step)), (0, 0, 0, 2), expand=False)
    if not step.changes:
        yield Text("  No model needs a change; only the number of the format is recorded.")
        return
    table = table_of("", "model", "which", "change")
    for change in step.changes:
        table.add_row(change.model, change.where, change.what)
    yield Padding(table, (1, 0, 0, 2), expand=False)
    for change in step.changes:
        if change.left:
            yield Text(f"  Left as it is: {change.model}, {change.left}.", style="yellow")


def _others(step: Step) -> str:
    migration = step.migration
    meanwhile = "works on meanwhile" if migration.alongside else "refuses to work until it has ended"
    before = migration.opens_from < migration.to
    after = "can still open the state afterwards" if before else "cannot open the state afterwards"
    return f"Everything else {meanwhile}. A release that only knows format {migration.to - 1} {after}."
