"""The source `Sql`: a query on a database, read by SQLAlchemy."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from evergreen.addresses import expanded
from evergreen.definition.disclosure import masked
from evergreen.definition.kinds.register import kind_of
from evergreen.definition.sources import AFTER_ANY_ROW, BEFORE_ANY_ROW, Counts, Declared, Source, Tables
from evergreen.errors import SourceError, SourceSetupError, SourceShapeError, first_line, shown_cause
from evergreen.ingestion.sources.shared import counts, daily, naive, rectangular, times_of, within
from evergreen.sql import literal

if TYPE_CHECKING:
    from sqlalchemy import Connection, CursorResult, Engine, Row

_ZONED = ("postgresql", "duckdb")  # databases that compare a time without a zone with others in the session's zone
_SLACK = pd.Timedelta(days=1)
_AFTER_ANY_TEXT = "\U0010ffff"  # as SQLite compares
_LITERALS = ("true", "false")  # names that SQLite gives to no column of a query within another


class Sql(Source):
    """A query on any database that SQLAlchemy knows, with bound ``:since`` and ``:until``.

    ``$NAME`` in the URL is read from the environment, so that a model file contains no password.
    A query may select by the time of change instead of the row's own time; rows are de-duplicated
    by key.

    Attributes
    ----------
    url : str
        The database's SQLAlchemy URL, such as ``$SALES_DB``.
    query : str
        It selects the rows of the period from ``:since`` (included) to ``:until`` (excluded).
    """

    stored: ClassVar[bool] = True

    url: str
    query: str

    def begins(self, model: Declared, until: pd.Timestamp, lake: Tables) -> pd.Timestamp | None:
        """Return the earliest time that the query gives, None if it gives no row."""
        if model.time in model.parsing:
            return BEFORE_ANY_ROW
        time = self._time(model)
        first = f"SELECT min({time}) AS t FROM {self._nested}"
        earliest = self._ask(first, model, BEFORE_ANY_ROW, until)["t"]
        if earliest.isna().all():
            return None
        times, problem = kind_of("datetime").cast(earliest, "UTC")
        if problem:
            raise SourceShapeError(f"{model.name}: {model.time!r} of the query: {problem}.")
        local, unclear = kind_of("datetime").cast(earliest, model.timezone)
        return pd.Timestamp(times[0]) - _SLACK if unclear else pd.Timestamp(local[0])

    def read(self, model: Declared, since: pd.Timestamp, until: pd.Timestamp, lake: Tables) -> pd.DataFrame:
        """Return what the query gives for ``[since, until)``."""
        if model.time in model.parsing:
            return within(rectangular(self._ask(self.query, model, since, until), model), model, since, until)
        if not self._as_text:
            return rectangular(self._ask(self.query, model, since, until), model)
        # SQLite compares times as text, which is wrong by less than a day: more is asked for; surplus rows at the
        # end belong to the next batch, and surplus rows at the start are de-duplicated by key.
        rows = rectangular(self._ask(self.query, model, since - _SLACK, until + _SLACK), model)
        if model.time not in rows.columns or rows.empty:
            return rows
        times, problem = kind_of("datetime").cast(rows[model.time], model.timezone)
        return rows if problem else rows[~((times >= until) & (times < until + 2 * _SLACK))].reset_index(drop=True)

    def read_newest(
        self, model: Declared, since: pd.Timestamp, until: pd.Timestamp, lake: Tables
    ) -> tuple[pd.DataFrame, int]:
        """As `read`, and count the rows that the query gives for `until` or later.

        SQLite can hold words in a column of times, which lie in no period: then all rows come, as from a file.
        """
        if model.time in model.parsing:
            whole = rectangular(self._ask(self.query, model, since, AFTER_ANY_ROW), model)
            times = times_of(whole, model)
            return within(whole, model, since, until), 0 if times is None else int((times >= until).sum())
        later = self._later(model, until)
        if later is None:
            return rectangular(self._ask(self.query, model, since, _AFTER_ANY_TEXT), model), 0
        return self.read(model, since, until, lake), later

    def _later(self, model: Declared, until: pd.Timestamp) -> int | None:
        """How many rows lie at `until` or later, from their times alone; None where one is no time.

        0 where the query has no bounds to ask by.
        """
        if not {":since", ":until"} <= {*re.findall(r":\w+", self.query)}:
            return 0
        time = self._time(model)
        name = identifier(engine_of(self.url), model.time)
        sql = f"SELECT {time} AS {name} FROM {self._nested}"
        try:
            found = self._ask(sql, model, until - _SLACK, _AFTER_ANY_TEXT if self._as_text else AFTER_ANY_ROW)
        except SourceError:  # the query does not give the column, which the contract tells
            return 0
        times = times_of(found, model)
        if times is None:
            return None if self._as_text else 0
        return int((times >= until).sum())

    def origin(self, model: Declared, since: pd.Timestamp, until: pd.Timestamp) -> str:
        """Give the query; its URL may hold a password."""
        return " ".join(self.query.split())

    def daily(self, model: Declared, until: pd.Timestamp) -> Counts:
        """Return how many rows the query gives for each day before `until`, counted by the database."""
        if model.time in model.parsing:
            return daily(times_of(self._ask(self.query, model, BEFORE_ANY_ROW, until), model), model, until)
        time = self._time(model)
        day = f"date({time})" if self._as_text else f"CAST({time} AS DATE)"
        sql = f"SELECT {day} AS day, count(*) AS n FROM {self._nested} GROUP BY {day}"
        return counts(self._ask(sql, model, BEFORE_ANY_ROW, until))

    def pieces(self, model: Declared, size: int) -> Iterator[pd.DataFrame]:
        """Give all rows of the query, which has no bounds here, so many at a time; of none, the columns."""
        import sqlalchemy

        with _explained(model), _connected(self.url, model) as opened:
            connection = opened.execution_options(stream_results=True)
            result = connection.execute(sqlalchemy.text(self.query))
            yield frame_of(result, result.fetchmany(size))
            while rows := result.fetchmany(size):
                yield frame_of(result, rows)

    @property
    def _nested(self) -> str:
        """The query as another selects from it."""
        return f"({unended(self.query)}\n) AS rows_"

    def _time(self, model: Declared) -> str:
        """The time column as a query around this one writes it."""
        with _explained(model):
            engine = engine_of(self.url)
            known = model.time.casefold() in _LITERALS
            names = nested_names(engine, unended(self.query)) if known else {}
            return identifier(engine, names.get(model.time, model.time))

    @property
    def _as_text(self) -> bool:
        return expanded(self.url).startswith("sqlite")

    def _ask(self, query: str, model: Declared, since: pd.Timestamp, until: pd.Timestamp | str) -> pd.DataFrame:
        import sqlalchemy

        bounds = {"since": naive(since, model), "until": until if isinstance(until, str) else naive(until, model)}
        with _explained(model), _connected(self.url, model) as connection:
            result = connection.execute(sqlalchemy.text(query), bounds)
            return frame_of(result, result.fetchall())


def frame_of(result: "CursorResult[Any]", rows: "Sequence[Row[Any]]") -> pd.DataFrame:
    """Rows of a result; whole numbers with gaps get a nullable type, since floats end at 2**53."""
    frame = pd.DataFrame.from_records(list(map(tuple, rows)), columns=list(result.keys()), coerce_float=True)
    for place, kind in enumerate(frame.dtypes):
        if isinstance(kind, pd.DatetimeTZDtype):
            frame.isetitem(place, frame.iloc[:, place].dt.tz_convert("UTC"))
        elif kind == np.float64 and all(isinstance(row[place], int | None) for row in rows):
            whole = pd.Series([row[place] for row in rows], dtype=object)
            frame.isetitem(place, pd.to_numeric(whole, dtype_backend="numpy_nullable").array)
    return frame


@contextmanager
def _connected(url: str, model: Declared) -> Iterator["Connection"]:
    """A connection for which a time without a zone is in the zone of the model, as the bounds of a query are."""
    engine = engine_of(url)
    with engine.connect() as connection:
        if engine.dialect.name in _ZONED:
            connection.exec_driver_sql(f"SET TimeZone = {literal(model.timezone)}")
        yield connection


def engine_of(where: str) -> "Engine":
    """The engine behind a database's URL, ``$NAME`` in it read from the environment.

    Raises
    ------
    SourceError
        SQLAlchemy cannot open it, or the variable is not set.
    """
    import sqlalchemy

    url = expanded(where)
    if url.startswith("$"):
        raise SourceError(f"The environment variable {where} is not set. Set it to the database's URL.")
    try:
        return sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    except ImportError as error:
        raise SourceSetupError(
            f"The driver of that database is not installed: {error}. Install it where Evergreen runs, such as "
            "evergreen[postgres] or evergreen[duckdb], or name another in the URL, such as postgresql+psycopg://."
        ) from None
    except Exception as error:  # the URL may contain a password in any form, so it is not repeated
        reason = (str(error).splitlines() or [""])[0]
        reason = type(error).__name__ if url in reason or "@" in url else reason
        raise SourceError(f"SQLAlchemy cannot open this database URL: {reason}.") from None


def identifier(engine: "Engine", name: str) -> str:
    r"""A name as the SQL of a database writes it, in a text whose ``:name`` is a bound value.

    Examples
    --------
    >>> print(identifier(engine_of("sqlite://"), 'a:b "c'))
    "a\:b ""c"
    """
    return engine.dialect.identifier_preparer.quote_identifier(name).replace(":", "\\:")


def unended(query: str) -> str:
    """A query without the semicolon at its end, so that it can stand within another; after a comment a line ends."""
    inner = query.rstrip().rstrip(";")
    return f"{inner}\n" if "--" in inner.rpartition("\n")[2] else inner


def nested_names(engine: "Engine", query: str) -> dict[str, str]:
    """Names that all columns of a query have within another query; empty if they are the same, as nearly always.

    SQLite calls a column ``true`` or ``false`` of a query in parentheses ``column2``, by its place.
    """
    import sqlalchemy

    if engine.dialect.name != "sqlite":
        return {}
    bounds = {"since": None, "until": None}  # no row is wanted
    with engine.connect() as connection:
        within = f"SELECT * FROM ({query}\n) AS rows_ LIMIT 0"
        nested = list(connection.execute(sqlalchemy.text(within), bounds).keys())
        if not any(re.fullmatch(r"column\d+(:\d+)?", name) for name in nested):
            return {}
        plain = connection.execute(sqlalchemy.text(query), bounds).keys()
        return dict(zip(plain, nested, strict=True)) if list(plain) != nested else {}


@contextmanager
def _explained(model: Declared) -> Iterator[None]:
    try:
        yield
    except SourceError as error:
        raise type(error)(f"{model.name}: {error}") from shown_cause(error)
    except Exception as error:
        own = error.__cause__ if isinstance(error, pd.errors.DatabaseError) and error.__cause__ else error
        reason = masked(first_line(own), model.columns)  # pandas quotes the query before the database's own error
        raise SourceError(f"{model.name}: the query failed: {reason}. Check the URL and the query.") from None
