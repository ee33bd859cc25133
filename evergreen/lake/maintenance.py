"""Maintenance of the tables: compaction, retention, and erasure from their history."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from evergreen.errors import BusyError, LockError
from evergreen.lake import log_erasure
from evergreen.lake.arrow import name_within, names_within
from evergreen.lake.connection import attached, column_names, register
from evergreen.lake.lake import LABELS, ROWS, SERVED, TABLES, Lake, Named
from evergreen.locks import model_lock
from evergreen.sql import any_of, literal, quoted

if TYPE_CHECKING:
    from deltalake import DeltaTable

    from evergreen.definition.model import Model

Conditions = Sequence[Mapping[str, Any]]
# Sizes in bytes of the files that are compacted together, and how many files trigger it.
# Larger files are left alone: compacting mixes the rows of different days.
_TIERS, _SEVERAL = (125_000, 1_000_000, 8_000_000), 8
_AT_ONCE = 100  # conditions in one deletion: DataFusion reads them recursively
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
    with suppress(BusyError, LockError), model_lock(name, "ingest"):
        replaced += lake.compact(name, ROWS)
    return replaced


def count_matching(lake: Lake, model: Named, table: str, conditions: Conditions) -> int:
    """How many rows of a table meet one of these conditions: values by stored name."""
    where, bounds = any_of(conditions)
    sql = f"SELECT count(*) AS n FROM {table} WHERE {where}"
    return int(lake.query(model, sql, bounds, tables=[table])["n"][0])


def compact_files(opened: "DeltaTable") -> int:
    """Merge small files of a table once there are several of similar size.

    Every batch and every check adds a file, and every reader opens all of them. Only files of similar size are
    merged: if each week's file were merged into the year's, the year would be rewritten each week and its rows
    mixed more and more, until a query of one week had to read every file.

    Returns
    -------
    int
        How many files were replaced.
    """
    from deltalake import WriterProperties

    sizes = opened.get_add_actions(flatten=True).column("size_bytes").to_numpy()
    counts = np.bincount(np.digitize(sizes, _TIERS), minlength=len(_TIERS))[: len(_TIERS)]
    due = np.flatnonzero(counts >= _SEVERAL)
    if not len(due):
        return 0
    grouped = WriterProperties(max_row_group_size=_GROUP)
    result = opened.optimize.compact(target_size=2 * _TIERS[due[-1]], writer_properties=grouped)
    return int(result["numFilesRemoved"])


def erase_rows(opened: "DeltaTable", table: str, conditions: Conditions) -> None:
    """Delete the rows of a table that meet one of these conditions."""
    stored_names = column_names(opened)
    for first in range(0, len(conditions), _AT_ONCE):
        parts = [
            " AND ".join(
                f"{quoted(name_within(table, stored_names, name))} = {_literal(value)}" for name, value in some
            )
            for some in (wanted.items() for wanted in conditions[first : first + _AT_ONCE])
        ]
        opened.delete(" OR ".join(f"({part})" for part in parts))


def erase_history(opened: "DeltaTable", table: str, conditions: Conditions) -> None:
    """Remove the files of old versions that hold such rows, including those of an interrupted erasure."""
    import pyarrow as pa
    from fsspec.core import url_to_fs
    from pyarrow.dataset import dataset

    files, root = url_to_fs(opened.table_uri)
    where, bounds = any_of(conditions)
    erased = set()
    for name in opened.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=True):
        path = f"{root.rstrip('/')}/{name}"
        if not files.exists(path):  # an earlier erasure has removed it
            erased.add(name)
            continue
        with attached() as connection:
            schema = pa.schema(opened.schema().to_arrow())
            old = dataset(path, schema=schema, filesystem=files, format="parquet")
            register(connection, "old", old, names_within(table, schema.names))
            result = connection.sql(f"SELECT 1 FROM old WHERE {where} LIMIT 1", params=bounds)
            matches = result.fetchall()
        if matches:
            files.rm_file(path)
            erased.add(name)
    if log_erasure.remove_values(files, f"{root.rstrip('/')}/_delta_log", erased):
        opened.create_checkpoint()


def _literal(value: Any) -> str:
    """A value as Delta's conditions write it."""
    if isinstance(value, bool | int | float):
        return repr(value).lower()
    return literal(value.isoformat() if isinstance(value, datetime) else str(value))
