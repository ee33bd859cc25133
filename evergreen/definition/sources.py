"""Sources: where a model's new rows come from. Files, SQL, a Python function, or its own service."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import pandas as pd
from pydantic import BaseModel, BeforeValidator, ConfigDict

from evergreen.durations import Duration, Length
from evergreen.errors import SourceError, SourceSetupError, SourceShapeError
from evergreen.ingestion.schema import moments
from evergreen.settings import Settings
from evergreen.sql import literal, quoted

if TYPE_CHECKING:
    import duckdb
    from sqlalchemy import Engine

    from evergreen.definition.model import Model

_SLACK = pd.Timedelta(days=1)
_NAMED = 20  # files of a batch that are told by name
DAWN = pd.Timestamp("1900-01-01", tz="UTC")  # before any row: what `since` is on the first ingest


def _moment(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    moment = pd.Timestamp(value)
    return (moment if moment.tzinfo else moment.tz_localize("UTC")).to_pydatetime()


Moment = Annotated[datetime, BeforeValidator(_moment)]


class _Source(BaseModel):
    """What all sources share.

    Attributes
    ----------
    batch : timedelta or None
        How much time one batch covers; None for everything new in one batch. Memory is bounded
        by a batch, and a batch is quarantined whole, so long histories want a length here.
    lookback : timedelta
        How far behind the watermark to ask again, for rows that come late or are corrected.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    batch: Length | None = None
    lookback: Duration = timedelta(0)


class Files(_Source):
    """Parquet or CSV files: a path, a folder, a glob, or a URI that fsspec knows.

    A relative path starts at the folder that holds ``models/``. Of a folder all Parquet files are
    read, also in folders within it, and its CSV files if there is no Parquet.

    Examples
    --------
    >>> Files(path="sales/*.parquet").format
    'parquet'
    """

    path: str

    @property
    def format(self) -> str:
        """``"csv"`` for names that end in .csv (also compressed), else ``"parquet"``."""
        return format_of(self.path)

    def begins(self, model: "Model", until: pd.Timestamp) -> pd.Timestamp | None:
        """Return the earliest time in the files, None if they hold no row."""
        with _Scan(self, model) as scan:
            earliest = scan.frame(f"SELECT min({scan.zoned}) AS t FROM {scan.rows}")  # noqa: S608
        return None if earliest.t.isna().all() else pd.Timestamp(earliest.t[0]).tz_convert("UTC")

    def read(self, model: "Model", since: pd.Timestamp, until: pd.Timestamp) -> pd.DataFrame:
        """Return the rows whose time lies in ``[since, until)``, and those that have no time."""
        with _Scan(self, model) as scan:
            low, high = scan.bound(since), scan.bound(until)
            inside = f"{scan.time} >= ? AND {scan.time} < ?"
            return scan.frame(f"SELECT * FROM {scan.rows} WHERE ({inside}) OR {scan.time} IS NULL", [low, high])  # noqa: S608

    def origin(self, model: "Model", since: pd.Timestamp, until: pd.Timestamp) -> str:
        """Name the files that the rows of ``[since, until)`` come from; of CSV, which would be read whole, the path."""
        if self.format == "csv":
            return self.path
        with _Scan(self, model) as scan:
            inside = f"{scan.time} >= ? AND {scan.time} < ?"
            sql = f"SELECT DISTINCT filename FROM {scan.rows} WHERE {inside} ORDER BY filename"  # noqa: S608
            names = scan.frame(sql, [scan.bound(since), scan.bound(until)])["filename"].tolist()
        told = [*names[:_NAMED], *([f"and {len(names) - _NAMED} more"] if len(names) > _NAMED else [])]
        return ", ".join(told) or self.path

    def pieces(self, model: "Model", size: int) -> Iterator[pd.DataFrame]:
        """Give all rows, whatever their time, so many at a time."""
        with _Scan(self, model, timed=False) as scan:
            yield from scan.pieces(size)


