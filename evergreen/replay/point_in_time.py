"""A model's lake as it was known at a point in time; no query can read anything later."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen.definition.label_delay import known_at_sql
from evergreen.errors import LakeError
from evergreen.lake.arrow import to_pandas
from evergreen.lake.connection import attached, explained
from evergreen.lake.lake import ROWS, Lake, Named
from evergreen.sql import column, stored

if TYPE_CHECKING:
    import pyarrow as pa

    from evergreen.definition.model import Model

_END = pd.Timestamp("2200-01-01", tz="UTC")


@dataclass(frozen=True)
class PointInTimeLake:
    """One model's rows up to a point in time, and in memory the tables that are written beside them.

    A row is visible from its ingest or its last correction on; a row of the very first ingest, which
    loads the history, is visible from the time of its event on. A label is visible once it was
    known, by the model file's `label_time` or `label_delay`; until then it and its `label_time` are
    missing.

    Attributes
    ----------
    model : Model
    table : str
        The name of a table in DuckDB's memory, ordered by time, with `_visible` and `_known`.
    news : array of int
        The times at which anything became known, in us since the epoch, ascending: the versions of the table.
    moment : Timestamp
    kept : dict of name to pyarrow.Table
        The tables that were written.
    """

    model: "Model"
    table: str
    news: NDArray[np.int64]
    moment: pd.Timestamp = _END
    kept: "dict[str, pa.Table]" = field(default_factory=dict)

    @classmethod
    def of(cls, lake: Lake, model: "Model", version: int) -> "PointInTimeLake":
        """Read all rows of a version of the model's table once.

        Raises
        ------
        LakeError
            They cannot be read.
        """
        rows = lake.rows(model, [*map(stored, model.columns), "_arrived"], version)
        time, target, table = column(model.time), column(model.target), f"past_{uuid4().hex}"
        label_known = known_at_sql(model)
        after = f"{time} + INTERVAL 1 microsecond"  # only earlier rows are visible at a point in time
        is_first_load = '"_arrived" = (SELECT min("_arrived") FROM found)'
        visible = f'CASE WHEN {is_first_load} THEN {after} ELSE greatest({after}, "_arrived") END'
        with attached() as connection:
            connection.register("found", rows)
            has_label = f"{target} IS NOT NULL AND {label_known} IS NOT NULL"  # DuckDB's greatest ignores NULL
            known = f'CASE WHEN {has_label} THEN greatest("_visible", {label_known}) END'
            source = f'(SELECT *, {visible} AS "_visible" FROM found)'
            sql = f'CREATE TABLE {table} AS SELECT *, {known} AS "_known" FROM {source} ORDER BY {time}'
            connection.execute(sql)
            sql = f"""SELECT epoch_us("_visible") AS moment FROM {table} UNION
                SELECT epoch_us("_known") FROM {table} WHERE "_known" IS NOT NULL ORDER BY moment"""
            news = connection.execute(sql).fetchnumpy()["moment"]
        return cls(model, table, np.asarray(news, dtype=np.int64))

    def at(self, moment: pd.Timestamp) -> "PointInTimeLake":
        """The same lake at another time; it shares the written tables."""
        return replace(self, moment=moment)

    def without_written(self) -> "PointInTimeLake":
        """The same lake without written tables."""
        return replace(self, kept={})

    def uri(self, model: str, table: str = ROWS) -> str:
        """A name for a table, for messages; it is not stored anywhere."""
        return f"the past/{model}/{table}"

    def exists(self, model: str, table: str = ROWS) -> bool:
        """Whether anything was written to it, at any time."""
        return table == ROWS or table in self.kept

    def version(self, model: str) -> int:
        """The latest time, in us, at which anything became known."""
        place = int(np.searchsorted(self.news, self.moment.value // 1000, side="right"))
        return int(self.news[place - 1]) if place else 0

    def columns(self, model: str, version: int | None = None) -> list[str]:
        """The declared columns of the table of rows."""
        return list(self.model.columns)

    def schema(self, model: str, table: str) -> "pa.Schema | None":
        """The schema of a written table."""
        return self.kept[table].schema if table in self.kept else None

    def append(self, model: str, table: str, rows: "pa.Table", once: tuple[str, int] | None = None) -> None:
        """Add rows to a table in memory."""
        import pyarrow as pa

        stored_tables = [self.kept[table]] if table in self.kept else []
        self.kept[table] = pa.concat_tables([*stored_tables, rows], promote_options="default")

    def replace(self, model: str, table: str, rows: "pa.Table", where: str) -> None:
        """Replace the rows that meet a condition."""
        if table in self.kept:
            with attached() as connection:
                connection.register("there", self.kept[table])
                others = f"SELECT * FROM there WHERE NOT ({where})"
                self.kept[table] = connection.sql(others).to_arrow_table().cast(self.kept[table].schema)
        self.append(model, table, rows)

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
        """Query the known rows and the written tables, in DuckDB's SQL."""
        with explained(f"read {self.uri(model.name, *tables[:1])}"), attached() as connection:
            for table in tables:
                if table == ROWS:
                    self._register_rows(connection, version)
                else:
                    connection.register(table, self.kept[table])
            for name, table_beside in (beside or {}).items():
                connection.register(name, table_beside)
            return to_pandas(connection.sql(sql, params=bounds or {}).to_arrow_table())

    def _refused(self, *_: Any, **__: Any) -> Any:
        """An operation that only the production lake supports.

        Raises
        ------
        LakeError
            Always.
        """
        raise LakeError(f"The history of {self.model.name} is read-only in a replay.")

    watermark = noted = newest = rows = land = extend = compact = delete_before = erase = _refused

    def _register_rows(self, connection: Any, version: int | None) -> None:
        """Register the rows as they were known with a connection."""
        at = self.moment.value // 1000 if version is None else min(version, self.moment.value // 1000)
        now, label_names = f"make_timestamptz({at})", [self.model.target, *filter(None, [self.model.label_time])]
        label_columns = [
            f'CASE WHEN "_known" <= {now} THEN {column(name)} END AS {column(name)}' for name in label_names
        ]
        other_columns = [column(name) for name in self.model.columns if name not in label_names]
        arrived = f'CASE WHEN "_known" <= {now} THEN "_known" ELSE "_visible" END AS "_arrived"'
        wanted = ", ".join([*other_columns, *label_columns, arrived])
        connection.execute(
            f'CREATE OR REPLACE TEMP VIEW {ROWS} AS SELECT {wanted} FROM {self.table} WHERE "_visible" <= {now}'
        )
