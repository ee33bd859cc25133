"""Ingest one batch: ask the source, check the contract, land it or put it into quarantine."""

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE

from evergreen.definition import loader
from evergreen.ingestion import batch
from evergreen.ingestion.batch import Ingested
from evergreen.stores import Stores
from tasks.support.landing import take_in
from tasks.support.retries import DELAYS, away


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=away)
def ingest(stores: Stores, name: str, since: pd.Timestamp, until: pd.Timestamp, as_of: pd.Timestamp) -> Ingested:
    """Take in the rows of ``[since, until)``; the same period again changes nothing."""
    definition = loader.load(name)
    number = batch.batch_id(name, since, until)
    read = definition.source.read(definition, since, until, stores.lake)
    rows = stores.quarantine.unseen(definition, read, number, since)
    origin = definition.source.origin(definition, since, until) if len(rows) else ""
    checked = batch.check(definition, rows, until)
    return take_in(stores, definition, number, (since, until), rows, checked, as_of, origin)
