"""Files of JSON: numbers and truth values as such, and all text as it is written."""

import itertools
import json
import re
from collections import Counter
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from evergreen.errors import SourceShapeError
from evergreen.ingestion.sources.case_names import numbered
from evergreen.sql import literal, quoted

if TYPE_CHECKING:
    import duckdb
    from duckdb.sqltypes import DuckDBPyType

# Many columns, or columns that few rows have, are columns: DuckDB would make one map of them.
_WHOLE = "union_by_name = true, sample_size = -1, map_inference_threshold = -1, field_appearance_threshold = 0"
_NO_TIMES = "dateformat = '%%', timestampformat = '%%'"  # which no text is written in
_LONG = 2**63  # the least whole number that is no BIGINT
_KEPT = frozenset({"BIGINT", "UBIGINT", "HUGEINT", "UHUGEINT", "DOUBLE", "BOOLEAN", "JSON"})


def json_rows(
    files: str,
    connection: "duckdb.DuckDBPyConnection",
    declared: Collection[str] = (),
    exact: Collection[str] = (),
) -> str:
    """The objects of files as a relation for DuckDB, in which no text is guessed to be a time or an identifier.

    DuckDB would take ``10-01-2026`` for 10 January, and a file with later days otherwise. Of keys that differ only in
    case it would number those that come second, whichever these are.

    Parameters
    ----------
    files : str
        Their path, or a list of paths, as SQL writes it.
    connection : DuckDBPyConnection
    declared : collection of str
        The columns that a model file declares.
    exact : collection of str
        Columns whose numbers keep all their digits, as text where floats are among them.

    Raises
    ------
    SourceShapeError
        A key is called as the model file calls another, or an object within a row has two that differ only in case.
    """
    guessed = _guessed(files, connection)
    types = dict(zip(guessed.columns, map(_as_written, guessed.types), strict=True))
    if numbered(types) or numbered(declared):
        names = names_of(keys_of(files, connection), declared)
        if any(key != name for key, name in names.items()):
            return _by_key(files, connection, names, exact)
    rounded = [name for name in exact if types.get(name) == "DOUBLE"]
    types |= dict.fromkeys(rounded, "VARCHAR")
    columns = ", ".join(f"{literal(name)}: {literal(type)}" for name, type in types.items())
    rows = f"read_json({files}, columns = {{{columns}}})"
    if not rounded:
        return rows
    digits = ", ".join(f"{_whole(quoted(name))} AS {quoted(name)}" for name in rounded)
    return f"(SELECT * REPLACE ({digits}) FROM {rows})"


def _guessed(files: str, connection: "duckdb.DuckDBPyConnection") -> "duckdb.DuckDBPyRelation":
    """The rows with the types that DuckDB guesses.

    Raises
    ------
    SourceShapeError
        An object within a row has two keys that differ only in case.
    """
    import duckdb

    try:
        return connection.sql(f"SELECT * FROM read_json({files}, {_WHOLE}, {_NO_TIMES})")
    except duckdb.NotImplementedException as error:
        within = re.search(r'Duplicate name "+([^"]+)"+ in struct', str(error))
        if within is None:
            raise
        raise SourceShapeError(
            f"An object within a row has two keys that differ only in case, {within[1]!r} and another. Rename one of "
            "them in the files."
        ) from None


def keys_of(files: str, connection: "duckdb.DuckDBPyConnection") -> list[str]:
    """The keys of the objects of files, in order of their letters."""
    sql = f"SELECT DISTINCT unnest(json_keys(json)) FROM read_json_objects({files})"
    return sorted(key for (key,) in connection.sql(sql).fetchall())


