"""Apply label feedback: labels sent to the service are written to their rows in the lake."""

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE

from evergreen.definition import loader
from evergreen.ingestion import batch
from evergreen.ingestion.batch import Ingested
from evergreen.stores import Stores
from tasks.ingest import land_or_quarantine
from tasks.support.retries import DELAYS, is_unavailable


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=is_unavailable)
def apply_labels(stores: Stores, name: str, as_of: pd.Timestamp) -> list[Ingested]:
    """Correct the rows whose label arrived since the last run, as one batch; an empty list if there are none.

    A label whose row is not in the lake yet is applied once the row arrives.
    """
    labelled = batch.of_labels(loader.load(name), stores.lake, stores.quarantine, as_of)
    return [] if labelled is None else [land_or_quarantine(stores, labelled)]
