"""A table that has no model yet: an even sample of its rows, and a few facts about all of them."""

import glob
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from evergreen.errors import SourceError
from evergreen.source import DAWN, Files, Sql, format_of, literal, quoted, resolved

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

LIMIT = 100_000  # rows of a sample
_SUFFIXES = (".parquet", ".csv", ".csv.gz")
_DUSK = pd.Timestamp("2200-01-01")  # after any row


@dataclass(frozen=True)
class Table:
    """What can be asked of a table, whether it lies in files or in a database.

    Attributes
    ----------
    relation : str
        What stands behind ``FROM``, with the alias ``rows_``.
    ask : callable
        From SQL to a frame.
    quote : callable
        From a column's name to how SQL writes it.
    columns : list of str
    """

    relation: str
    ask: Callable[[str], pd.DataFrame]
    quote: Callable[[str], str]
    columns: list[str]

    @cached_property
    def total(self) -> int:
        """How many rows there are."""
        return self._number(f"SELECT count(*) AS n FROM {self.relation}")  # noqa: S608

    def sample(self, limit: int = LIMIT) -> pd.DataFrame:
        """Rows spread evenly over the table, at most `limit`, in its own order."""
        step = -(-self.total // limit)
        if step <= 1:
            return self.ask(f"SELECT * FROM {self.relation}")  # noqa: S608
        wanted = ", ".join(self.quote(column) for column in self.columns)
        numbered = f"SELECT rows_.*, row_number() OVER () AS row_of_all FROM {self.relation}"  # noqa: S608
        return self.ask(f"SELECT {wanted} FROM ({numbered}) AS numbered_ WHERE row_of_all % {step} = 0")  # noqa: S608

    def distinct(self, columns: list[str]) -> int:
        """How many different values, or combinations of values, the columns hold."""
        wanted = ", ".join(self.quote(column) for column in columns)
        return self._number(f"SELECT count(*) AS n FROM (SELECT DISTINCT {wanted} FROM {self.relation}) AS found_")  # noqa: S608

    def present(self) -> dict[str, int]:
        """In how many rows each column is not missing."""
        return {column: int(found) for column, found in self._each("count({})", self.columns).items()}

    def extent(self, columns: list[str]) -> dict[str, tuple[float, float]]:
        """The least and the largest value of number columns; NaN where SQL knows none."""
        least, most = (self._each(f"{word}({{}})", columns) for word in ("min", "max"))
        return {column: (_float(least[column]), _float(most[column])) for column in columns}

    def _each(self, expression: str, columns: list[str]) -> dict[str, Any]:
        if not columns:
            return {}
        terms = ", ".join(f"{expression.format(self.quote(column))} AS c{i}" for i, column in enumerate(columns))
        return dict(zip(columns, self.ask(f"SELECT {terms} FROM {self.relation}").iloc[0], strict=True))  # noqa: S608

    def _number(self, sql: str) -> int:
        return int(self.ask(sql)["n"].iloc[0])


def origin(where: str, query: str | None = None, table: str | None = None) -> Files | Sql:
    """The source that a person names: a path, a folder, a glob, a URI of files, or a database's URL.

    Parameters
    ----------
    where : str
        For a database ``$NAME`` is read from the environment, now and at every ingest.
    query, table : str, optional
        What to read of a database; by default its only table.

    Raises
    ------
    SourceError
        There is nothing there, or it is neither files nor a database; or a password is given
        as it is, which would end up in the model file.
    """
    if ("://" in where and not _are_files(where)) or where.startswith("$"):
        return _database(where, query, table)
    if query or table:
        raise SourceError(f"--query and --table are for databases, and {where} is a file. Leave them out.")
    return Files(path=where) if "://" in where else _local(where)


@contextmanager
def opened(source: Files | Sql) -> Iterator[Table]:
    """Open a source as a table.

    Raises
    ------
    SourceError
        It cannot be read, or holds no row.
    """
    with _files(source) if isinstance(source, Files) else _sql(source) as table:
        if table.total == 0:
            raise SourceError(f"{place(source)} holds no row.")
        yield table


def place(source: Files | Sql) -> str:
    """Where a source is, for a message."""
    return source.path if isinstance(source, Files) else f"The query on {source.url.split('@')[-1]}"


def _are_files(uri: str) -> bool:
    import fsspec

    return uri.lower().endswith(_SUFFIXES) and uri.split("://", 1)[0] in fsspec.available_protocols()


def _local(where: str) -> Files:
    path = Path(where).expanduser().absolute()
    if path.is_dir() and not any(path.glob("**/*.parquet")) and not any(path.glob("**/*.csv*")):
        raise SourceError(f"{path} is a folder without a .parquet or .csv file. Name the files.")
    if not glob.glob(str(path), recursive=True):  # noqa: PTH207
        raise SourceError(f"There is no file {path}. Give a .parquet or .csv file, a folder, or a database's URL.")
    if not path.is_dir() and not path.name.lower().endswith(_SUFFIXES):
        raise SourceError(f"{path.name} is neither .parquet nor .csv. Convert it, or write a `Call` as the source.")
    return Files(path=str(path))


def _database(where: str, query: str | None, table: str | None) -> Sql:
    engine = _engine(where)
    _refuse_password(where)
    url = where
    if engine.dialect.name == "sqlite" and engine.url.database and "$" not in where:
        path = Path(engine.url.database).absolute()
        if not path.is_file():
            raise SourceError(f"There is no database {path}.")
        url = f"{engine.url.drivername}:///{path}"
    return Sql(url=url, query=query or f"SELECT * FROM {_table(engine, table)}")  # noqa: S608


def _engine(where: str) -> "Engine":
    import sqlalchemy

    url = os.path.expandvars(where)
    if url.startswith("$"):
        raise SourceError(f"The environment variable {where} is not set. Set it to the database's URL.")
    try:
        return sqlalchemy.create_engine(url)
    except Exception as error:  # the URL itself may hold a password, and is not repeated
        reason = type(error).__name__ if "@" in url else str(error).splitlines()[0]
        raise SourceError(f"That is no database's URL that SQLAlchemy can open: {reason}.") from None


def _refuse_password(where: str) -> None:
    import sqlalchemy

    if where.startswith("$"):
        return
    url = sqlalchemy.make_url(where)
    secrets = [url.password, *(value for name, value in url.query.items() if "pass" in name.lower())]
    if any(secret and not str(secret).startswith("$") for secret in secrets):
        raise SourceError(
            "The URL holds a password, and the model file would hold it too. Put the URL into an environment "
            "variable, say SALES_DB, and give its name: --from '$SALES_DB'."
        )


def _table(engine: "Engine", table: str | None) -> str:
    import sqlalchemy

    with _explained("The database", engine.connect) as connection:
        inspector = sqlalchemy.inspect(connection)
        schema, _, name = (table or "").rpartition(".")
        known = [*inspector.get_table_names(schema or None), *inspector.get_view_names(schema or None)]
    if table is None and len(known) != 1:
        raise SourceError(f"The database holds {len(known)} tables: {', '.join(known)}. Choose one with --table.")
    if table is not None and name not in known:
        raise SourceError(f"The database has no table {table!r}; it has {', '.join(known) or 'none'}.")
    quote = engine.dialect.identifier_preparer.quote
    return ".".join(quote(part) for part in ([schema] if schema else []) + [name or known[0]])


@contextmanager
def _files(source: Files) -> Iterator[Table]:
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")

        def ask(sql: str) -> pd.DataFrame:
            try:
                found: pd.DataFrame = connection.sql(sql).to_arrow_table().to_pandas()
                return found
            except duckdb.Error as error:
                raise SourceError(f"Cannot read {source.path}: {str(error).splitlines()[0]}") from error

        path = literal(resolved(source.path, connection))
        format = format_of(path.strip("'"))
        relation = f"read_{format}({path}, union_by_name = true)"
        kinds = ask(f"DESCRIBE SELECT * FROM {relation}").set_index("column_name")["column_type"]  # noqa: S608
        if format == "csv":
            relation = _plain_csv(path, kinds)
        yield Table(f"{relation} AS rows_", ask, quoted, [str(column) for column in kinds.index])


def _plain_csv(path: str, kinds: "pd.Series[str]") -> str:
    """Read times as they are written: what order their days and months have is asked later."""
    times = [str(column) for column in kinds.index[kinds.str.startswith(("DATE", "TIMESTAMP"))]]
    types = ", ".join(f"{literal(column)}: 'VARCHAR'" for column in times)
    return f"read_csv({path}, union_by_name = true, sample_size = -1{f', types = {{{types}}}' if types else ''})"


@contextmanager
def _sql(source: Sql) -> Iterator[Table]:
    import sqlalchemy

    engine = _engine(source.url)
    bounds = {"since": DAWN.tz_localize(None).to_pydatetime(), "until": _DUSK.to_pydatetime()}
    with _explained(place(source), engine.connect) as connection:

        def ask(sql: str) -> pd.DataFrame:
            try:
                return pd.read_sql_query(sqlalchemy.text(sql), connection, params=bounds)
            except Exception as error:
                reason = str(getattr(error, "orig", error)).splitlines()[0]
                raise SourceError(f"{place(source)} failed: {reason}. Check the URL and the query.") from error

        relation = f"({source.query.rstrip().rstrip(';')}) AS rows_"
        columns = [str(column) for column in ask(f"SELECT * FROM {relation} WHERE 1 = 0").columns]  # noqa: S608
        yield Table(relation, ask, engine.dialect.identifier_preparer.quote_identifier, columns)


@contextmanager
def _explained(what: str, connect: Callable[[], "Connection"]) -> Iterator["Connection"]:
    try:
        connection = connect()
    except Exception as error:
        reason = str(getattr(error, "orig", error)).splitlines()[0]
        raise SourceError(f"{what} cannot be reached: {reason}.") from error
    with connection:
        yield connection


def _float(value: Any) -> float:
    number = pd.to_numeric(value, errors="coerce")
    return float("nan") if number is None or pd.isna(number) else float(number)
