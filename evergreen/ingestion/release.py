"""Release a batch from quarantine as it is, read it from the source again, or drop it."""

from dataclasses import replace

import pandas as pd

from evergreen.definition import disclosure
from evergreen.definition.model import Model
from evergreen.errors import QuarantineError
from evergreen.ingestion import contract, label_feedback
from evergreen.ingestion.batch import Batch, Checked, check, check_labels
from evergreen.ingestion.contract import Report
from evergreen.ingestion.quarantine import Entry, Quarantine
from evergreen.ingestion.schema import cast, each_once
from evergreen.lake import audit_log
from evergreen.lake.lake import Lake
from evergreen.lake.landing import Landed
from evergreen.locks import model_lock
from evergreen.sql import columns


def release(
    lake: Lake, quarantine: Quarantine, model: Model, batch: str, note: str, at: pd.Timestamp, by: str = ""
) -> Landed:
    """Land a quarantined batch; repeating this changes nothing.

    A row that a later batch has landed since keeps that batch's values. What lands counts as known from its release
    on: nothing has seen it before.

    Parameters
    ----------
    lake : Lake
    quarantine : Quarantine
    model : Model
    batch, note : str
    at : Timestamp
        The time of the release.
    by : str, optional
        Who requested it, for the audit log.

    Raises
    ------
    QuarantineError
        There is no such batch, it was dropped, or its rows do not fit the table itself: schema,
        unique keys, times.
    """
    with model_lock(model.name, "ingest"):
        entry = quarantine.entry(model.name, batch)
        if entry.state == "dropped":
            raise QuarantineError(f"{model.name} {batch} was dropped before: {entry.note or 'no note'}.")
        rows = quarantine.rows(entry)
        batch_to_land = _release_batch(model, entry, rows, _castable(model, entry, rows), at)
        if not batch_to_land.checked.report.success:
            reasons = "; ".join(
                f"{result.column!r}: {result.found}" for result in batch_to_land.checked.report.failures
            )
            raise QuarantineError(
                f"{model.name} {batch} cannot be released, because it does not fit the table: {reasons}. Correct the "
                "source and retry the batch, or drop it."
            )
        remaining = _without_newer_rows(lake, quarantine, model, entry, batch_to_land.checked.rows)
        first = entry.state == "held"  # asking again changes nothing, also not who did it and why
        if first:
            _log_action(lake, entry, "released", note, at, by)
        landed = replace(batch_to_land, checked=replace(batch_to_land.checked, rows=remaining)).land(lake)
        quarantine.forget_surplus(entry)
        if first:
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
        The time that counts as its arrival.
    by : str, optional
        Who requested it, for the audit log.

    Raises
    ------
    QuarantineError
        There is no such batch, it was released or dropped, or the rows of the source still break
        the contract; it stays in quarantine.
    """
    with model_lock(model.name, "ingest"):
        entry = quarantine.entry(model.name, batch)
        if entry.state != "held":
            raise QuarantineError(f"{model.name} {batch} was {entry.state} before: {entry.note or 'no note'}.")
        since, until = pd.Timestamp(entry.since), pd.Timestamp(entry.until)
        if entry.app == label_feedback.FEEDBACK:  # newer label feedback may correct the labels that broke it
            rows = label_feedback.corrected(lake, model, since, arrived)
            checked = check_labels(model, rows)
        else:
            rows = model.source.read(model, since, until, lake)
            checked = check(model, rows, until)
        batch_to_land = _release_batch(model, entry, rows, checked, arrived)
        if not checked.report.success:
            reasons = "; ".join(batch_to_land.notes)
            raise QuarantineError(f"{model.name} {batch} still breaks its contract: {reasons}. Fix the source first.")
        _log_action(lake, entry, "asked for again", note, arrived, by)
        landed = batch_to_land.land(lake)
        quarantine.forget_surplus(entry)
        quarantine.close(replace(entry, arrived=arrived.isoformat()), "released", note or "asked for again")
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
    with model_lock(model, "ingest"):  # none that is being released
        entry = quarantine.entry(model, batch)
        if entry.state == "dropped":
            return entry
        if entry.state == "held":
            _log_action(lake, entry, "dropped", note, at, by)
        return quarantine.close(entry, "dropped", note)


def _log_action(lake: Lake, entry: Entry, fate: str, note: str, at: pd.Timestamp, by: str) -> None:
    detail = {"fate": fate, "note": note}
    audit_log.write(lake, entry.model, "quarantine", entry.batch, at, by=by, detail=detail)


def _release_batch(model: Model, entry: Entry, rows: pd.DataFrame, checked: Checked, arrived: pd.Timestamp) -> Batch:
    """A quarantined batch to land, with a Delta application of its own, so that it lands once."""
    since, until, app = pd.Timestamp(entry.since), pd.Timestamp(entry.until), f"evergreen.release.{entry.batch}"
    return Batch(model, entry.batch, since, until, arrived, rows, checked, app=app)


def _castable(model: Model, entry: Entry, rows: pd.DataFrame) -> Checked:
    """Check the rows against the table's own requirements: schema, unique keys, times."""
    fitting, problems = cast(rows, model)
    if problems:
        return Checked(rows, Report(len(rows), problems))
    fitting, _ = each_once(fitting, rows, model)
    expectations = contract.required(model, pd.Timestamp(entry.until))
    return Checked(fitting, contract.check(fitting, expectations, disclosure.without_examples(model)))


def _without_newer_rows(
    lake: Lake, quarantine: Quarantine, model: Model, entry: Entry, rows: pd.DataFrame
) -> pd.DataFrame:
    """The rows that no batch has landed that was read later; when a batch was released does not count."""
    if not lake.exists(model.name):
        return rows
    arrived = pd.Timestamp(entry.arrived)
    released = [other for other in quarantine.entries(model.name) if other.state == "released"]
    older = [entry.batch, *(other.batch for other in released if pd.Timestamp(other.arrived) <= arrived)]
    sql = f'SELECT {columns(model.key)} FROM rows WHERE "_arrived" > $arrived AND NOT list_contains($older, "_batch")'
    later = lake.query(model, sql, {"arrived": arrived.to_pydatetime(), "older": older})
    replaced = pd.MultiIndex.from_frame(rows[model.key]).isin(pd.MultiIndex.from_frame(later))
    return rows[~replaced].reset_index(drop=True)
