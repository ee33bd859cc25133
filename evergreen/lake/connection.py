"""DuckDB connections, and how a Delta table is registered with one."""

import atexit
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import TYPE_CHECKING, Any

import pandas as pd

from evergreen.errors import LakeError, translated
from evergreen.lake.arrow import to_pandas
from evergreen.sql import quoted

if TYPE_CHECKING:
    import duckdb
    from deltalake import DeltaTable
    from pyarrow.dataset import Dataset

# Opening a table reads the commits since its last checkpoint; the log is what its old versions are read by.
CONFIGURATION: dict[str, str | None] = {
    "delta.checkpointInterval": "10",
    "delta.logRetentionDuration": "interval 36500 days",
}
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def explained(doing: str) -> AbstractContextManager[None]:
    """Turn any library's error into a LakeError that says what could not be done."""
    return translated(LakeError, f"Cannot {doing}: {{reason}}", reason=_first_lines)


def _first_lines(error: BaseException) -> str:
    lines = [line.strip(" ↳") for line in _COLOURS.sub("", str(error)).splitlines()]
    return "; ".join(line for line in lines[:4] if line) or type(error).__name__


def attached() -> "duckdb.DuckDBPyConnection":
    """A connection of its own to the process's one database in memory: a new database takes longer than a query."""
    connection = _database().cursor()
    connection.execute("SET TimeZone = 'UTC'")
    return connection


@cache
def _database() -> "duckdb.DuckDBPyConnection":
    import duckdb

    atexit.register(_database.cache_clear)  # DuckDB's binding prints to stderr if a connection is open at exit
    return duckdb.connect(config={"enable_external_access": False})  # tables are registered: SQL reads no file or URL


def register(
    connection: "duckdb.DuckDBPyConnection", name: str, rows: "Dataset", names: Sequence[str] | None = None
) -> None:
    """Register rows with a connection under a name; a query reads only the files and row groups that can match.

    Conditions on text do not narrow the read: Delta's merges write text as views, which pyarrow cannot compare.
    DuckDB does not pass on a condition on an expression.

    Parameters
    ----------
    connection : DuckDBPyConnection
    name : str
    rows : Dataset
    names : list of str, optional
        The names of its columns, in their order; by default their own.
    """
    import pyarrow as pa

    connection.register(f"_{name}", rows)
    places = [f"c{place}" for place in range(len(rows.schema))]  # by place: DuckDB takes `A` and `a` for the same name
    selected = ", ".join(
        f"{f'coalesce({place}, NULL)' if column.type == pa.string() else place} AS {quoted(shown)}"
        for place, column, shown in zip(places, rows.schema, names or rows.schema.names, strict=True)
    )
    view = f"CREATE TEMP VIEW {quoted(name)} AS SELECT {selected} FROM {quoted(f'_{name}')} AS t({', '.join(places)})"
    connection.execute(view)


def column_names(table: "DeltaTable") -> list[str]:
    """The names of a table's columns as they are stored."""
    return [field.name for field in table.schema().fields]


def files_within(table: "DeltaTable", column: str, low: Any, high: Any) -> "Dataset":
    """The files of a table that can hold values of a column within a range, by the log's statistics."""
    import pyarrow as pa
    from pyarrow.dataset import FileSystemDataset, field

    whole = table.to_pyarrow_dataset()
    kind, values = whole.schema.field(column).type, field(column)
    within = (values >= pa.scalar(low, kind)) & (values <= pa.scalar(high, kind))
    return FileSystemDataset(list(whole.get_fragments(within)), whole.schema, whole.format, whole.filesystem)


def query_opened(at: "DeltaTable | None", table: str, sql: str, bounds: dict[str, Any]) -> pd.DataFrame:
    """The result of a query on an opened version of a table; empty without a table."""
    if at is None:
        return pd.DataFrame()
    with attached() as connection:
        register(connection, table, at.to_pyarrow_dataset())
        return to_pandas(connection.sql(sql, params=bounds).to_arrow_table())
