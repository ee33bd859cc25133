"""Tidy: put the small files of a model's tables together, so that a check of a year costs what one of a week does."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from evergreen import upkeep
from evergreen.lake import Lake
from tasks.retrying import DELAYS, away


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=away)
def tidy(name: str) -> int:
    """Tidy all tables; how many files were replaced."""
    return upkeep.tidy(Lake.open(), name)
