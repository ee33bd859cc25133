"""Fragments of SQL: quoted names, literals, conditions."""

from collections.abc import Mapping
from typing import Any


def equal(wanted: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The condition that columns have these values, and the bounds in it.

    Examples
    --------
    >>> equal({"id": "a", "x": 1.0})
    ('"id" = $equal_0 AND "x" = $equal_1', {'equal_0': 'a', 'equal_1': 1.0})
    """
    where = " AND ".join(f'"{column}" = $equal_{place}' for place, column in enumerate(wanted))
    return where, {f"equal_{place}": value for place, value in enumerate(wanted.values())}


def quoted(column: str) -> str:
    """A name as SQL writes it."""
    return '"' + column.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"
