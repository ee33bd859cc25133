"""Maintenance of the tables: compaction, retention, and erasure from their history."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from evergreen.errors import BusyError
from evergreen.lake import delta_log
from evergreen.lake.arrow import name_within, names_within
from evergreen.lake.connection import attached, column_names, register
from evergreen.lake.lake import LABELS, ROWS, SERVED, TABLES, Lake, Named
from evergreen.locks import alone
from evergreen.sql import equal, literal, quoted

if TYPE_CHECKING:
    from deltalake import DeltaTable

    from evergreen.definition.model import Model

# Sizes in bytes of the files that are compacted together, and how many files trigger it.
# Larger files are left alone: compacting mixes the rows of different days.
_TIERS, _SEVERAL = (125_000, 1_000_000, 8_000_000), 8
_GROUP = 65_536  # rows that are skipped or read together: a period of a long table is a few of them


def apply_retention(lake: Lake, model: "Model", as_of: pd.Timestamp) -> int:
    """Delete served predictions and label feedback older than the retention; return how many rows."""
    if model.serving.retention is None:
        return 0
    before = as_of - model.serving.retention
    served = lake.delete_before(model.name, SERVED, "_time", before)
    return served + lake.delete_before(model.name, LABELS, "_arrived", before)


def compact_tables(lake: Lake, name: str) -> int:
    """Compact all tables of a model; the table of rows is skipped while an ingest writes to it.

    Returns
    -------
    int
        How many files were replaced.
    """
    replaced = sum(lake.compact(name, table) for table in TABLES if table != ROWS)
    with suppress(BusyError), alone(name, "ingest"):
        replaced += lake.compact(name, ROWS)
    return replaced


def count_matching(lake: Lake, model: Named, table: str, wanted: Mapping[str, Any]) -> int:
    """How many rows of a table have these values in columns of these stored names."""
    where, bounds = equal(wanted)
    sql = f"SELECT count(*) AS n FROM {table} WHERE {where}"
    return int(lake.query(model, sql, bounds, tables=[table])["n"][0])


def compact_files(opened: "DeltaTable") -> int:
    """Put small files of a table together, once there are several of about a size.

    Every batch and every check adds a file, and every reader looks at all of them. A file is put together with
    its like only: a year that took in every week's would be written anew each week, its days mixed more and
    more by that, until a reader of one week finds rows of it everywhere.

    Returns
    -------
    int
        How many files were replaced.
    """
    from deltalake import WriterProperties

    sizes = opened.get_add_actions(flatten=True).column("size_bytes").to_numpy()
    alike = np.bincount(np.digitize(sizes, _TIERS), minlength=len(_TIERS))[: len(_TIERS)]
    due = np.flatnonzero(alike >= _SEVERAL)
    if not len(due):
        return 0
    grouped = WriterProperties(max_row_group_size=_GROUP)
    done = opened.optimize.compact(target_size=2 * _TIERS[due[-1]], writer_properties=grouped)
    return int(done["numFilesRemoved"])


def erase_rows(opened: "DeltaTable", table: str, wanted: Mapping[str, Any]) -> None:
    """Delete the rows of a table that have these values."""
    kept = column_names(opened)
    named = {quoted(name_within(table, kept, name)): value for name, value in wanted.items()}
    opened.delete(" AND ".join(f"{name} = {_literal(value)}" for name, value in named.items()))


def erase_history(opened: "DeltaTable", table: str, wanted: Mapping[str, Any]) -> None:
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


def _literal(value: Any) -> str:
    """A value as Delta's conditions write it."""
    if isinstance(value, bool | int | float):
        return repr(value).lower()
    return literal(value.isoformat() if isinstance(value, datetime) else str(value))
