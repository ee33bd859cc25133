"""The lake as Delta tables, in a folder or an object store."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from evergreen.errors import LakeError, NoRowsError
from evergreen.lake import landing, maintenance, state_format
from evergreen.lake.arrow import OWN, as_kept, name_within, names_within, to_pandas
from evergreen.lake.connection import CONFIGURATION, attached, column_names, explained, query_opened, register
from evergreen.lake.lake import INGEST, ROWS, Named
from evergreen.lake.landing import Landed
from evergreen.sql import declared, literal, quoted

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

    from evergreen.definition.model import Model

_RECENT = 20  # commits
_SAME = ("OPTIMIZE", "VACUUM START", "VACUUM END")  # commits that do not change a table's rows


@dataclass(frozen=True)
class DeltaLake:
    """The Delta tables under one root, a folder or an object store's URI; its methods are those of `Lake`."""

    root: str

    def uri(self, model: str, table: str = ROWS) -> str:
        """Where a table of the model lies."""
        return f"{self.root}/{model}/{table}"

    def exists(self, model: str, table: str = ROWS) -> bool:
        """Whether anything has landed in it yet."""
        from deltalake import DeltaTable

        state_format.require(self.root)
        with explained(f"open {self.uri(model, table)}"):
            return bool(DeltaTable.is_deltatable(self.uri(model, table)))

    def opened(self, model: str, table: str = ROWS, version: int | None = None) -> "DeltaTable":
        """A table as deltalake has it, for a version of it or the newest.

        Raises
        ------
        NoRowsError
            Nothing has landed in it yet.
        LakeFormatError
            This release does not open the format of the state.
        LakeError
            It cannot be opened.
        """
        from deltalake import DeltaTable
        from deltalake.exceptions import TableNotFoundError

        state_format.require(self.root)
        uri = self.uri(model, table)
        try:
            return DeltaTable(uri, version=version)
        except TableNotFoundError as error:
            command = "ingest" if table == ROWS else "monitor"
            held = f"; `evergreen quarantine list {model}` shows what did not land" if table == ROWS else ""
            raise NoRowsError(
                f"{model} has no {table} yet at {uri}. Run `evergreen {command} {model}`{held}."
            ) from error
        except Exception as error:
            raise LakeError(f"Cannot open {uri}: {error}") from error

    def version(self, model: str) -> int:
        """The newest version of the table; a commit that only moved files does not count."""
        table = self.opened(model)
        changes = (entry["version"] for entry in table.history(limit=10) if entry["operation"] not in _SAME)
        return int(next(changes, table.version()))

    def written(self, model: str, table: str) -> pd.Timestamp | None:
        """When rows were last written to a table, by the clock; None if nobody knows."""
        with explained(f"read the log of {self.uri(model, table)}"):
            commits = self.opened(model, table).history(limit=_RECENT)
        times = (
            commit["timestamp"] for commit in commits if commit["operation"] not in _SAME and "timestamp" in commit
        )
        return next((pd.Timestamp(time, unit="ms", tz="UTC") for time in times), None)

    def history(self, model: str) -> list[dict[str, Any]]:
        """The commits to the table of rows, newest first, each with Evergreen's metadata."""
        table = self._opened_if_there(model)
        return list(table.history()) if table else []

    def columns(self, model: str, version: int | None = None) -> list[str]:
        """The declared columns that the table of rows has."""
        kept = names_within(ROWS, column_names(self.opened(model, version=version)))
        return [declared(name) for name in kept if name not in OWN[ROWS]]

    def schema(self, model: str, table: str) -> "pa.Schema | None":
        """The schema of a table, by stored names; None where there is none yet."""
        import pyarrow as pa

        opened = self._opened_if_there(model, table)
        if opened is None:
            return None
        kept = pa.schema(opened.schema().to_arrow())
        return pa.schema(
            [field.with_name(name) for field, name in zip(kept, names_within(table, kept.names), strict=True)]
        )

    def query(
        self,
        model: Named,
        sql: str,
        bounds: dict[str, Any] | None = None,
        *,
        version: int | None = None,
        tables: Sequence[str] = (ROWS,),
        beside: "Mapping[str, pa.Table] | None" = None,
    ) -> pd.DataFrame:
        """Query tables of the model, by their names, in DuckDB's SQL."""
        with explained(f"read {self.uri(model.name, *tables[:1])}"), attached() as connection:
            for table in tables:
                opened = self.opened(model.name, table, version if table == ROWS else None)
                rows = opened.to_pyarrow_dataset()
                register(connection, table, rows, names_within(table, rows.schema.names))
            for name, table_beside in (beside or {}).items():
                connection.register(name, table_beside)
            return to_pandas(connection.sql(sql, params=bounds or {}).to_arrow_table())

    def rows(self, model: Named, columns: Sequence[str], version: int) -> "pa.Table":
        """Columns of all rows of a version, by stored names. Unfiltered: the caller applies point-in-time rules."""
        with explained(f"read {self.uri(model.name)}"):
            opened = self.opened(model.name, version=version)
            kept = [name_within(ROWS, column_names(opened), name) for name in columns]
            return opened.to_pyarrow_table(columns=kept).rename_columns(list(columns))

    def newest(self, model: str, column: str, version: int | None = None) -> pd.Timestamp | None:
        """The latest value of a column of times, from Delta's statistics of each file.

        None without rows, or where a file has no such statistics: Delta keeps them of a table's first 32 columns.

        Parameters
        ----------
        model : str
        column : str
            Its stored name.
        version : int, optional
            Of the table; the newest by default.
        """
        opened = self._opened_if_there(model) if version is None else self.opened(model, version=version)
        if opened is None:
            return None
        files = opened.get_add_actions(flatten=True)
        name = f"max.{name_within(ROWS, column_names(opened), column)}"
        latest = files.column(name).to_pylist() if name in files.column_names else []
        return None if None in latest else max(map(pd.Timestamp, latest), default=None)

    def noted(self, model: str, name: str) -> str:
        """What one of the last batches noted under a name with its commit; empty if none did."""
        opened = self._opened_if_there(model)
        commits = opened.history(limit=_RECENT) if opened else []
        return next((str(entry[f"evergreen.{name}"]) for entry in commits if f"evergreen.{name}" in entry), "")

    def watermark(self, model: str, app: str = INGEST) -> pd.Timestamp | None:
        """The time up to which batches have landed; None before the first."""
        opened = self._opened_if_there(model)
        mark = opened.transaction_version(app) if opened else None
        return None if mark is None else pd.Timestamp(mark, unit="us", tz="UTC")

    def land(
        self,
        model: "Model",
        rows: pd.DataFrame,
        batch: str,
        arrived: pd.Timestamp,
        *,
        app: str,
        mark: pd.Timestamp,
        warned: Sequence[str] = (),
        noted: Mapping[str, str] | None = None,
    ) -> Landed:
        """Append new rows, replace corrected ones, and move the watermark, in one commit."""
        opened = self._opened_to_write(model.name)
        last = opened.transaction_version(app) if opened else None
        if opened and last is not None and mark.value // 1000 <= last:
            return Landed(int(opened.version()), new=0, corrected=0, same=len(rows))
        uri = self.uri(model.name)
        with explained(f"write {uri}"):
            counts = landing.write(uri, opened, model, rows, batch, arrived, (app, mark), warned, noted or {})
        return Landed(self.version(model.name), same=len(rows) - sum(counts.values()), **counts)

    def append(self, model: str, table: str, rows: "pa.Table", once: tuple[str, int] | None = None) -> None:
        """Append rows to a table other than that of the rows; create it if there is none."""
        from deltalake import CommitProperties, Transaction, write_deltalake

        uri = self.uri(model, table)
        with explained(f"write {uri}"):
            properties, opened = None, self._opened_to_write(model, table)
            if once is not None:
                last = opened.transaction_version(once[0]) if opened else None
                if last is not None and once[1] <= last:
                    return
                properties = CommitProperties(app_transactions=[Transaction(app_id=once[0], version=once[1])])
            options: Any = {"configuration": CONFIGURATION, "commit_properties": properties}
            renamed = rows if opened is None else as_kept(rows, table, column_names(opened))
            write_deltalake(uri, renamed, mode="append", schema_mode="merge", **options)

    def extend(
        self, model: str, table: str, sql: str, bounds: dict[str, Any], derive: "Callable[[pd.DataFrame], pa.Table]"
    ) -> None:
        """Append rows derived from a table's content; if another process commits in between, derive them again."""
        while True:
            opened = self._opened_to_write(model, table)
            with explained(f"write {self.uri(model, table)}"):
                found = query_opened(opened, table, sql, bounds)
            rows = derive(found)
            with explained(f"write {self.uri(model, table)}"):
                if not len(rows) or self._append_next(model, table, rows, opened):
                    return

    def _append_next(self, model: str, table: str, rows: "pa.Table", opened: "DeltaTable | None") -> bool:
        """Append to a table as it was when it was opened; False if another has written to it since."""
        from deltalake import CommitProperties, write_deltalake
        from deltalake.exceptions import DeltaError

        options: Any = {"mode": "error", "configuration": CONFIGURATION} if opened is None else {"mode": "append"}
        properties = CommitProperties(max_commit_retries=0)
        try:
            write_deltalake(
                self.uri(model, table) if opened is None else opened, rows, commit_properties=properties, **options
            )
        except DeltaError:
            if not self.exists(model, table) or (opened and self.opened(model, table).version() == opened.version()):
                raise
            return False
        return True

    def replace(self, model: str, table: str, rows: "pa.Table", where: str) -> None:
        """Replace the rows that meet a condition, in one commit."""
        from deltalake import write_deltalake

        uri = self.uri(model, table)
        with explained(f"write {uri}"):
            opened = self._opened_to_write(model, table)
            if opened:
                write_deltalake(opened, rows, mode="overwrite", predicate=where)
            else:
                write_deltalake(uri, rows, configuration=CONFIGURATION)

    def compact(self, model: str, table: str) -> int:
        """Merge small files once there are several of similar size; return how many files were replaced."""
        opened = self._opened_if_there(model, table)
        if opened is None:
            return 0
        with explained(f"compact {self.uri(model, table)}"):
            return maintenance.compact_files(opened)

    def delete_before(self, model: str, table: str, own: str, before: pd.Timestamp) -> int:
        """Delete the rows with a time before `before`, of a table other than that of the rows; return how many.

        Their files go when the table's history does, after a week.
        """
        opened = self._opened_if_there(model, table)
        if opened is None:
            return 0
        with explained(f"delete old rows of {self.uri(model, table)}"):
            done = opened.delete(f"{quoted(own)} < {literal(before.isoformat())}")
            opened.vacuum(dry_run=False)
            return int(done["num_deleted_rows"] or 0)

    def erase(self, model: Named, table: str, conditions: Sequence[Mapping[str, Any]]) -> None:
        """Delete the rows that meet one of these conditions, and every file of the table's history that holds one.

        Old versions that contain such a file can no longer be read; all others can. The statistics of those
        files in the table's log, and the condition of the deletion itself, are removed too.
        """
        count = maintenance.count_matching(self, model, table, conditions)
        with explained(f"erase rows of {self.uri(model.name, table)}"):
            opened = self.opened(model.name, table)
            if count:
                maintenance.erase_rows(opened, table, conditions)
            maintenance.erase_history(opened, table, conditions)

    def _opened_to_write(self, model: str, table: str = ROWS) -> "DeltaTable | None":
        """As `_opened_if_there`; a lake without a table gets the record of its format first."""
        opened = self._opened_if_there(model, table)
        if opened is None:
            state_format.begin(self.root)
        return opened

    def _opened_if_there(self, model: str, table: str = ROWS) -> "DeltaTable | None":
        """The table, or None before anything has landed in it. A separate check would list its whole log once more."""
        try:
            return self.opened(model, table)
        except NoRowsError:
            return None
        except LakeError:
            if self.exists(model, table):
                raise
            return None
