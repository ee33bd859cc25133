"""Tidy: put the small files of a model's tables together, so that a check of a year costs what one of a week does."""

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE

from evergreen import model, upkeep
from evergreen.lake import Lake
from tasks.retrying import DELAYS, away
from tasks.telling import keep


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=away)
def tidy(name: str, as_of: pd.Timestamp) -> int:
    """Tidy all tables, and forget what the model file says is old; how many files were replaced."""
    definition = model.load(name)
    if definition.serving.retention is not None:
        before = (as_of - definition.serving.retention).date().isoformat()
        keep("deletion", name, "answers and labels", as_of, older_than=before)
    upkeep.forget(Lake.open(), definition, as_of)
    return upkeep.tidy(Lake.open(), name)
