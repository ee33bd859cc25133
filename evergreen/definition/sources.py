"""The interface of a source of rows; the implementations are in `evergreen.ingestion.sources`."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import pandas as pd
from pydantic import BaseModel, ConfigDict

from evergreen.definition.options import Kind
from evergreen.definition.parsing.parser import Parser
from evergreen.durations import Duration, Length

if TYPE_CHECKING:
    import pyarrow as pa

BEFORE_ANY_ROW = pd.Timestamp("1900-01-01", tz="UTC")  # before any row: what `since` is on the first ingest
AFTER_ANY_ROW = pd.Timestamp("2200-01-01", tz="UTC")


Counts = dict[str, int]  # of rows by day, YYYY-MM-DD


class Declared(Protocol):
    """What a source needs to know of the model whose rows it reads."""

    @property
    def name(self) -> str:
        """Of the model."""
        ...

    @property
    def key(self) -> list[str]:
        """The columns that identify a row."""
        ...

    @property
    def time(self) -> str:
        """The column with the time of the event."""
        ...

    @property
    def timezone(self) -> str:
        """What a time without a zone means."""
        ...

    @property
    def target(self) -> str:
        """The column to predict."""
        ...

    @property
    def columns(self) -> Mapping[str, Kind]:
        """Every declared column and its kind."""
        ...

    @property
    def parsing(self) -> Mapping[str, Parser]:
        """How columns are read that are not plain numbers or times in ISO 8601."""
        ...


class Tables(Protocol):
    """What a source may read from the lake; only `Served` does."""

    def exists(self, model: str, table: str) -> bool:
        """Whether a table of the model is there."""
        ...

    def schema(self, model: str, table: str) -> "pa.Schema | None":
        """The schema of a table; None where there is none yet."""
        ...

    def query(
        self, model: Declared, sql: str, bounds: dict[str, Any] | None = None, *, tables: Sequence[str]
    ) -> pd.DataFrame:
        """Query tables of the model in SQL."""
        ...


class Source(BaseModel, ABC):
    """What all sources share.

    Attributes
    ----------
    batch : timedelta or None
        How much time one batch covers; None for everything new in one batch. Memory is bounded
        by a batch, and a batch is quarantined as a whole, so set a length for a long history.
    lookback : timedelta
        How far before the watermark to read again, for rows that arrive late or are corrected.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    batch: Length | None = None
    lookback: Duration = timedelta(0)

    stored: ClassVar[bool] = False  # whether its rows are stored somewhere, where any period can be read again
    predictions: ClassVar[bool] = False  # whether the rows are what the model's own service predicted

    @abstractmethod
    def begins(self, model: Declared, until: pd.Timestamp, lake: Tables) -> pd.Timestamp | None:
        """Return the earliest time of a row; None if there is no row yet."""

    @abstractmethod
    def read(self, model: Declared, since: pd.Timestamp, until: pd.Timestamp, lake: Tables) -> pd.DataFrame:
        """Return the rows whose time lies in ``[since, until)``."""

    def read_newest(
        self, model: Declared, since: pd.Timestamp, until: pd.Timestamp, lake: Tables
    ) -> tuple[pd.DataFrame, int]:
        """As `read`, and how many rows lie at `until` or later, as far as the source can see them."""
        return self.read(model, since, until, lake), 0

    @abstractmethod
    def origin(self, model: Declared, since: pd.Timestamp, until: pd.Timestamp) -> str:
        """Describe where the rows of ``[since, until)`` come from, for the audit log."""

    def passed_over(self) -> str:
        """Say what lies beside the rows and is not read, for a person; empty if there is nothing."""
        return ""

    @property
    def has_lines(self) -> bool:
        """Whether `lines` can tell where a row stands."""
        return False

    def lines(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """Tell for each of some rows, by their values, the file and line where it stands; empty where it is unknown."""
        return [""] * len(rows)

    @property
    def countable(self) -> bool:
        """Whether `daily` counts all rows, so that late ones are found."""
        return self.stored

    def daily(self, model: Declared, until: pd.Timestamp) -> Counts:
        """Return how many rows lie on each day before `until`, in the model's time zone; empty where it cannot."""
        return {}

    def rewritten(self, known: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
        """Return the files that were changed otherwise than at their end, and what they are now, for the next time."""
        return [], {}

    def pieces(self, model: Declared, size: int) -> Iterator[pd.DataFrame]:
        """Yield all rows, whatever their time, in pieces of this many rows.

        Raises
        ------
        NotImplementedError
            This kind of source cannot.
        """
        raise NotImplementedError(f"{type(self).__name__} gives rows by period only")


def periods(source: Source, begin: pd.Timestamp, until: pd.Timestamp) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """Cut ``[begin, until)`` into the periods of single batches.

    Examples
    --------
    >>> from evergreen import Call
    >>> day = pd.Timedelta(days=1)
    >>> noon = pd.Timestamp("2013-01-01 12:00", tz="UTC")
    >>> [str(high - low) for low, high in periods(Call(function=print, batch="1d"), noon, noon + 1.5 * day)]
    ['1 days 00:00:00', '0 days 12:00:00']
    """
    if source.batch is None or begin <= BEFORE_ANY_ROW:  # the start of the history is unknown: all of it in one batch
        return [(begin, until)] if begin < until else []
    step = pd.Timedelta(source.batch)
    lows = pd.date_range(begin, until, freq=step, inclusive="left")
    return [(low, min(low + step, until)) for low in lows]
