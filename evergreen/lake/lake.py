"""The lake: tables of rows, predictions, profiles and logs for every model, and the interface to them."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from evergreen.errors import NoRowsError
from evergreen.sql import column

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from evergreen.definition.model import Model
    from evergreen.lake.landing import Landed

ROWS, PREDICTIONS, PROFILES = "rows", "predictions", "profiles"
SERVED, LABELS = "served", "labels"
OBSERVATIONS, DECISIONS, AUDIT = "observations", "decisions", "audit"
TABLES = (ROWS, PREDICTIONS, PROFILES, OBSERVATIONS, DECISIONS, AUDIT, SERVED, LABELS)
INGEST = "evergreen.ingest"  # the application id whose transaction version is the watermark


class Named(Protocol):
    """An object with the name of a model, such as its definition."""

    @property
    def name(self) -> str:
        """The name of the model, which is that of its file."""
        ...


class Bare(NamedTuple):
    """A model's name without its definition, for use without running the model file."""

    name: str


class Lake(Protocol):
    """The tables of all models: those of Delta Lake, or in a replay those known at a point in time."""

    def uri(self, model: str, table: str = ROWS) -> str:
        """Where a table of the model lies."""
        ...

    def exists(self, model: str, table: str = ROWS) -> bool:
        """Whether anything has landed in it yet."""
        ...

    def version(self, model: str) -> int:
        """The newest version of the table of rows; a commit that only moved files does not count."""
        ...

    def columns(self, model: str, version: int | None = None) -> list[str]:
        """The declared columns that the table of rows has."""
        ...

    def schema(self, model: str, table: str) -> "pa.Schema | None":
        """The schema of a table, by stored names; None where there is none yet."""
        ...

    def query(
        self,
        model: Named,
        sql: str,
        bounds: dict[str, Any] | None = None,
        *,
        version: int | None = None,
        tables: Sequence[str] = (ROWS,),
        beside: "Mapping[str, pa.Table] | None" = None,
    ) -> "pd.DataFrame":
        """Query tables of the model, by their names, in DuckDB's SQL.

        Parameters
        ----------
        model : Named
            A definition, or its name where the file is not to be run.
        sql : str
        bounds : dict, optional
            The values of ``$name`` in the SQL.
        version : int, optional
            Of the table of rows; the newest by default.
        tables : sequence of str
            The tables that the SQL names.
        beside : dict of name to pyarrow.Table, optional
            Further tables that the SQL names, which are not in the lake.

        Raises
        ------
        LakeError
            A table cannot be read, or has no such version.
        """
        ...

    def rows(self, model: Named, columns: Sequence[str], version: int) -> "pa.Table":
        """Columns of all rows of a version, by stored names. Unfiltered: the caller applies point-in-time rules."""
        ...

    def newest(self, model: str, column: str, version: int | None = None) -> "pd.Timestamp | None":
        """The latest value of a column of times of the table of rows, by its stored name; None where unknown."""
        ...

    def noted(self, model: str, name: str) -> str:
        """What one of the last batches noted under a name with its commit; empty if none did."""
        ...

    def watermark(self, model: str, app: str = INGEST) -> "pd.Timestamp | None":
        """The time up to which batches have landed; None before the first."""
        ...

    def land(
        self,
        model: "Model",
        rows: "pd.DataFrame",
        batch: str,
        arrived: "pd.Timestamp",
        *,
        app: str,
        mark: "pd.Timestamp",
        warned: Sequence[str] = (),
        noted: "Mapping[str, str] | None" = None,
    ) -> "Landed":
        """Append new rows, replace corrected ones, and move the watermark, in one commit.

        Parameters
        ----------
        model : Model
        rows : DataFrame
            The declared columns, already cast; keys unique.
        batch : str
            The batch's id, kept with each row.
        arrived : Timestamp
            When the batch was taken in, kept with each row.
        app, mark : str, Timestamp
            The application, and up to when its batches have landed. A `mark` that is not above the
            table's is a batch that has landed before: nothing is done.
        warned : sequence of str
            What the contract warned of, kept with the commit.
        noted : dict of str to str, optional
            What else is kept with it, for `noted`.

        Raises
        ------
        LakeError
            The table cannot be written, or its schema contradicts the declaration.
        """
        ...

    def append(self, model: str, table: str, rows: "pa.Table", once: tuple[str, int] | None = None) -> None:
        """Append rows to a table other than that of the rows; create it if there is none.

        Parameters
        ----------
        model, table : str
        rows : pyarrow.Table
        once : (str, int), optional
            The writer, and a number above all its earlier ones: if the table has this number
            already, nothing is done.
        """
        ...

    def extend(
        self, model: str, table: str, sql: str, bounds: dict[str, Any], derive: "Callable[[pd.DataFrame], pa.Table]"
    ) -> None:
        """Append rows derived from a table's content; if another process commits in between, derive them again.

        Parameters
        ----------
        model, table, sql : str
            The SQL selects the content that the new rows depend on.
        bounds : dict
            The values of ``$name`` in the SQL.
        derive : callable
            Derives the rows, possibly none, from the result of the SQL, which is empty without a table. It is
            called again after a concurrent commit.
        """
        ...

    def replace(self, model: str, table: str, rows: "pa.Table", where: str) -> None:
        """Replace the rows that meet a condition, in one commit.

        Parameters
        ----------
        model, table : str
        rows : pyarrow.Table
            Each of which must meet the condition.
        where : str
            SQL over the table's columns.
        """
        ...

    def compact(self, model: str, table: str) -> int:
        """Merge small files; the content of the table does not change.

        Returns
        -------
        int
            How many files were replaced.
        """
        ...

    def delete_before(self, model: str, table: str, own: str, before: "pd.Timestamp") -> int:
        """Delete the rows with a time before `before`, of a table other than that of the rows; return how many."""
        ...

    def erase(self, model: Named, table: str, conditions: Sequence[Mapping[str, Any]]) -> None:
        """Delete the rows that meet one of these conditions, and every file of the table's history that holds one.

        A condition is the values that a row has, by stored name.
        """
        ...


def time_range(lake: Lake, model: Named, time: str, version: int | None = None) -> "tuple[pd.Timestamp, pd.Timestamp]":
    """The first and the last time in a column of the rows, of the newest version by default.

    Raises
    ------
    NoRowsError
        There are none.
    """
    import pandas as pd

    sql = f"SELECT min({column(time)}) AS low, max({column(time)}) AS high FROM {ROWS}"
    extremes = lake.query(model, sql, version=version)
    if extremes["low"].isna()[0]:
        raise NoRowsError(
            f"{model.name} has no rows yet. Run `evergreen ingest {model.name}`; "
            f"`evergreen quarantine list {model.name}` shows what did not land."
        )
    return pd.Timestamp(extremes["low"][0]), pd.Timestamp(extremes["high"][0])
