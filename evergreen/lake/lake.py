"""The lake: Delta tables of rows, and of what was made of them (the only module that imports deltalake)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import pandas as pd

from evergreen.definition.kinds.table import kind_of
from evergreen.errors import LakeError, LakeSchemaError, NoRowsError
from evergreen.lake import delta_log
from evergreen.lake.arrow import (
    OWN,
    as_kept,
    name_within,
    names_within,
    positions,
    to_arrow,
    to_pandas,
)
from evergreen.lake.connection import attached, explained, files_within, query_opened, register
from evergreen.lake.landing import Landed
from evergreen.sql import column, declared, equal, literal, quoted, same, stored

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from deltalake import DeltaTable

    from evergreen.definition.model import Model

ROWS, PREDICTIONS, PROFILES = "rows", "predictions", "profiles"
SERVED, LABELS = "served", "labels"
OBSERVATIONS, DECISIONS, AUDIT = "observations", "decisions", "audit"
INGEST = "evergreen.ingest"  # the application id whose transaction version is the watermark
TABLES = (ROWS, PREDICTIONS, PROFILES, OBSERVATIONS, DECISIONS, AUDIT, SERVED, LABELS)
# Opening a table reads the commits since its last checkpoint; the log is what its old versions are read by.
_CONFIGURATION: dict[str, str | None] = {
    "delta.checkpointInterval": "10",
    "delta.logRetentionDuration": "interval 36500 days",
}
# Bytes of the files that are put together, and how many. Days lie mixed within such a file, so none grows without end.
_TIERS, _SEVERAL = (125_000, 1_000_000, 8_000_000), 8
_GROUP = 65_536  # rows that are skipped or read together: a period of a long table is a few of them
_SAME = ("OPTIMIZE", "VACUUM START", "VACUUM END")  # commits after which a table holds what it held


class Named(Protocol):
    """What has the name of a model, such as its definition."""

    @property
    def name(self) -> str:
        """As its file has it."""
        ...


class Bare(NamedTuple):
    """Nothing but the name of a model, whose file is not to be run."""

    name: str


@dataclass(frozen=True)
class Lake:
    """The Delta tables under one root, a folder or an object store's URI."""

    root: str

    def uri(self, model: str, table: str = ROWS) -> str:
        """Where a table of the model lies."""
        return f"{self.root}/{model}/{table}"

    def exists(self, model: str, table: str = ROWS) -> bool:
        """Whether anything has landed in it yet."""
        from deltalake import DeltaTable

        with explained(f"open {self.uri(model, table)}"):
            return bool(DeltaTable.is_deltatable(self.uri(model, table)))

    def version(self, model: str) -> int:
        """The newest version of the table; one that only moved files is none."""
        table = self._table(model)
        changes = (one["version"] for one in table.history(limit=10) if one["operation"] not in _SAME)
        return int(next(changes, table.version()))

    def watermark(self, model: str, app: str = INGEST) -> pd.Timestamp | None:
        """Up to which time batches have landed; None before the first."""
        at = self._there(model)
        moment = at.transaction_version(app) if at else None
        return None if moment is None else pd.Timestamp(moment, unit="us", tz="UTC")

    def newest(self, model: str, time: str) -> pd.Timestamp | None:
        """The latest moment in a column of the table, from what Delta keeps of every file; None for no rows."""
        at = self._there(model)
        if at is None:
            return None
        files, kept = at.get_add_actions(flatten=True), _names(at)
        latest = f"max.{name_within(ROWS, kept, stored(time))}"
        known = files.column(latest).to_pylist() if latest in files.column_names else []
        found = [moment for moment in known if moment is not None]
        return pd.Timestamp(max(found)) if found else None

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
    ) -> Landed:
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
            The Delta application transaction. A `mark` that is not above the table's is a batch
            that has landed before: nothing is done.
        warned : sequence of str
            What the contract warned of, kept with the commit.

        Raises
        ------
        LakeError
            The table cannot be written, or its schema contradicts the declaration.
        """
        at = self._there(model.name)
        moment = at.transaction_version(app) if at else None
        if at and moment is not None and mark.value // 1000 <= moment:
            return Landed(int(at.version()), new=0, corrected=0, same=len(rows))
        with explained(f"write {self.uri(model.name)}"):
            self._agree(model)
            fresh, changed = self._told_apart(model, rows, at.version() if at else None)
            data = self._with_batch(to_arrow(rows[fresh | changed], model), batch, arrived, at)
            counts = {"new": int(fresh.sum()), "corrected": int(changed.sum())}
            noted = {"warned": "; ".join(warned)} if warned else {}
            properties = _commit(app, mark, {"batch": batch, **counts, **noted})
            if counts["corrected"]:
                self._merge(model, data, properties, at)
            else:
                self._append(model, data, properties, at)
        return Landed(self.version(model.name), same=len(rows) - sum(counts.values()), **counts)

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
        """Ask tables of the model, by their names, in DuckDB's SQL.

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
            What it names that is not in the lake.

        Raises
        ------
        LakeError
            A table cannot be read, or has no such version.
        """
        with explained(f"read {self.uri(model.name, *tables[:1])}"), attached() as connection:
            for table in tables:
                self._offer(connection, model.name, table, version if table == ROWS else None)
            for name, table_beside in (beside or {}).items():
                connection.register(name, table_beside)
            found = connection.sql(sql, params=bounds or {}).to_arrow_table()
            return to_pandas(found)

    def _offer(self, connection: "duckdb.DuckDBPyConnection", model: str, table: str, version: int | None) -> None:
        """Let a connection know a table by its name."""
        rows = self._table(model, version, table).to_pyarrow_dataset()
        register(connection, table, rows, names_within(table, rows.schema.names))

    def rows(self, model: Named, columns: Sequence[str], version: int) -> "pa.Table":
        """Columns of all rows of a version, by stored names. Unfiltered: the caller applies point-in-time rules."""
        with explained(f"read {self.uri(model.name)}"):
            at = self._table(model.name, version)
            kept = [name_within(ROWS, _names(at), name) for name in columns]
            return at.to_pyarrow_table(columns=kept).rename_columns(list(columns))

    def reach(self, model: Named, time: str) -> tuple[pd.Timestamp, pd.Timestamp]:
        """The first and the last moment in a column of the rows.

        Raises
        ------
        NoRowsError
            There are none.
        """
        sql = f"SELECT min({column(time)}) AS low, max({column(time)}) AS high FROM {ROWS}"
        found = self.query(model, sql)
        if found["low"].isna()[0]:
            raise NoRowsError(f"{model.name} has no rows yet. Run `evergreen ingest {model.name}`.")
        return pd.Timestamp(found["low"][0]), pd.Timestamp(found["high"][0])

    def columns(self, model: str, version: int | None = None) -> list[str]:
        """The declared columns that the table of rows has."""
        kept = names_within(ROWS, _names(self._table(model, version)))
        return [declared(name) for name in kept if name not in OWN[ROWS]]

    def schema(self, model: str, table: str) -> "pa.Schema | None":
        """The schema of a table, by stored names; None where there is none yet."""
        import pyarrow as pa

        at = self._there(model, table)
        if at is None:
            return None
        kept = pa.schema(at.schema().to_arrow())
        return pa.schema([one.with_name(name) for one, name in zip(kept, names_within(table, kept.names), strict=True)])

    def append(self, model: str, table: str, rows: "pa.Table", once: tuple[str, int] | None = None) -> None:
        """Add rows to a table other than that of the rows, making it where there is none.

        Parameters
        ----------
        model, table : str
        rows : pyarrow.Table
        once : (str, int), optional
            Who writes, and a number above all that it wrote before: if the table has this one
            already, nothing is done (a Delta application transaction).
        """
        from deltalake import CommitProperties, Transaction, write_deltalake

        uri = self.uri(model, table)
        with explained(f"write {uri}"):
            properties, at = None, self._there(model, table)
            if once is not None:
                last = at.transaction_version(once[0]) if at else None
                if last is not None and once[1] <= last:
                    return
                properties = CommitProperties(app_transactions=[Transaction(app_id=once[0], version=once[1])])
            made: Any = {"configuration": _CONFIGURATION, "commit_properties": properties}
            named = rows if at is None else as_kept(rows, table, _names(at))
            write_deltalake(uri, named, mode="append", schema_mode="merge", **made)

    def extend(
        self, model: str, table: str, sql: str, bounds: dict[str, Any], made: "Callable[[pd.DataFrame], pa.Table]"
    ) -> None:
        """Add rows that follow from what a table holds; nobody else writes to it between the look and the commit.

        Parameters
        ----------
        model, table, sql : str
            The SQL asks for what is looked at.
        bounds : dict
            The values of ``$name`` in the SQL.
        made : callable
            From what was found, empty where there is no table yet, to the rows, which may be none. Asked again
            as often as another was quicker.
        """
        while True:
            at = self._there(model, table)
            with explained(f"write {self.uri(model, table)}"):
                rows = made(query_opened(at, table, sql, bounds))
                if not len(rows) or self._next(model, table, rows, at):
                    return

    def _next(self, model: str, table: str, rows: "pa.Table", at: "DeltaTable | None") -> bool:
        """Append to a table as it was when it was opened; False if another has written to it since."""
        from deltalake import CommitProperties, write_deltalake
        from deltalake.exceptions import DeltaError

        made: Any = {"mode": "error", "configuration": _CONFIGURATION} if at is None else {"mode": "append"}
        once = CommitProperties(max_commit_retries=0)
        try:
            write_deltalake(self.uri(model, table) if at is None else at, rows, commit_properties=once, **made)
        except DeltaError:
            if not self.exists(model, table) or (at and self._table(model, table=table).version() == at.version()):
                raise
            return False
        return True

    def replace(self, model: str, table: str, rows: "pa.Table", where: str) -> None:
        """Put rows in the place of those that meet a condition, in one commit.

        Parameters
        ----------
        model, table : str
        rows : pyarrow.Table
            Each of which must meet the condition.
        where : str
            SQL over the table's columns.
        """
        from deltalake import write_deltalake

        uri = self.uri(model, table)
        with explained(f"write {uri}"):
            at = self._there(model, table)
            if at:
                write_deltalake(at, rows, mode="overwrite", predicate=where)
            else:
                write_deltalake(uri, rows, configuration=_CONFIGURATION)

    def forget(self, model: str, table: str, own: str, before: pd.Timestamp) -> int:
        """Delete the rows of a table other than that of the rows whose time lies before a moment; how many.

        Their files go when the table's history does, after a week.
        """
        opened = self._there(model, table)
        if opened is None:
            return 0
        with explained(f"forget rows of {self.uri(model, table)}"):
            done = opened.delete(f"{quoted(own)} < {literal(before.isoformat())}")
            opened.vacuum(dry_run=False)
            return int(done["num_deleted_rows"] or 0)

    def matching(self, model: Named, table: str, wanted: Mapping[str, Any]) -> int:
        """How many rows of a table have these values in columns of these stored names."""
        where, bounds = equal(wanted)
        sql = f"SELECT count(*) AS n FROM {table} WHERE {where}"
        return int(self.query(model, sql, bounds, tables=[table])["n"][0])

    def erase(self, model: Named, table: str, wanted: Mapping[str, Any]) -> None:
        """Delete the rows that have these values, and of the table's history every file that holds one.

        Old versions of which such a file is a part can be read no more; all others stay. What the table's
        log told of those files' values, and the condition of the deletion itself, go as well.
        """
        there = self.matching(model, table, wanted)
        with explained(f"erase rows of {self.uri(model.name, table)}"):
            opened = self._table(model.name, table=table)
            if there:
                kept = _names(opened)
                named = {quoted(name_within(table, kept, name)): value for name, value in wanted.items()}
                opened.delete(" AND ".join(f"{name} = {_literal(value)}" for name, value in named.items()))
            self._erase_history(opened, table, wanted)

    def _erase_history(self, opened: "DeltaTable", table: str, wanted: Mapping[str, Any]) -> None:
        """Remove the files of old versions that hold such rows, also those of an erasure that died."""
        import pyarrow as pa
        from fsspec.core import url_to_fs
        from pyarrow.dataset import dataset

        files, root = url_to_fs(opened.table_uri)
        where, bounds = equal(wanted)
        gone = set()
        for name in opened.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=True):
            path = f"{root.rstrip('/')}/{name}"
            if not files.exists(path):  # an erasure before has taken it
                gone.add(name)
                continue
            with attached() as connection:
                schema = pa.schema(opened.schema().to_arrow())
                old = dataset(path, schema=schema, filesystem=files, format="parquet")
                register(connection, "old", old, names_within(table, schema.names))
                held = connection.sql(f"SELECT 1 FROM old WHERE {where} LIMIT 1", params=bounds)
                found = held.fetchall()
            if found:
                files.rm_file(path)
                gone.add(name)
        if delta_log.hush(files, f"{root.rstrip('/')}/_delta_log", gone):
            opened.create_checkpoint()

    def compact(self, model: str, table: str) -> int:
        """Put small files together, once there are several of about a size; what is read stays what it was.

        Every batch and every check adds a file, and every reader looks at all of them. A file is put together with
        its like only: a year that took in every week's would be written anew each week, its days mixed more and
        more by that, until a reader of one week finds rows of it everywhere.

        Returns
        -------
        int
            How many files were replaced.
        """
        opened = self._there(model, table)
        if opened is None:
            return 0
        from deltalake import WriterProperties

        with explained(f"compact {self.uri(model, table)}"):
            sizes = opened.get_add_actions(flatten=True).column("size_bytes").to_numpy()
            alike = np.bincount(np.digitize(sizes, _TIERS), minlength=len(_TIERS))[: len(_TIERS)]
            due = np.flatnonzero(alike >= _SEVERAL)
            if not len(due):
                return 0
            grouped = WriterProperties(max_row_group_size=_GROUP)
            done = opened.optimize.compact(target_size=2 * _TIERS[due[-1]], writer_properties=grouped)
            return int(done["numFilesRemoved"])

    def history(self, model: str) -> list[dict[str, Any]]:
        """The table's commits, newest first, each with what Evergreen noted of it."""
        at = self._there(model)
        return list(at.history()) if at else []

    def _there(self, model: str, table: str = ROWS) -> "DeltaTable | None":
        """The table, or None before anything has landed in it; to ask first would list its whole log once more."""
        try:
            return self._table(model, table=table)
        except NoRowsError:
            return None
        except LakeError:
            if self.exists(model, table):
                raise
            return None

    def _table(self, model: str, version: int | None = None, table: str = ROWS) -> "DeltaTable":
        from deltalake import DeltaTable
        from deltalake.exceptions import TableNotFoundError

        uri = self.uri(model, table)
        try:
            return DeltaTable(uri, version=version)
        except TableNotFoundError as error:
            made_by = "ingest" if table == ROWS else "monitor"
            raise NoRowsError(f"{model} has no {table} yet at {uri}. Run `evergreen {made_by} {model}`.") from error
        except Exception as error:
            raise LakeError(f"Cannot open {uri}: {error}") from error

    def _told_apart(
        self, model: "Model", rows: pd.DataFrame, version: int | None
    ) -> tuple["pd.Series[bool]", "pd.Series[bool]"]:
        """Which rows are new, and which replace a row of the same key with other values."""
        fresh = pd.Series(True, index=rows.index)
        changed = pd.Series(False, index=rows.index)
        if version is None or rows.empty:
            return fresh, changed
        met = self._met(model, rows, model.key, version)
        if met["known"].any():
            met = self._met(model, rows, list(model.columns), version)
        fresh[:] = ~met["known"].to_numpy(dtype=bool)
        changed[:] = met["known"].to_numpy(dtype=bool) & met["differs"].to_numpy(dtype=bool)
        return fresh, changed

    def _agree(self, model: "Model") -> None:
        """Refuse a kind that the table's column does not have: a cast would hide the contradiction."""
        kept = self._kinds(model.name) if self.exists(model.name) else {}
        alike = {one.casefold(): one for one in kept}
        for name, kind in model.columns.items():
            if kept.get(name, kind_of(kind).delta) != kind_of(kind).delta:
                raise LakeSchemaError(
                    f"{model.name}: {name!r} is declared {kind} ({kind_of(kind).delta}), but the table at "
                    f"{self.uri(model.name)} holds {kept[name]}. Declare it as it was, or give it another name."
                )
            if name not in kept and name.casefold() in alike:
                raise LakeSchemaError(
                    f"{model.name}: {name!r} differs only in case from {alike[name.casefold()]!r}, which the table "
                    f"at {self.uri(model.name)} has. Declare it as it was, or give it another name."
                )

    def _kinds(self, model: str) -> dict[str, str]:
        """The declared columns of the table of rows, and how Delta has them."""
        fields = self._table(model).schema().fields
        names = names_within(ROWS, [field.name for field in fields])
        kinds = {name: str(getattr(one.type, "type", one.type)) for name, one in zip(names, fields, strict=True)}
        return {declared(name): kind for name, kind in kinds.items() if name not in OWN[ROWS]}

    def _with_batch(self, rows: "pa.Table", batch: str, arrived: pd.Timestamp, at: "DeltaTable | None") -> "pa.Table":
        """Rows by the names that the table has, with the batch that they came with."""
        import pyarrow as pa

        named = rows if at is None else as_kept(rows, ROWS, _names(at))
        moments = pa.timestamp("us", tz="UTC")
        named = named.append_column("_batch", pa.array([batch] * len(rows), pa.string()))
        return named.append_column("_arrived", pa.array([arrived.to_pydatetime()] * len(rows), moments))

    def _met(self, model: "Model", rows: pd.DataFrame, compared: list[str], version: int) -> pd.DataFrame:
        same_key = same(model.key, "b", "t")
        kept = self._kinds(model.name)
        there = {name: column(name, "t") if name in kept else "NULL" for name in compared}
        differs = " OR ".join(f"{column(name, 'b')} IS DISTINCT FROM {side}" for name, side in there.items())
        first = column(model.key[0], "t")
        known = f"{first} IS NOT NULL"
        batch = to_arrow(rows, model).append_column("_row", positions(len(rows)))
        # Only what can meet is read and held: files are skipped by the range of their keys, and
        # the join holds the batch, however large the table.
        near = f"SELECT * FROM t SEMI JOIN b ON {same_key} WHERE {first} BETWEEN $low AND $high"
        low, high = rows[model.key[0]].agg(["min", "max"]).tolist()
        with attached() as connection:
            at = self._table(model.name, version)
            files = files_within(at, name_within(ROWS, _names(at), stored(model.key[0])), low, high)
            register(connection, "t", files, names_within(ROWS, files.schema.names))
            connection.register("b", batch)
            sql = f"SELECT {known} AS known, {known} AND ({differs}) AS differs FROM b LEFT JOIN ({near}) AS t ON {same_key} ORDER BY _row"  # noqa: E501
            return to_pandas(connection.sql(sql, params={"low": low, "high": high}).to_arrow_table())

    def _append(self, model: "Model", data: "pa.Table", properties: Any, at: "DeltaTable | None") -> None:
        from deltalake import write_deltalake

        where = self.uri(model.name) if at is None else at
        mode: Any = "error" if at is None else "append"  # who comes second to a new table has to look again
        schema: Any = None if at is None else "merge"
        made: Any = _CONFIGURATION if at is None else None
        write_deltalake(where, data, mode=mode, schema_mode=schema, configuration=made, commit_properties=properties)

    def _merge(self, model: "Model", data: "pa.Table", properties: Any, at: "DeltaTable | None") -> None:
        assert at is not None, "what is corrected is in the table"
        key = [quoted(name_within(ROWS, _names(at), stored(name))) for name in model.key]
        same_key = " AND ".join(f"b.{name} = t.{name}" for name in key)
        merger = at.merge(
            data, same_key, source_alias="b", target_alias="t", merge_schema=True, commit_properties=properties
        )
        merger.when_matched_update_all().when_not_matched_insert_all().execute()


def _names(at: "DeltaTable") -> list[str]:
    """The names of a table's columns as they are stored."""
    return [field.name for field in at.schema().fields]


def _literal(value: Any) -> str:
    """A value as Delta's conditions write it."""
    if isinstance(value, bool | int | float):
        return repr(value).lower()
    return literal(value.isoformat() if isinstance(value, datetime) else str(value))


def _commit(app: str, mark: pd.Timestamp, note: dict[str, Any]) -> Any:
    from deltalake import CommitProperties, Transaction

    metadata = {f"evergreen.{name}": str(value) for name, value in note.items()}
    transaction = Transaction(app_id=app, version=mark.value // 1000)
    # No retry: whoever finds that another has committed since it looked has to look again.
    return CommitProperties(custom_metadata=metadata, app_transactions=[transaction], max_commit_retries=0)
