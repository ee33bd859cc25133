"""Columns that are told apart by their places: whose names differ only in case, or are given in the model file."""

import itertools
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from evergreen.errors import SourceShapeError
from evergreen.ingestion.sources.places import Place

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


def of_parquet(place: Place, names: Collection[str], connection: "duckdb.DuckDBPyConnection") -> dict[str, str]:
    """Those of `names` that DuckDB gave a number, and what they are called in Parquet files."""
    found = numbered(names)
    own = _columns(place, connection).values() if found else ()
    there = {*itertools.chain.from_iterable(own)}
    return {name: base for name, base in found.items() if base in there and name not in there}


def require_one_order(place: Place, names: Collection[str], connection: "duckdb.DuckDBPyConnection") -> None:
    """Require that Parquet files have columns that differ only in case in one order, by which DuckDB numbers them.

    Parameters
    ----------
    place : Place
    names : collection of str
        The columns as DuckDB calls them.
    connection : DuckDBPyConnection

    Raises
    ------
    SourceShapeError
        They have them in different orders, so that their values would be exchanged.
    """
    alike = {base.casefold() for base in numbered(names).values()}
    _require_one_order(_columns(place, connection) if alike else {}, alike)


def require_one_header(headers: Mapping[str, Sequence[str]], names: Sequence[str]) -> None:
    """Require of CSV files that columns which are told by their places stand at the same ones.

    Parameters
    ----------
    headers : dict of file to list of str
        As they stand there.
    names : sequence of str
        What the model file calls the columns by their places; empty if the headers count.

    Raises
    ------
    SourceShapeError
        They do not, so that their values would be exchanged.
    """
    if not names:
        counts = [Counter(map(str.casefold, header)) for header in headers.values()]
        _require_one_order(headers, {name for count in counts for name, number in count.items() if number > 1 and name})
    first: str | None = None
    for file, header in headers.items() if names else ():
        first = first or (file if header else None)
        if header and first and header != headers[first]:
            raise SourceShapeError(
                f"{file} has the columns {', '.join(header)}, and {first} {', '.join(headers[first])}, but `names` in "
                "`csv` of the source tells them by their places. Write the files alike, or remove `names` if their "
                "headers are right."
            )


def _require_one_order(columns: Mapping[str, Sequence[str]], alike: Collection[str]) -> None:
    """Require that files have the columns of each such name, in small letters, in one order."""
    for group in alike:
        orders = {file: [name for name in own if name.casefold() == group] for file, own in columns.items()}
        first = max(orders, key=lambda file: len(orders[file]))
        for file, order in orders.items():
            if order != orders[first][: len(order)]:
                raise SourceShapeError(
                    f"{file} has the columns {', '.join(order)}, and {first} {', '.join(orders[first])}, which differ "
                    "only in case. Write the files alike, or rename one of the columns."
                )


def _columns(place: Place, connection: "duckdb.DuckDBPyConnection") -> dict[str, list[str]]:
    """The columns of each Parquet file, without what is nested in them."""
    sql = f"SELECT file_name, name, coalesce(num_children, 0) FROM parquet_schema({place.sql})"
    columns: dict[str, list[str]] = {}
    inside: dict[str, int] = {}  # nodes that follow in a file and belong to the column before
    for file, name, children in connection.sql(sql).fetchall():
        if file not in columns:  # the root, whose children are the columns
            columns[file], inside[file] = [], 0
        elif inside[file]:
            inside[file] += children - 1
        else:
            columns[file].append(name)
            inside[file] = children
    return columns
