"""Ingest one batch: ask the source, check the contract, land it or put it into quarantine."""

from typing import Any

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE

from evergreen import batch, model, page, quarantine
from evergreen.batch import Ingested
from evergreen.lake import INGEST, Lake
from evergreen.quarantine import Quarantine
from tasks.retrying import DELAYS, away
from tasks.telling import keep, tell


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=away)
def ingest(name: str, since: pd.Timestamp, until: pd.Timestamp, as_of: pd.Timestamp) -> Ingested:
    """Take in the rows of ``[since, until)``; the same period again changes nothing."""
    definition = model.load(name)
    number = batch.batch_id(name, since, until)
    rows = Quarantine.open().unseen(definition, definition.source.read(definition, since, until), number, since)
    checked = batch.check(definition, rows, until)
    made = Ingested(name, number, since.isoformat(), until.isoformat(), "empty", len(rows))
    notes = batch.in_words(checked.report.failures)
    if len(rows):
        fate = "landed" if checked.report.success else "quarantined"
        told: dict[str, Any] = {"fate": fate, "rows": len(rows), "until": until.isoformat(), "notes": notes}
        keep("ingest", name, number, as_of, **told, source=definition.source.origin(definition, since, until))
    if checked.report.success and len(rows):
        landed = Lake.open().land(definition, checked.rows, number, as_of, app=INGEST, mark=until, warned=notes)
        made = batch.landed(made, landed, checked.report)
        told = {"batch": number, "rows": made.new, "corrected": made.corrected, "version": made.version}
        tell("data.ingested", name, told | {"warnings": notes})
    elif len(rows):
        entry = quarantine.entry_of(definition, made.batch, (since, until), as_of, checked.report)
        Quarantine.open().hold(entry, rows, page.quarantined(entry))
        made = batch.put_aside(made, checked.report)
        tell("data.quarantined", name, {"batch": made.batch, "rows": made.rows, "reasons": made.notes})
    return made
