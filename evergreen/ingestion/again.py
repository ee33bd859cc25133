"""Rows of before the period of the next batch, read again and compared with the lake: corrections of long ago."""

from typing import TYPE_CHECKING

import pandas as pd

from evergreen.definition import sources
from evergreen.definition.model import ROW_KEY
from evergreen.frames import with_columns
from evergreen.ingestion import label_feedback, late
from evergreen.ingestion.batch import LATE
from evergreen.ingestion.periods import around_doubled_hours
from evergreen.ingestion.quarantine import Quarantine
from evergreen.ingestion.schema import cast
from evergreen.lake.lake import ROWS, Lake
from evergreen.sql import column

if TYPE_CHECKING:
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


def differing(model: "Model", lake: Lake, quarantine: Quarantine, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows that the lake does not hold as they are; all that do not fit the schema, which is told."""
    fitting, problems = cast(rows, model)
    if rows.empty or problems or not lake.exists(model.name):
        return rows
    keyed = with_columns(rows, {ROW_KEY: fitting[ROW_KEY]}) if model.identified_by_content else rows
    fitting = label_feedback.with_stored_feedback(lake, model, fitting)
    differ = ~late.held(model, lake, fitting, list(model.columns))
    known = late.held(model, lake, fitting, model.key)
    if late.forgets_erased(lake, model):
        differ &= known
    return keyed[differ & ~late.are_erased(model, quarantine, fitting, differ & ~known)].reset_index(drop=True)


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
