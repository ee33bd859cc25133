"""Rows of before the period of the next batch, read again and compared with the lake: corrections of long ago."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from evergreen.definition import row_ids, sources
from evergreen.definition.model import ROW_KEY
from evergreen.frames import with_columns
from evergreen.ingestion import erased_rows, label_feedback, late
from evergreen.ingestion.batch import LATE, Batch, batch_id, check, compared
from evergreen.ingestion.periods import around_doubled_hours
from evergreen.ingestion.quarantine import Quarantine
from evergreen.ingestion.schema import cast
from evergreen.ingestion.sources.shared import within
from evergreen.lake.arrow import positions, to_arrow
from evergreen.lake.lake import ROWS, Lake
from evergreen.sql import column, columns, stored

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evergreen.definition.model import Model

_TOLD = 3  # files by name


def periods(
    model: "Model", lake: Lake, quarantine: Quarantine, since: pd.Timestamp, due: pd.Timestamp | None
) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """The periods from a time up to the next batch, each no longer than a batch.

    Parameters
    ----------
    model : Model
    lake : Lake
    quarantine : Quarantine
    since : Timestamp
    due : Timestamp or None
        Where the next batch begins; None if none is due, and all that was ingested is compared.
    """
    if due is None:
        marks = (lake.watermark(model.name), quarantine.watermark(model.name))
        due = max((mark for mark in marks if mark is not None), default=since)
    return around_doubled_hours(sources.periods(model.source, since, due), model.timezone)


def after(lake: Lake, model: "Model", as_of: pd.Timestamp) -> pd.Timestamp:
    """When the first of such batches arrives: after all late ones, whose watermark it moves."""
    mark = lake.watermark(model.name, LATE)
    return as_of if mark is None else max(as_of, mark + pd.Timedelta(1, "us"))


def of_period(
    model: "Model",
    lake: Lake,
    quarantine: Quarantine,
    since: pd.Timestamp,
    until: pd.Timestamp,
    arrived: pd.Timestamp,
) -> Batch | None:
    """The rows of ``[since, until)`` that the lake lacks or holds with other values, checked; None without any.

    Rows that are in quarantine with the same values are left out, and so are erased ones.

    Parameters
    ----------
    arrived : Timestamp
        When they are ingested; different for each batch, since it is the watermark of late batches.

    Raises
    ------
    SourceError
        The source cannot be read.
    """
    number = f"late-{batch_id(model.name, since, arrived)}"
    read = within(model.source.read(model, since, until, lake), model, since, until)
    rows = quarantine.without_quarantined(model, read, number, since)
    rows = _differing(model, lake, quarantine, rows)
    if rows.empty:
        return None
    origin = model.source.origin(model, since, until)
    checked = compared(model, lake, rows, check(model, rows, until))
    return Batch(model, number, since, until, arrived, rows, checked, origin, app=LATE)


def _differing(model: "Model", lake: Lake, quarantine: Quarantine, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows that the lake does not hold as they are; all that do not fit the schema, which is told."""
    fitting, problems = cast(rows, model)
    if rows.empty or problems or not lake.exists(model.name):
        return rows
    keyed = with_columns(rows, {ROW_KEY: fitting[ROW_KEY]}) if model.identified_by_content else rows
    fitting = label_feedback.with_stored_feedback(lake, model, fitting)
    differ = ~_held(model, lake, fitting, list(model.columns))
    known = _held(model, lake, fitting, model.key)
    if late.forgets_erased(lake, model):
        differ &= known
    erased = quarantine.erased(model.name)
    new = differ & ~known
    if erased and new.any():
        gone = [row in erased for row in erased_rows.hashed(row_ids.ids(model, fitting[new]))]
        differ[np.flatnonzero(new)[gone]] = False
    return keyed[differ].reset_index(drop=True)


def _held(model: "Model", lake: Lake, fitting: pd.DataFrame, names: list[str]) -> "NDArray[np.bool_]":
    """Which rows the lake holds with the same values in these columns."""
    there = set(lake.columns(model.name))
    if not {*names} <= there:
        return np.zeros(len(fitting), dtype=bool)
    first = model.key[0]
    low, high = fitting[first].agg(["min", "max"]).tolist()
    held = f"SELECT {columns(names)} FROM {ROWS} WHERE {column(first)} BETWEEN $low AND $high"
    alike = " AND ".join(f"{column(name, 'given')} IS NOT DISTINCT FROM {column(name, 'held')}" for name in names)
    sql = f'SELECT "_row" AS n FROM given SEMI JOIN ({held}) AS held ON {alike}'
    given = to_arrow(fitting, model)
    given = given.select([stored(name) for name in names]).append_column("_row", positions(len(fitting)))
    found = lake.query(model, sql, {"low": low, "high": high}, beside={"given": given})["n"]
    return np.isin(np.arange(len(fitting)), found.to_numpy())


def rewritten(model: "Model", lake: Lake, quarantine: Quarantine, before: pd.Timestamp) -> str:
    """What is told of files that were changed otherwise than at their end, where corrections are not looked for.

    What the files are is kept for the next time. Empty where all is as it was, or rows were only added.

    Parameters
    ----------
    before : Timestamp
        Where the next batch begins: later rows are read again.
    """
    known = quarantine.files(model.name)
    files, now = model.source.rewritten(known)
    if now != known:
        quarantine.keep_files(model.name, now)
    if not files or not lake.exists(model.name):
        return ""
    first = lake.query(model, f"SELECT min({column(model.time)}) AS t FROM {ROWS}")["t"][0]
    if pd.isna(first) or first >= before:
        return ""
    more = f" and {len(files) - _TOLD:,} more" if len(files) > _TOLD else ""
    return (
        f"{', '.join(files[:_TOLD])}{more} was changed since the last ingest, and not only at its end; rows of before "
        f"{before:%Y-%m-%d %H:%M} that were corrected there are not in the lake yet. To take them in: "
        f"`evergreen ingest {model.name} --since {first:%Y-%m-%d}`"
    )
