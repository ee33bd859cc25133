"""Files of JSON: numbers and truth values as such, and all text as it is written."""

from typing import TYPE_CHECKING

from evergreen.ingestion.sources.case_names import numbered
from evergreen.sql import literal, quoted

if TYPE_CHECKING:
    import duckdb
    from duckdb.sqltypes import DuckDBPyType

# Many columns, or columns that few rows have, are columns: DuckDB would make one map of them.
_WHOLE = "union_by_name = true, sample_size = -1, map_inference_threshold = -1, field_appearance_threshold = 0"
_NO_TIMES = "dateformat = '%%', timestampformat = '%%'"  # which no text is written in
_KEPT = frozenset({"BIGINT", "UBIGINT", "HUGEINT", "UHUGEINT", "DOUBLE", "BOOLEAN", "JSON"})


def json_rows(files: str, connection: "duckdb.DuckDBPyConnection") -> str:
    """The objects of files as a relation for DuckDB, in which no text is guessed to be a time or an identifier.

    DuckDB would take ``10-01-2026`` for 10 January, and a file with later days otherwise.

    Parameters
    ----------
    files : str
        Their path, or a list of paths, as SQL writes it.
    connection : DuckDBPyConnection
    """
    guessed = connection.sql(f"SELECT * FROM read_json({files}, {_WHOLE}, {_NO_TIMES})")
    types = dict(zip(guessed.columns, map(_as_written, guessed.types), strict=True))
    if numbered(types):  # which the files do not call so
        return f"read_json({files}, {_WHOLE}, {_NO_TIMES})"
    columns = ", ".join(f"{literal(name)}: {literal(type)}" for name, type in types.items())
    return f"read_json({files}, columns = {{{columns}}})"


def _as_written(type: "DuckDBPyType") -> str:
    """The type of values, with text in place of what DuckDB guesses from text."""
    if type.id == "struct":
        return f"STRUCT({', '.join(f'{quoted(name)} {_as_written(part)}' for name, part in type.children)})"
    if type.id == "list":
        return f"{_as_written(type.children[0][1])}[]"
    return str(type) if str(type) in _KEPT else "VARCHAR"
