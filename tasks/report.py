"""Report: write the overview of a model, once what was seen has been decided on."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from evergreen import model, overview
from evergreen.lake import Lake
from evergreen.overview import Written
from evergreen.registry import Registry
from tasks.retrying import DELAYS, away


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=away)
def report(name: str) -> Written:
    """Replace the page in the home's reports; where it lies."""
    return overview.write(Lake.open(), Registry.open(), model.load(name))
