"""A table that has no model yet: an even sample of its rows, and a few facts about all of them."""

import glob
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pandas as pd

from evergreen.addresses import expanded, has_secret
from evergreen.definition.sources import AFTER_ANY_ROW, BEFORE_ANY_ROW
from evergreen.errors import SourceError, translated
from evergreen.ingestion.sources.csv_format import Csv
from evergreen.ingestion.sources.database import Sql, engine_of, frame_of, identifier, nested_names, unended
from evergreen.ingestion.sources.file_access import csv_files, reading, reason_of, relation, resolved
from evergreen.ingestion.sources.files import Files
from evergreen.ingestion.sources.places import ENDINGS, PACKINGS, at, format_of
from evergreen.lake.arrow import as_frame
from evergreen.scaffold.reading.csv_form import csv_of
from evergreen.scaffold.reading.heads import heads
from evergreen.sql import quoted

if TYPE_CHECKING:
    from sqlalchemy import Engine

LIMIT = 100_000  # rows of a sample
_SUFFIXES = (*ENDINGS, *(f"{ending}{packing}" for ending in ENDINGS for packing in PACKINGS), ".zip")
_READ = "Parquet, CSV, JSON lines, Arrow or Excel"


@dataclass(frozen=True)
class Table:
    """A table in files or in a database that can be queried.

    Attributes
    ----------
    relation : str
        The expression after ``FROM``, with the alias ``rows_``.
    ask : callable
        From SQL to a frame.
    quote : callable
        From a column's name to how SQL writes it.
    number : callable
        From a quoted column of text to its number.
    whole : str
        What tells a row from all that differ from it.
    """

    relation: str
    ask: Callable[[str], pd.DataFrame]
    quote: Callable[[str], str]
    number: Callable[[str], str]
    whole: str = "*"

    @cached_property
    def total(self) -> int:
        """How many rows there are."""
        return self._number(f"SELECT count(*) AS n FROM {self.relation}")

    @cached_property
    def different(self) -> int:
        """How many rows there are without exact doubles."""
        return self._number(f"SELECT count(*) AS n FROM (SELECT DISTINCT {self.whole} FROM {self.relation}) AS found_")

    def sample(self, limit: int = LIMIT) -> pd.DataFrame:
        """Rows spread evenly over the table, at most `limit`, in its own order; the index counts the rows from 0."""
        step = -(-self.total // limit)
        if step <= 1:
            return self.ask(f"SELECT * FROM {self.relation}")
        numbered = f"SELECT rows_.*, row_number() OVER () AS row_of_all FROM {self.relation}"
        rows = self.ask(f"SELECT * FROM ({numbered}) AS numbered_ WHERE row_of_all % {step} = 0")
        return rows.drop(columns="row_of_all").set_axis(pd.RangeIndex(step - 1, step * len(rows) + step - 1, step))

    def distinct(self, columns: list[str]) -> int:
        """How many different values, or combinations of values, the columns hold."""
        wanted = ", ".join(self.quote(column) for column in columns)
        return self._number(f"SELECT count(*) AS n FROM (SELECT DISTINCT {wanted} FROM {self.relation}) AS found_")

    def extent(self, columns: list[str], text: set[str]) -> dict[str, tuple[float, float]]:
        """The least and the largest value of columns of numbers, some of which are stored as text."""
        if not columns:
            return {}
        names = {column: self.quote(column) for column in columns}
        numbers = [self.number(name) if column in text else name for column, name in names.items()]
        terms = ", ".join(f"min({number}) AS l{i}, max({number}) AS m{i}" for i, number in enumerate(numbers))
        extremes = self.ask(f"SELECT {terms} FROM {self.relation}").iloc[0].astype("float64")
        return {column: (extremes[f"l{i}"], extremes[f"m{i}"]) for i, column in enumerate(columns)}

    def _number(self, sql: str) -> int:
        return int(self.ask(sql)["n"].iloc[0])


def source_of(where: str, query: str | None = None, table: str | None = None) -> Files | Sql:
    """The source for a path, a folder, a glob, a URI of files, or a database's URL.

    Parameters
    ----------
    where : str
        In a URL ``$NAME`` is read from the environment, now and at every ingest.
    query, table : str, optional
        What to read of a database; by default its only table.

    Raises
    ------
    SourceError
        There is nothing at that place, or it is neither files nor a database; or the URL contains
        a password, which would end up in the model file.
    """
    if has_secret(where):
        raise SourceError(
            "The URL contains a password or a signature, which would be written into the model file. Put the URL into "
            "an environment variable, say SALES, and give its name: --from '$SALES'."
        )
    address = expanded(where)
    if ("://" in address or address.startswith("$")) and not _are_files(address):
        return _database(where, query, table)
    if query or table:
        raise SourceError(f"--query and --table are for databases, and {where} is a file. Leave them out.")
    return Files(path=where, csv=_remote_form(where)) if "://" in address else _local(address)


def open_table(source: Files | Sql) -> Table:
    """Open a source as a table.

    Raises
    ------
    SourceError
        It cannot be read, or holds no row.
    """
    table = _files(source) if isinstance(source, Files) else _sql(source)
    if table.total == 0:
        raise SourceError(f"{_place(source)} holds no row.")
    return table


def _place(source: Files | Sql) -> str:
    """Where a source is, for a message."""
    return source.path if isinstance(source, Files) else f"The query on {source.url.split('@')[-1]}"


def _are_files(uri: str) -> bool:
    import fsspec

    name = uri.partition("?")[0] if uri.startswith(("http://", "https://")) else uri
    return name.lower().endswith(_SUFFIXES) and uri.split("://", 1)[0] in fsspec.available_protocols()


def _local(where: str) -> Files:
    path = Path(where).expanduser().absolute()
    place = at(path)
    if path.is_dir() and not place.files:
        raise SourceError(f"{path} is a folder without a file of {_READ}. Name the files.")
    if path.is_symlink() and not _leads_somewhere(path):
        raise SourceError(f"{path} is a link that leads to no file. Give the file itself.")
    if not glob.glob(str(path), recursive=True):  # noqa: PTH207
        raise SourceError(f"There is no file {path}. Give a file of {_READ}, a folder, or a database's URL.")
    if not path.is_dir() and not path.name.lower().endswith(_SUFFIXES):
        raise SourceError(f"{path.name} is none of {_READ}. Convert it, or write a `Call` as the source.")
    _require_text(path)
    return Files(path=str(path), csv=csv_of(list(map(Path, place.files))) if _is_text(place.pattern) else None)


def _require_text(path: Path) -> None:
    """Refuse an archive whose name does not say what is in it, and that is no CSV."""
    if not (path.is_file() and _is_text(str(path)) and zipfile.is_zipfile(path)):
        return
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
    if len(names) == 1 and format_of(names[0]) != "csv" and names[0].lower().endswith(ENDINGS):
        ending = Path(names[0]).suffix
        raise SourceError(f"{path.name} holds {names[0]}. Unpack it, or name it {path.stem}{ending}{path.suffix}.")


def _remote_form(where: str) -> Csv | None:
    """How files at a URI are written, from the first lines of the first of them; None if they are no CSV."""
    with reading("UTC") as connection:
        place = resolved(where, connection)
        if not _is_text(place.pattern):
            return None
        with heads(place) as files:
            return csv_of(files) if files else None


def _is_text(pattern: str) -> bool:
    name = pattern.partition("?")[0].rsplit("/", 1)[-1].lower()
    return format_of(pattern) == "csv" or (name.endswith(".zip") and not any(ending in name for ending in ENDINGS))


def _database(where: str, query: str | None, table: str | None) -> Sql:
    engine = engine_of(where)
    url = where
    if engine.dialect.name == "sqlite" and engine.url.database and "$" not in where:
        path = Path(engine.url.database).absolute()
        if not path.is_file():
            raise SourceError(f"There is no database {path}.")
        url = f"{engine.url.drivername}:///{path}"
    return Sql(url=url, query=query or f"SELECT * FROM {_table(engine, table)}")


def _table(engine: "Engine", table: str | None) -> str:
    import sqlalchemy

    schema, _, name = (table or "").rpartition(".")
    with _explained("The database"):
        inspector = sqlalchemy.inspect(engine)
        known = [*inspector.get_table_names(schema or None), *inspector.get_view_names(schema or None)]
        with suppress(NotImplementedError):
            known += inspector.get_materialized_view_names(schema or None)
    if table is None and len(known) != 1:
        raise SourceError(f"The database holds {len(known)} tables: {', '.join(known)}. Choose one with --table.")
    if table is not None and name not in known:
        raise SourceError(f"The database has no table {table!r}; it has {', '.join(known) or 'none'}.")
    return ".".join(identifier(engine, part) for part in ([schema] if schema else []) + [name or known[0]])


def _files(source: Files) -> Table:
    connection = reading("UTC")
    place = resolved(source.path, connection)
    copies = TemporaryDirectory(prefix="evergreen-csv-")
    explained = partial(
        translated,
        SourceError,
        f"{source.path} cannot be read: {{reason}}.",
        reason=partial(reason_of, path=source.path),
    )
    if source.csv is not None:
        rows = source.csv.rows(*csv_files(place, source.csv, Path(copies.name)), lambda _: "VARCHAR")
    elif place.format == "csv":  # elsewhere, where DuckDB finds its form
        rows = f"read_csv({place.sql}, union_by_name = true, sample_size = -1)"
    else:
        with explained():
            rows = relation(place, connection, Path(copies.name))

    def ask(sql: str) -> pd.DataFrame:
        assert copies  # for as long as the table is asked
        with explained():
            return as_frame(connection.sql(sql).to_arrow_table())

    return Table(f"{rows} AS rows_", ask, quoted, "TRY_CAST({} AS DOUBLE)".format)


def _sql(source: Sql) -> Table:
    import sqlalchemy

    engine = engine_of(source.url)
    since, until = (moment.tz_localize(None).to_pydatetime() for moment in (BEFORE_ANY_ROW, AFTER_ANY_ROW))
    bounds = {"since": since, "until": until}
    query = unended(source.query)
    with _explained(_place(source)):
        nested = nested_names(engine, query)
    plain = {other: name for name, other in nested.items()}

    def ask(sql: str) -> pd.DataFrame:
        with _explained(_place(source)), engine.connect() as connection:
            result = connection.execute(sqlalchemy.text(sql), bounds)
            return frame_of(result, result.fetchall()).rename(columns=plain)

    def quote(name: str) -> str:
        return identifier(engine, nested.get(name, name))

    # In Postgres two values of JSON are never compared; as text they are.
    whole = "CAST(rows_ AS TEXT)" if engine.dialect.name == "postgresql" else "*"
    return Table(f"({query}) AS rows_", ask, quote, "CAST({} AS DOUBLE PRECISION)".format, whole)


def _explained(what: str) -> AbstractContextManager[None]:
    return translated(SourceError, f"{what} cannot be read: {{reason}}.")


def _leads_somewhere(path: Path) -> bool:
    """Whether a link does not point to itself or to nothing."""
    try:
        return path.exists()
    except OSError:
        return False
