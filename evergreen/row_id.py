r"""The id of a row: its key as one text, the same in Python and in SQL.

A key of several columns is joined by ``|``; ``\`` and ``|`` within a part are escaped by ``\``, so that no two keys
have the same id. Earlier releases joined them without escapes: `plain`. Such ids are still found.
"""

import re
from collections.abc import Sequence

from evergreen.sql import column, literal


def row_id(key: Sequence[object]) -> str:
    r"""The id of a row with this key.

    Examples
    --------
    >>> print(row_id(["a|b"]), row_id(["a", "b"]), row_id(["a|b", "c"]), row_id(["a", "b|c"]))
    a|b a|b a\|b|c a|b\|c
    """
    if len(key) == 1:
        return str(key[0])
    return "|".join([str(part).replace("\\", "\\\\").replace("|", "\\|") for part in key])


def plain(key: Sequence[object]) -> str:
    """The id of such a row in releases before parts were escaped.

    Examples
    --------
    >>> plain(["a|b", "c"])
    'a|b|c'
    """
    return "|".join(map(str, key))


def unescaped(row: str) -> str:
    r"""An id without its escapes, which is how it was written before.

    Examples
    --------
    >>> unescaped(row_id(["a|b", "c"]))
    'a|b|c'
    """
    return re.sub(r"\\([\\|])", r"\1", row)


def is_escaped(row: str, parts: int) -> bool:
    """Whether a text is the id of some key of so many columns, in the form of `row_id`.

    Examples
    --------
    >>> is_escaped(row_id(["a|b", "c"]), 2), is_escaped(plain(["a|b", "c"]), 2)
    (True, False)
    """
    return parts == 1 or re.fullmatch(_form(parts), row) is not None


def sql(key: Sequence[str], table: str = "") -> str:
    """The id of a row by declared key columns, in DuckDB's SQL; NULL where one of them is."""
    if len(key) == 1:
        return _text(key[0], table)
    return " || '|' || ".join(rf"replace(replace({_text(name, table)}, '\', '\\'), '|', '\|')" for name in key)


def plain_sql(key: Sequence[str], table: str = "") -> str:
    """The id that it had before parts were escaped, in DuckDB's SQL."""
    return " || '|' || ".join(_text(name, table) for name in key)


def matches(id_sql: str, key: Sequence[str], table: str = "") -> str:
    """The condition that an id, in SQL, belongs to the row with these declared key columns: see `belongs`."""
    return belongs(id_sql, len(key), sql(key, table), plain_sql(key, table))


def belongs(id_sql: str, parts: int, row: str, before: str) -> str:
    """The condition that an id belongs to a row, whether it is escaped or plain.

    An id in the escaped form belongs only to the row with this escaped id. Any other text is a plain id of an earlier
    release, and belongs to every row with this plain id: two rows can share one, as they did in that release. The
    condition begins with an equality, by which DuckDB joins.

    Parameters
    ----------
    id_sql : str
        The id, in SQL.
    parts : int
        How many columns the key has.
    row, before : str
        The row's ids from `sql` and `plain_sql`.
    """
    if parts == 1:
        return f"{id_sql} = {row}"
    escaped = f"regexp_full_match({id_sql}, {literal(_form(parts))})"
    plainly = rf"CASE WHEN {escaped} THEN regexp_replace({id_sql}, '\\([\\|])', '\1', 'g') ELSE {id_sql} END"
    return f"{plainly} = {before} AND ({id_sql} = {row} OR NOT {escaped})"


def _text(name: str, table: str) -> str:
    return f"CAST({column(name, table)} AS VARCHAR)"


def _form(parts: int) -> str:
    part = r"(?:[^\\|]|\\[\\|])*"
    return rf"{part}(?:\|{part}){{{parts - 1}}}"