def names_of(keys: Collection[str], declared: Collection[str] = ()) -> dict[str, str]:
    """What the column of each key is called: as the key, but with a number where another differs only in case.

    The names depend on the keys and on what a model file declares, not on the order in which files hold them. Of keys
    that are alike, that in small letters is called as it is.

    Raises
    ------
    SourceShapeError
        A key is called as the model file calls another.

    Examples
    --------
    >>> names_of(["Age", "age", "x", "x_1"])
    {'age': 'age', 'Age': 'Age_1', 'x': 'x', 'x_1': 'x_1'}
    >>> names_of(["Age", "age"], declared=["Age", "age_1"]), names_of(["Age"], declared=["age", "Age_1"])
    ({'age': 'age_1', 'Age': 'Age'}, {'Age': 'Age_1'})
    """
    spellings = Counter(name.casefold() for name in {*keys, *declared})
    names: dict[str, str] = {}
    for key in keys:
        alone = spellings[key.casefold()] == 1
        if name := key if key in declared else "" if alone else _by_case(key, keys, declared):
            names[key] = name
    taken = {name.casefold() for name in names.values()}
    free = sorted({*keys} - {*names}, key=str.swapcase)
    for key in free:
        name = key
        if key.casefold() in taken:
            name = _numbered(key, taken | {other.casefold() for other in free if other not in names})
        names[key] = name
        taken.add(name.casefold())
    return {key: names[key] for key in sorted(keys, key=lambda key: (key.casefold(), key.swapcase()))}


def _numbered(key: str, taken: Collection[str]) -> str:
    """A name with the first number that no other has."""
    return next(name for number in itertools.count(1) if (name := f"{key}_{number}").casefold() not in taken)


def _by_case(key: str, keys: Collection[str], declared: Collection[str]) -> str:
    """The name by which a model file tells a key from another that differs only in case; empty if it does not.

    Raises
    ------
    SourceShapeError
        There is a key of that name, too.
    """
    numbers = [
        name for name in declared for base, _, number in [name.rpartition("_")] if base == key and number.isdigit()
    ]
    free = [name for name in numbers if name not in keys]
    if numbers and not free:
        raise SourceShapeError(
            f"The column {numbers[0]!r} of the model file may be the key {numbers[0]!r} of the files or {key!r}, which "
            "differs from another key only in case. Rename one of them in the files."
        )
    return free[0] if free else ""


def _by_key(
    files: str, connection: "duckdb.DuckDBPyConnection", names: Mapping[str, str], exact: Collection[str]
) -> str:
    """The objects as a relation in which each column holds the values of one key, to the letter."""
    found = connection.sql(f"SELECT json_group_structure(json) FROM read_json_objects({files})").fetchall()
    types = json.loads(found[0][0])
    whole = [key for key in names if types[key] == "UBIGINT"]
    if whole:
        most = ", ".join(f"max({_value(key, 'UBIGINT')})" for key in whole)
        largest = connection.sql(f"SELECT {most} FROM read_json_objects({files})").fetchall()[0]
        types |= {key: "BIGINT" if most < _LONG else "HUGEINT" for key, most in zip(whole, largest, strict=True)}
    terms = [f"{_value(key, types[key], digits=name in exact)} AS {quoted(name)}" for key, name in names.items()]
    return f"(SELECT {', '.join(terms)} FROM read_json_objects({files}))"


def _value(key: str, type: Any, *, digits: bool = False) -> str:
    """The value of a key in SQL, by its type as DuckDB describes the structure of JSON."""
    place = literal("/" + key.replace("~", "~0").replace("/", "~1"))
    if not isinstance(type, str):
        return f"json_transform(json -> {place}, {literal(json.dumps(_known(type)))})"
    if type == "JSON":
        return f"nullif(json -> {place}, 'null')"
    if type == "DOUBLE" and digits:
        return _whole(f"(json ->> {place})")
    return f"CAST((json ->> {place}) AS {type})" if type in _KEPT else f"(json ->> {place})"


def _whole(text: str) -> str:
    """The text of a number in SQL, without a fraction of 0."""
    return f"regexp_replace({text}, '\\.0$', '')"


def _known(type: Any) -> Any:
    """The structure of JSON with text for what is not kept."""
    if isinstance(type, dict):
        return {name: _known(part) for name, part in type.items()}
    if isinstance(type, list):
        return [_known(part) for part in type]
    return type if type in _KEPT else "VARCHAR"


def _as_written(type: "DuckDBPyType") -> str:
    """The type of values, with text in place of what DuckDB guesses from text."""
    if type.id == "struct":
        return f"STRUCT({', '.join(f'{quoted(name)} {_as_written(part)}' for name, part in type.children)})"
    if type.id == "list":
        return f"{_as_written(type.children[0][1])}[]"
    return str(type) if str(type) in _KEPT else "VARCHAR"
