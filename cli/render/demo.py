"""What `evergreen demo` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from cli.render.parts import table_of

if TYPE_CHECKING:
    from evergreen.reports.demo_page import Summary


def months(summary: Summary) -> Any:
    """The error by month, frozen against fresh."""
    table = table_of(f"{summary.metric} by month", "month", "frozen", "fresh", "gain")
    for month, frozen, fresh in summary.months:
        colour = "green" if fresh < frozen else "red"
        table.add_row(month, f"{frozen:.2f}", f"{fresh:.2f}", Text(f"{frozen - fresh:+.2f}", style=colour))
    return table
