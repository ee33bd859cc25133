"""Maintenance of the tables: compaction and retention."""

from contextlib import suppress
from typing import TYPE_CHECKING

import pandas as pd

from evergreen.errors import BusyError
from evergreen.lake.lake import LABELS, ROWS, SERVED, TABLES, Lake
from evergreen.locks import alone

if TYPE_CHECKING:
    from evergreen.definition.model import Model


def forget(lake: Lake, model: "Model", as_of: pd.Timestamp) -> int:
    """Delete what was answered and labelled longer ago than the model file wants it kept; how many rows."""
    if model.serving.retention is None:
        return 0
    before = as_of - model.serving.retention
    return lake.forget(model.name, SERVED, "_time", before) + lake.forget(model.name, LABELS, "_arrived", before)


def tidy(lake: Lake, name: str) -> int:
    """Put the small files of a model's tables together; those of its rows at the next check if they are being written.

    Returns
    -------
    int
        How many files were replaced.
    """
    replaced = sum(lake.compact(name, table) for table in TABLES if table != ROWS)
    with suppress(BusyError), alone(name, "ingest"):
        replaced += lake.compact(name, ROWS)
    return replaced
