"""Ingest one batch: read the source, check the contract, land the batch or put it into quarantine."""

from dataclasses import replace
from typing import Any

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE

from evergreen.definition import loader
from evergreen.ingestion import again, batch, late
from evergreen.ingestion.batch import Batch, Ingested, undeclared
from evergreen.ingestion.label_feedback import FEEDBACK
from evergreen.reports import html
from evergreen.stores import Stores
from tasks.support.events import emit, log_action
from tasks.support.retries import DELAYS, is_unavailable


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=is_unavailable)
def ingest(stores: Stores, name: str, since: pd.Timestamp, until: pd.Timestamp, as_of: pd.Timestamp) -> Ingested:
    """Ingest the rows of ``[since, until)``; the same period again changes nothing."""
    return land_or_quarantine(
        stores, batch.of_source(loader.load(name), stores.lake, stores.quarantine, since, until, as_of)
    )


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=is_unavailable)
def ingest_late(stores: Stores, name: str, before: pd.Timestamp, as_of: pd.Timestamp) -> list[Ingested]:
    """Ingest the rows of before a moment that the source holds and the lake lacks; again, it changes nothing."""
    model, lake, quarantine = loader.load(name), stores.lake, stores.quarantine
    kept, more = quarantine.surplus(name), late.surplus(model, lake, before)
    known = late.still_there(kept, more)
    periods, batches = late.periods(model, more, known, before), []
    if known != kept:
        quarantine.keep_surplus(name, known)
    if periods and late.forgets_erased(lake, model):
        quarantine.keep_surplus(name, more)
        return [late.left_out(model, more, known, before, as_of)]
    for place, (since, until) in enumerate(periods):
        batch = late.of_period(
            model, lake, quarantine, since, until, as_of + place * pd.Timedelta(1, "us"), late.missing
        )
        batches += [land_or_quarantine(stores, batch)] if batch else []
    if periods:
        more = late.surplus(model, lake, before) if batches else more
        quarantine.keep_surplus(name, more)
    if more and not batches and not lake.exists(name):
        return [late.given_up(model, more, before, as_of)]
    return batches


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=is_unavailable)
def ingest_again(
    stores: Stores, name: str, since: pd.Timestamp, due: pd.Timestamp | None, as_of: pd.Timestamp
) -> list[Ingested]:
    """Compare the source's rows from a time up to the next batch with the lake, and ingest those that differ."""
    model, lake, quarantine = loader.load(name), stores.lake, stores.quarantine
    arrived, batches = again.after(lake, model, as_of), []
    for place, (low, high) in enumerate(again.periods(model, lake, quarantine, since, due)):
        moment = arrived + place * pd.Timedelta(1, "us")
        batch = late.of_period(model, lake, quarantine, low, high, moment, again.differing)
        batches += [land_or_quarantine(stores, batch)] if batch else []
    return batches


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=is_unavailable)
def look_at_files(
    stores: Stores, name: str, due: pd.Timestamp, batches: list[Ingested], *, told: bool
) -> list[Ingested]:
    """Tell, with the first batch, of files that were changed otherwise than at their end.

    Not if all rows from some time on were compared, since then somebody knows.
    """
    note = again.rewritten(loader.load(name), stores.lake, stores.quarantine, due)
    first, *others = batches
    return [replace(first, notes=[*first.notes, note]), *others] if note and told else batches


def land_or_quarantine(stores: Stores, batch: Batch) -> Ingested:
    """Audit and write a batch by its fate and emit its event; each write happens once, however often this runs."""
    if batch.fate == "empty":
        return batch.ingested()
    _audit(stores, batch)
    ingested = _write(stores, batch)
    _emit(stores, ingested)
    _keep_undeclared(stores, batch)
    return ingested


def _keep_undeclared(stores: Stores, batch: Batch) -> None:
    """Remember which columns are known by now, so that those that come later are told, each once."""
    names, before = undeclared(batch.model, batch.rows), stores.quarantine.undeclared(batch.model.name)
    if batch.app != FEEDBACK and (before is None or not before >= {*names}):
        stores.quarantine.keep_undeclared(batch.model.name, {*names, *(before or ())})


def _audit(stores: Stores, batch: Batch) -> None:
    detail: dict[str, Any] = {"fate": batch.fate, "rows": len(batch.rows), "until": batch.until.isoformat()}
    detail |= {"notes": batch.notes, "source": batch.origin}
    log_action(stores, "ingest", batch.model.name, batch.id, batch.arrived, **detail)


def _write(stores: Stores, batch: Batch) -> Ingested:
    if batch.fate == "landed":
        return batch.ingested(batch.land(stores.lake))
    stores.quarantine.hold(batch.entry, batch.rows, html.quarantined(batch.entry))
    return batch.ingested()


def _emit(stores: Stores, ingested: Ingested) -> None:
    if ingested.fate == "quarantined":
        emit(
            stores,
            "data.quarantined",
            ingested.model,
            {"batch": ingested.batch, "rows": ingested.rows, "reasons": ingested.notes},
        )
        return
    counts = {"rows": ingested.new, "corrected": ingested.corrected, "version": ingested.version}
    emit(stores, "data.ingested", ingested.model, {"batch": ingested.batch, **counts, "warnings": ingested.notes})
