"""What `evergreen doctor --stores` prints: each store, what it is, and why it cannot be relied on."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group
from rich.text import Text

from cli.render.parts import table_of
from evergreen.governance.store_checks import StoreCheck


def store_checks(checks: Sequence[StoreCheck]) -> Any:
    """The stores of an installation as a table, and their problems."""
    table = table_of("", "store", "", "address", "found")
    for check in checks:
        word = Text("WRONG", style="bold red") if check.problems else Text("ok", style="green")
        table.add_row(check.store, word, check.address, "; ".join(check.found))
    problems = [Text(f"{check.store}: {problem}", style="red") for check in checks for problem in check.problems]
    return Group(table, *problems)
