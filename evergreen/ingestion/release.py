"""Out of quarantine: release a batch as it is (the contract was wrong), read it again, or drop it."""

from dataclasses import replace

import pandas as pd

from evergreen.definition.model import Model
from evergreen.errors import QuarantineError
from evergreen.ingestion import contract, label_feedback
from evergreen.ingestion.batch import Batch, Checked, check, check_labels
from evergreen.ingestion.contract import Report
from evergreen.ingestion.quarantine import Entry, Quarantine
from evergreen.ingestion.schema import cast
from evergreen.lake import audit_log
from evergreen.lake.lake import Lake
from evergreen.lake.landing import Landed
from evergreen.locks import alone
from evergreen.sql import columns


def release(
    lake: Lake, quarantine: Quarantine, model: Model, batch: str, note: str, at: pd.Timestamp, by: str = ""
) -> Landed:
    """Land a quarantined batch; once, however often this runs.

    A row that a later batch has landed since keeps that batch's values.

    Parameters
    ----------
    lake : Lake
    quarantine : Quarantine
    model : Model
    batch, note : str
    at : Timestamp
        The moment of the release.
    by : str, optional
        Who wants it, for the record.

    Raises
    ------
    QuarantineError
        There is no such batch, it was dropped, or its rows do not fit the table itself: schema,
        unique keys, times.
    """
    with alone(model.name, "ingest"):
        entry = quarantine.entry(model.name, batch)
        if entry.state == "dropped":
            raise QuarantineError(f"{model.name} {batch} was dropped before: {entry.note or 'no note'}.")
        arrived = pd.Timestamp(entry.arrived)
        rows = quarantine.rows(entry)
        waiting = _again(model, entry, rows, _castable(model, entry, rows), arrived)
        if not waiting.checked.report.success:
            why = "; ".join(f"{result.column}: {result.found}" for result in waiting.checked.report.failures)
            raise QuarantineError(f"{model.name} {batch} cannot be released, the table could not hold it: {why}.")
        fresh = _not_brought_since(lake, model, waiting.checked.rows, arrived)
        _keep(lake, entry, "released", note, at, by)
        landed = replace(waiting, checked=replace(waiting.checked, rows=fresh)).land(lake)
        quarantine.close(entry, "released", note)
    return landed


def retry(
    lake: Lake, quarantine: Quarantine, model: Model, batch: str, note: str, arrived: pd.Timestamp, by: str = ""
) -> Landed:
    """Read the period of a held batch from the source again, and land it if it now meets the contract.

    Parameters
    ----------
    lake : Lake
    quarantine : Quarantine
    model : Model
    batch, note : str
    arrived : Timestamp
        The moment that it counts as taken in.
    by : str, optional
        Who wants it, for the record.

    Raises
    ------
    QuarantineError
        There is no such batch, it was released or dropped, or what the source gives still breaks
        the contract; it stays as it was.
    """
    with alone(model.name, "ingest"):
        entry = quarantine.entry(model.name, batch)
        if entry.state != "held":
            raise QuarantineError(f"{model.name} {batch} was {entry.state} before: {entry.note or 'no note'}.")
        since, until = pd.Timestamp(entry.since), pd.Timestamp(entry.until)
        if entry.app == label_feedback.POSTED:  # labels that were posted since may correct those that broke it
            rows = label_feedback.corrected(lake, model, since, arrived)
            checked = check_labels(model, rows)
        else:
            rows = model.source.read(model, since, until, lake)
            checked = check(model, rows, until)
        asked = _again(model, entry, rows, checked, arrived)
        if not checked.report.success:
            why = "; ".join(asked.notes)
            raise QuarantineError(f"{model.name} {batch} still breaks its contract: {why}. Mend the source first.")
        _keep(lake, entry, "asked for again", note, arrived, by)
        landed = asked.land(lake)
        quarantine.close(entry, "released", note or "asked for again")
    return landed


def drop(
    lake: Lake, quarantine: Quarantine, model: str, batch: str, note: str, at: pd.Timestamp, by: str = ""
) -> Entry:
    """Drop a batch: its rows never reach the table, its report is kept.

    Raises
    ------
    QuarantineError
        There is no such batch, or it was released before.
    """
    entry = quarantine.entry(model, batch)
    if entry.state != "released":
        _keep(lake, entry, "dropped", note, at, by)
    return quarantine.close(entry, "dropped", note)


def _keep(lake: Lake, entry: Entry, fate: str, note: str, at: pd.Timestamp, by: str) -> None:
    detail = {"fate": fate, "note": note}
    audit_log.write(lake, entry.model, "quarantine", entry.batch, at, by=by, detail=detail)


def _again(model: Model, entry: Entry, rows: pd.DataFrame, checked: Checked, arrived: pd.Timestamp) -> Batch:
    """A held batch to be landed, with a Delta application of its own, so that it lands once."""
    since, until, app = pd.Timestamp(entry.since), pd.Timestamp(entry.until), f"evergreen.release.{entry.batch}"
    return Batch(model, entry.batch, since, until, arrived, rows, checked, app=app)


def _castable(model: Model, entry: Entry, rows: pd.DataFrame) -> Checked:
    """Check the rows against the table's own requirements: schema, unique keys, times."""
    fitting, problems = cast(rows, model)
    if problems:
        return Checked(rows, Report(len(rows), problems))
    asked = contract.required(model, pd.Timestamp(entry.until))
    return Checked(fitting, contract.check(fitting, asked, model.serving.private))


def _not_brought_since(lake: Lake, model: Model, rows: pd.DataFrame, arrived: pd.Timestamp) -> pd.DataFrame:
    if not lake.exists(model.name):
        return rows
    sql = f'SELECT {columns(model.key)} FROM rows WHERE "_arrived" > $arrived'
    later = lake.query(model, sql, {"arrived": arrived.to_pydatetime()})
    met = pd.MultiIndex.from_frame(rows[model.key]).isin(pd.MultiIndex.from_frame(later))
    return rows[~met].reset_index(drop=True)
