"""Compact the small files of a model's tables, so that reading stays fast as their number grows."""

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE

from evergreen.definition import loader
from evergreen.lake import maintenance
from evergreen.stores import Stores
from tasks.support.events import keep
from tasks.support.retries import DELAYS, away


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=away)
def tidy(stores: Stores, name: str, as_of: pd.Timestamp) -> int:
    """Delete expired log rows and compact all tables; return how many files were replaced."""
    definition = loader.load(name)
    if definition.serving.retention is not None:
        before = (as_of - definition.serving.retention).date().isoformat()
        keep(stores, "deletion", name, "answers and labels", as_of, older_than=before)
    maintenance.apply_retention(stores.lake, definition, as_of)
    return maintenance.compact_tables(stores.lake, name)
