"""Ingest one batch: ask the source, check the contract, land it or put it into quarantine."""

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE

from evergreen.definition import loader
from evergreen.ingestion import batch
from evergreen.ingestion.batch import Ingested
from evergreen.ingestion.quarantine import Quarantine
from tasks.support.landing import take_in
from tasks.support.retries import DELAYS, away


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=away)
def ingest(name: str, since: pd.Timestamp, until: pd.Timestamp, as_of: pd.Timestamp) -> Ingested:
    """Take in the rows of ``[since, until)``; the same period again changes nothing."""
    definition = loader.load(name)
    number = batch.batch_id(name, since, until)
    rows = Quarantine.open().unseen(definition, definition.source.read(definition, since, until), number, since)
    origin = definition.source.origin(definition, since, until) if len(rows) else ""
    return take_in(definition, number, (since, until), rows, batch.check(definition, rows, until), as_of, origin)
