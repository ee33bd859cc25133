"""Observe the champion: profile new rows, compare the newest window with the reference, store the result."""

from dataclasses import replace
from functools import partial

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE

from evergreen.definition import loader
from evergreen.monitoring import measurement, observation, probation, profile_store, reference
from evergreen.monitoring.newest_rows import own_time
from evergreen.monitoring.observation import Observation
from evergreen.monitoring.unjudged import unjudged
from evergreen.monitoring.unseen import Unseen
from evergreen.registry.version import Version
from evergreen.stores import Stores
from evergreen.training.snapshot import Snapshot
from tasks.support.retries import DELAYS, is_unavailable


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=is_unavailable)
def observe(stores: Stores, champion: Version, as_of: pd.Timestamp) -> Observation:
    """Compare the rows, predictions and labels known by now with the champion's reference."""
    definition, registry, lake = loader.load(champion.model), stores.registry, stores.lake
    base = reference.load(registry, definition, champion)
    assert base is not None, "the flow builds the reference first"
    snapshot = Snapshot.pin(lake, definition, as_of)
    now = own_time(lake, definition, as_of)
    profile_store.refresh(lake, definition, champion.number, base, now)
    unseen = Unseen.of(champion, partial(registry.load, champion))
    observed = measurement.observe(lake, definition, champion.number, base, as_of, now, snapshot.maturity, unseen)
    if observed.ripened:
        watched = probation.watch(snapshot, registry, champion, pd.Timestamp(observed.ripened))
        observed = replace(observed, probation=watched)
    observed = replace(observed, unjudged=unjudged(lake, definition, observed))
    observation.store(lake, observed)
    registry.chart(definition, observed.series)
    return observed
