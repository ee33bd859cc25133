"""Columns whose names differ only in case, which DuckDB tells apart by a number."""

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from evergreen.errors import SourceShapeError
from evergreen.sql import literal

if TYPE_CHECKING:
    import duckdb


def numbered(names: Collection[str]) -> dict[str, str]:
    """The columns that look as if DuckDB had given them a number, and what they are called in the file then.

    Examples
    --------
    >>> numbered(["age", "Age_1", "x", "x_1"])
    {'Age_1': 'Age'}
    """
    known = {name.casefold() for name in names}
    bases = {name: base for name in names for base, _, number in [name.rpartition("_")] if number.isdigit()}
    return {name: base for name, base in bases.items() if base.casefold() in known and base not in names}


def of_parquet(path: str, names: Collection[str], connection: "duckdb.DuckDBPyConnection") -> dict[str, str]:
    """Those of `names` that DuckDB gave a number, and what they are called in Parquet files.

    Raises
    ------
    SourceShapeError
        The files have such columns in different orders, so that DuckDB would exchange their values.
    """
    found = numbered(names)
    if not found:
        return {}
    sql = f"SELECT file_name, path_in_schema FROM parquet_metadata({literal(path)}) WHERE row_group_id = 0"
    sql += " ORDER BY file_name, column_id"
    columns: dict[str, list[str]] = {}
    for file, name in connection.sql(sql).fetchall():
        columns.setdefault(file, []).append(name)
    _require_one_order(columns, {base.casefold() for base in found.values()})
    return _confirmed(found, (name for own in columns.values() for name in own))


def of_json(path: str, names: Collection[str], connection: "duckdb.DuckDBPyConnection") -> dict[str, str]:
    """Those of `names` that DuckDB gave a number, and what they are called in files of JSON."""
    found = numbered(names)
    sql = f"SELECT DISTINCT unnest(json_keys(json)) FROM read_json_objects({literal(path)})"
    return _confirmed(found, (name for (name,) in connection.sql(sql).fetchall())) if found else {}


def _confirmed(found: dict[str, str], own: Iterable[str]) -> dict[str, str]:
    there = set(own)
    return {name: base for name, base in found.items() if base in there and name not in there}


def _require_one_order(columns: dict[str, list[str]], alike: set[str]) -> None:
    orders = {file: [name for name in names if name.casefold() in alike] for file, names in columns.items()}
    orders = {file: order for file, order in orders.items() if order}
    first = next(iter(orders), "")
    for file, order in orders.items():
        if order != orders[first]:
            raise SourceShapeError(
                f"{file} has the columns {', '.join(order)}, and {first} {', '.join(orders[first])}, which differ only "
                "in case. Write the files alike, or rename one of the columns."
            )