class Sql(_Source):
    """A query on any database that SQLAlchemy knows, with bound ``:since`` and ``:until``.

    ``$NAME`` in the URL is read from the environment, so that no password stands in a model file.
    A query may go by the time of change instead of the row's own time; what comes twice is told
    apart by its key.
    """

    url: str
    query: str

    def begins(self, model: "Model", until: pd.Timestamp) -> pd.Timestamp | None:
        """Return the earliest time that the query gives, None if it gives no row."""
        with _explained(model):
            time = engine_of(self.url).dialect.identifier_preparer.quote_identifier(model.time)
        first = f"SELECT min({time}) AS t FROM ({self.query.rstrip().rstrip(';')}\n) AS rows_"  # noqa: S608
        earliest = self._ask(first, model, DAWN, until)["t"]
        if earliest.isna().all():
            return None
        times, problem = moments(earliest, model.timezone)
        if problem:
            raise SourceShapeError(f"{model.name}: {model.time!r} of the query: {problem}.")
        return pd.Timestamp(times[0])

    def read(self, model: "Model", since: pd.Timestamp, until: pd.Timestamp) -> pd.DataFrame:
        """Return what the query gives for ``[since, until)``."""
        if not self._as_text:
            return _rectangular(self._ask(self.query, model, since, until), model)
        # SQLite compares times as text, which errs by less than a day: what it gives too much
        # at the end is left to the next batch, and at the beginning is told apart by its key.
        rows = _rectangular(self._ask(self.query, model, since - _SLACK, until), model)
        if model.time not in rows.columns or rows.empty:
            return rows
        times, problem = moments(rows[model.time], model.timezone)
        return rows if problem else rows[~((times >= until) & (times < until + _SLACK))].reset_index(drop=True)

    def origin(self, model: "Model", since: pd.Timestamp, until: pd.Timestamp) -> str:
        """Give the query; its URL may hold a password."""
        return " ".join(self.query.split())

    def pieces(self, model: "Model", size: int) -> Iterator[pd.DataFrame]:
        """Give all rows of the query, which has no bounds here, so many at a time."""
        import sqlalchemy

        with _explained(model), engine_of(self.url).connect().execution_options(stream_results=True) as connection:
            yield from pd.read_sql_query(sqlalchemy.text(self.query), connection, chunksize=size)

    @property
    def _as_text(self) -> bool:
        return os.path.expandvars(self.url).startswith("sqlite")

    def _ask(self, query: str, model: "Model", since: pd.Timestamp, until: pd.Timestamp) -> pd.DataFrame:
        import sqlalchemy

        bounds = {"since": _naive(since, model), "until": _naive(until, model)}
        with _explained(model), engine_of(self.url).connect() as connection:
            return pd.read_sql_query(sqlalchemy.text(query), connection, params=bounds)


def engine_of(where: str) -> "Engine":
    """The engine behind a database's URL, ``$NAME`` in it read from the environment.

    Raises
    ------
    SourceError
        SQLAlchemy cannot open it, or the variable is not set.
    """
    import sqlalchemy

    url = os.path.expandvars(where)
    if url.startswith("$"):
        raise SourceError(f"The environment variable {where} is not set. Set it to the database's URL.")
    try:
        return sqlalchemy.create_engine(url)
    except ImportError as error:
        raise SourceSetupError(
            f"The driver of that database is not installed: {error}. Install it where Evergreen runs, or name "
            "another in the URL, such as postgresql+psycopg://."
        ) from None
    except Exception as error:  # the URL itself may hold a password, and is not repeated
        reason = type(error).__name__ if "@" in url else str(error).splitlines()[0]
        raise SourceError(f"That is no database's URL that SQLAlchemy can open: {reason}.") from None


@contextmanager
def _explained(model: "Model") -> Iterator[None]:
    try:
        yield
    except SourceError as error:
        raise type(error)(f"{model.name}: {error}") from error
    except Exception as error:
        reason = str(getattr(error, "orig", error)).splitlines()[0]
        raise SourceError(f"{model.name}: the query failed: {reason}. Check the URL and the query.") from error


class Call(_Source):
    """A Python function ``(since, until) -> DataFrame`` of the rows in ``[since, until)``.

    Attributes
    ----------
    function : callable
        Is given two timestamps in UTC.
    start : datetime or None
        Where its history begins; None asks for everything in the first batch.
    """

    function: Callable[[pd.Timestamp, pd.Timestamp], pd.DataFrame]
    start: Moment | None = None

    def begins(self, model: "Model", until: pd.Timestamp) -> pd.Timestamp | None:
        """Return `start`."""
        return DAWN if self.start is None else pd.Timestamp(self.start)

    def read(self, model: "Model", since: pd.Timestamp, until: pd.Timestamp) -> pd.DataFrame:
        """Return what the function gives for ``[since, until)``."""
        try:
            rows = self.function(since, until)
        except Exception as error:
            raise SourceError(f"{model.name}: the source function raised {type(error).__name__}: {error}.") from error
        if not isinstance(rows, pd.DataFrame):
            raise SourceShapeError(
                f"{model.name}: the source function returned {type(rows).__name__}, not a DataFrame."
            )
        return _rectangular(rows, model)

    def origin(self, model: "Model", since: pd.Timestamp, until: pd.Timestamp) -> str:
        """Name the function."""
        name = getattr(self.function, "__qualname__", type(self.function).__qualname__)
        return f"{getattr(self.function, '__module__', '')}.{name}"


