"""Fragments of SQL: quoted names, literals, conditions. The only place that puts a name or a text into SQL.

A column that a user declares is stored under its own name, unless that begins with an underscore: Evergreen's own
columns do (``_batch``), and DuckDB takes ``_Batch`` for the same. Such a name is stored behind a prefix.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

RESERVED = "evergreen:"  # how Evergreen's own columns begin beside a user's in a frame; no declared column may
_PREFIX = "_user:"


def stored(column: str) -> str:
    """The name under which the lake keeps a declared column.

    Examples
    --------
    >>> [stored(name) for name in ("a b", "_batch", "_user:x")]
    ['a b', '_user:_batch', '_user:_user:x']
    """
    return f"{_PREFIX}{column}" if column.startswith("_") else column


def declared(name: str) -> str:
    """The declared column that the lake keeps under a name; a name of Evergreen's own stays as it is.

    Examples
    --------
    >>> [declared(name) for name in ("a b", "_user:_batch", "_batch")]
    ['a b', '_batch', '_batch']
    """
    return name.removeprefix(_PREFIX)


def is_escaped(name: str) -> bool:
    """Whether the lake keeps a declared column under this name, which begins with an underscore."""
    return name.startswith(_PREFIX)


def quoted(name: str, table: str = "") -> str:
    """A name as SQL writes it, of a table if one is given.

    Examples
    --------
    >>> print(quoted('he"ight', "rows"))
    rows."he""ight"
    """
    return (f"{table}." if table else "") + '"' + name.replace('"', '""') + '"'


def column(name: str, table: str = "") -> str:
    """A declared column as SQL writes it."""
    return quoted(stored(name), table)


def columns(names: Iterable[str], table: str = "") -> str:
    """Declared columns as SQL lists them, each once."""
    return ", ".join(column(name, table) for name in dict.fromkeys(names))


def same(names: Iterable[str], left: str, right: str) -> str:
    """The condition that declared columns of two tables are equal.

    Examples
    --------
    >>> print(same(["a", "_b"], "t", "u"))
    t."a" = u."a" AND t."_user:_b" = u."_user:_b"
    """
    return " AND ".join(f"{column(name, left)} = {column(name, right)}" for name in names)


def within(time: str, table: str = "") -> str:
    """The condition that a declared column lies in ``[$since, $until)``."""
    return f"{column(time, table)} >= $since AND {column(time, table)} < $until"


def equal(wanted: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The condition that columns, by their stored names, have these values, and the bounds in it.

    Examples
    --------
    >>> equal({"id": "a", "x": 1.0})
    ('"id" = $equal_0 AND "x" = $equal_1', {'equal_0': 'a', 'equal_1': 1.0})
    """
    where = " AND ".join(f"{quoted(name)} = $equal_{place}" for place, name in enumerate(wanted))
    return where, {f"equal_{place}": value for place, value in enumerate(wanted.values())}


def any_of(conditions: Sequence[Mapping[str, Any]]) -> tuple[str, dict[str, Any]]:
    """The condition that at least one of several holds, each as in `equal`, and the bounds in it.

    Examples
    --------
    >>> any_of([{"id": "a"}, {"id": "b"}])
    ('list_contains($any_of, "id")', {'any_of': ['a', 'b']})
    >>> any_of([{"id": "a"}, {"x": 1.0}])[0]
    '("id" = $any_0_0) OR ("x" = $any_1_0)'
    """
    if len(conditions) == 1:  # by which files are skipped
        return equal(conditions[0])
    columns_named = {name for wanted in conditions for name in wanted}
    if len(columns_named) == 1:
        (name,) = columns_named
        return f"list_contains($any_of, {quoted(name)})", {"any_of": [wanted[name] for wanted in conditions]}
    parts: list[str] = []
    bounds: dict[str, Any] = {}
    for number, wanted in enumerate(conditions):
        named = {f"any_{number}_{place}": (name, value) for place, (name, value) in enumerate(wanted.items())}
        parts.append("(" + " AND ".join(f"{quoted(name)} = ${bound}" for bound, (name, _) in named.items()) + ")")
        bounds |= {bound: value for bound, (_, value) in named.items()}
    return " OR ".join(parts) or "false", bounds


def literal(text: str) -> str:
    """A text as SQL writes it.

    Examples
    --------
    >>> print(literal("it's"))
    'it''s'
    """
    return "'" + text.replace("'", "''") + "'"
