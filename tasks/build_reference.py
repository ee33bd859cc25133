"""Build the reference that later windows are compared with, before a version becomes champion."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from evergreen.definition import loader
from evergreen.monitoring import reference
from evergreen.registry.version import Version
from evergreen.stores import Stores
from evergreen.training.snapshot import Snapshot
from tasks.support.retries import DELAYS, is_unavailable


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=is_unavailable)
def build_reference(stores: Stores, version: Version) -> None:
    """Build the reference once, from the judged version, and store it with the version that is promoted."""
    definition, registry = loader.load(version.model), stores.registry
    if reference.load(registry, definition, version) is None:
        origin = registry.origin(version)
        snapshot = Snapshot.of(stores.lake, definition, origin)
        refit = version if version.number != origin.number else None
        reference.store(registry, version, reference.build(snapshot, registry, origin, refit))
