"""Helpers for the other modules of `cli/render/`: the style of tables, and paths that are never cut."""

from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text


def table_of(title: str, *columns: str) -> Table:
    """A table without lines, titled and with these columns."""
    table = Table(title=title or None, title_justify="left", box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def whole(path: str, sentence: str = "") -> Any:
    """A path in one piece, however narrow the terminal, after a sentence."""
    lines = [Text(sentence)] if sentence else []
    return Group(*lines, Text(path, no_wrap=True, overflow="ignore"))
