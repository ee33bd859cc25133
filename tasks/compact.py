"""Compact the small files of a model's tables, so that reading stays fast as their number grows."""

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE

from evergreen.definition import loader
from evergreen.lake import maintenance
from evergreen.stores import Stores
from tasks.support.events import log_action
from tasks.support.retries import DELAYS, is_unavailable


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=is_unavailable)
def compact(stores: Stores, name: str, as_of: pd.Timestamp) -> int:
    """Delete expired log rows and compact all tables; return how many files were replaced."""
    definition = loader.load(name)
    if definition.serving.retention is not None:
        before = (as_of - definition.serving.retention).date().isoformat()
        log_action(stores, "deletion", name, "answers and labels", as_of, older_than=before)
    maintenance.apply_retention(stores.lake, definition, as_of)
    return maintenance.compact_tables(stores.lake, name)