class Served(_Source):
    """What the model's own service was asked and answered, with the labels that were sent to it.

    Beside the columns that callers sent it gives ``id``, ``asked_at`` (when it was asked, unless the
    caller sent that himself), the label as the model's target, null until it comes, and
    ``labelled_at``. What is read goes by when it reached the lake: so answers and labels, however
    late, are all read, and a label that comes or is corrected brings its row again.

    Examples
    --------
    >>> Served().lookback
    datetime.timedelta(seconds=600)
    """

    lookback: Duration = timedelta(minutes=10)  # a commit may be seen later than the moment that it carries

    def begins(self, model: "Model", until: pd.Timestamp) -> pd.Timestamp | None:
        """Return when the first answer reached the lake; None before that."""
        from evergreen.lake.lake import SERVED, Lake

        lake = Lake.open()
        if not lake.exists(model.name, SERVED):
            return None
        first = lake.query(model, f'SELECT min("_landed") AS t FROM {SERVED}', tables=[SERVED])["t"][0]  # noqa: S608
        return pd.Timestamp(first)

    def read(self, model: "Model", since: pd.Timestamp, until: pd.Timestamp) -> pd.DataFrame:
        """Return the rows of which an answer or a label reached the lake in ``[since, until)``."""
        from evergreen.lake import prediction_log
        from evergreen.lake.lake import Lake

        return prediction_log.read(Lake.open(), model, since, until)

    def origin(self, model: "Model", since: pd.Timestamp, until: pd.Timestamp) -> str:
        """Say that it is the model's own service."""
        return "what the service was asked and answered"


def _rectangular(rows: pd.DataFrame, model: "Model") -> pd.DataFrame:
    if not rows.columns.is_unique:
        twice = sorted({str(column) for column in rows.columns[rows.columns.duplicated()]})
        raise SourceShapeError(
            f"{model.name}: the source gave the columns {twice} more than once. Name each differently."
        )
    return rows


def periods(source: _Source, begin: pd.Timestamp, until: pd.Timestamp) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """Cut ``[begin, until)`` into the periods of single batches.

    Examples
    --------
    >>> day = pd.Timedelta(days=1)
    >>> noon = pd.Timestamp("2013-01-01 12:00", tz="UTC")
    >>> [str(high - low) for low, high in periods(Call(function=print, batch="1d"), noon, noon + 1.5 * day)]
    ['1 days 00:00:00', '0 days 12:00:00']
    """
    if source.batch is None or begin <= DAWN:  # where a history begins is not known: all of it at once
        return [(begin, until)] if begin < until else []
    step = pd.Timedelta(source.batch)
    lows = pd.date_range(begin, until, freq=step, inclusive="left")
    return [(low, min(low + step, until)) for low in lows]


