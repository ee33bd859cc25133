"""Observe the champion: count what is new, hold the newest window against the reference, keep what was seen."""

from dataclasses import replace

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE

from evergreen.definition import loader
from evergreen.monitoring import observation, probation, profile_store, reference
from evergreen.monitoring.observation import Observation
from evergreen.registry.version import Version
from evergreen.stores import Stores
from evergreen.training.snapshot import Snapshot
from tasks.support.retries import DELAYS, away


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=away)
def observe(stores: Stores, champion: Version, as_of: pd.Timestamp) -> Observation:
    """What the champion's reference says of the rows, the answers and the labels known by now."""
    definition, registry, lake = loader.load(champion.model), stores.registry, stores.lake
    base = reference.kept(registry, definition, champion)
    assert base is not None, "the flow re-bases first"
    profile_store.refresh(lake, definition, champion.number, base, as_of)
    seen = observation.observe(lake, definition, champion.number, base, as_of)
    if seen.ripened:
        beside = probation.watch(Snapshot.pin(lake, definition, as_of), registry, champion, pd.Timestamp(seen.ripened))
        seen = replace(seen, probation=beside)
    observation.keep(lake, seen)
    registry.chart(definition, seen.series)
    return seen