class _Scan:
    """One DuckDB connection over files, with the time column compared as what it is stored as."""

    def __init__(self, source: Files, model: "Model", *, timed: bool = True) -> None:
        self._source = source
        self._model = model
        self._timed = timed

    def __enter__(self) -> "_Scan":
        import duckdb

        self._connection = duckdb.connect()
        self._connection.execute("SET TimeZone = ?", [self._model.timezone])
        self._connection.execute("SET preserve_insertion_order = true")
        self.rows = self._relation()
        if not self._timed:
            return self
        kinds = self.frame(f"DESCRIBE SELECT * FROM {self.rows}").set_index("column_name")["column_type"]  # noqa: S608
        if self._model.time not in kinds:
            raise SourceShapeError(
                f"{self._model.name}: {self._source.path} has no time column {self._model.time!r}; "
                f"it has {list(kinds.index)}."
            )
        column = quoted(self._model.time)
        self._naive = kinds[self._model.time] in ("TIMESTAMP", "DATE", "TIMESTAMP_NS", "TIMESTAMP_MS")
        self.zoned = f"TRY_CAST({column} AS TIMESTAMPTZ)"
        same = self._naive or kinds[self._model.time] == "TIMESTAMP WITH TIME ZONE"  # nanoseconds are another type
        self.time = column if same else self.zoned
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def bound(self, moment: pd.Timestamp) -> datetime:
        """A bound that is compared without casting the column, so that Parquet can skip blocks."""
        return _naive(moment, self._model) if self._naive else moment.to_pydatetime()

    def frame(self, sql: str, bounds: list[datetime] | None = None) -> pd.DataFrame:
        with self._explained():
            found: pd.DataFrame = self._connection.sql(sql, params=bounds or []).to_arrow_table().to_pandas()
            return found

    def pieces(self, size: int) -> Iterator[pd.DataFrame]:
        """All rows, so many at a time."""
        with self._explained():
            for piece in self._connection.sql(f"SELECT * FROM {self.rows}").to_arrow_reader(size):  # noqa: S608
                yield piece.to_pandas()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        import duckdb

        try:
            yield
        except duckdb.Error as error:
            lines = str(error).strip().splitlines()
            reason = lines[-1 if lines[0].startswith("Traceback") else 0]  # what fsspec raised comes last
            raise SourceError(f"{self._model.name}: cannot read {self._source.path}: {reason}") from error

    def _relation(self) -> str:
        path = resolved(self._source.path, self._connection).replace("'", "''")
        if format_of(path) == "parquet":
            return f"read_parquet('{path}', union_by_name = true)"
        names = self._read_names(path)
        text = [c for c, kind in self._model.columns.items() if kind in ("category", "text") and c in names]
        types = ", ".join(f"{literal(column)}: 'VARCHAR'" for column in text)
        return (
            f"read_csv('{path}', union_by_name = true, sample_size = -1, types = {{{types}}})"
            if types
            else (f"read_csv('{path}', union_by_name = true, sample_size = -1)")
        )

    def _read_names(self, path: str) -> list[str]:
        sql = f"DESCRIBE SELECT * FROM read_csv('{path}', union_by_name = true)"  # noqa: S608
        return list(self.frame(sql)["column_name"])


def format_of(path: str) -> str:
    """``"csv"`` for names that end in .csv (also compressed), else ``"parquet"``."""
    return "csv" if ".csv" in path.rsplit("/", 1)[-1].lower() else "parquet"


def resolved(path: str, connection: "duckdb.DuckDBPyConnection") -> str:
    """The files behind a path, as DuckDB reads them."""
    if "://" in path:
        return _remote(path, connection)
    full = Settings.read().models.parent / Path(path).expanduser()
    found = _within(str(full), _matches) if full.is_dir() else str(full)
    if not _matches(found):
        raise SourceError(f"No file matches {found}. Check `path` of the source in the model file.")
    return found


def _remote(uri: str, connection: "duckdb.DuckDBPyConnection") -> str:
    """What fsspec finds at a URI; how a store says that it cannot be reached is its own affair."""
    from fsspec.core import url_to_fs

    try:
        files, place = url_to_fs(uri)
        connection.register_filesystem(files)
        return _within(uri.rstrip("/"), files.glob) if files.isdir(place) else uri
    except (ImportError, ValueError) as error:
        raise SourceSetupError(
            f"Cannot read {uri}: {error}. Check the address; the package of its store has to be installed where "
            "Evergreen runs: s3fs for s3://, gcsfs for gs://, adlfs for abfss://."
        ) from error
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise SourceError(f"Cannot read {uri}: {reason}. Check the address, and that the store is up.") from error


def _matches(pattern: str) -> bool:
    root = Path(pattern).anchor
    return any(Path(root).glob(pattern.removeprefix(root)))


def _within(folder: str, matches: Callable[[str], object]) -> str:
    """The pattern of the files in a folder: Parquet, or CSV where there is none."""
    patterns = [f"{folder}/**/*.{kind}" for kind in ("parquet", "csv*")]
    return next((pattern for pattern in patterns if matches(pattern)), patterns[0])


def _naive(moment: pd.Timestamp, model: "Model") -> datetime:
    return moment.tz_convert(model.timezone).tz_localize(None).to_pydatetime()
