"""Withdraw a version from its trial: it answers no more beside the champion."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from evergreen.lake import audit_log
from evergreen.registry.version import CANARY, SHADOW, Version
from evergreen.stores import Stores
from tasks.support.retries import DELAYS, away


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=away)
def withdraw(stores: Stores, version: Version, reason: str) -> None:
    """Take its aliases away; those of another version stay."""
    registry = stores.registry
    roles = [one for one in (CANARY, SHADOW) if one in registry.version(version.model, version.number).aliases]
    if roles:
        audit_log.challenge(stores.lake, version.model, version.number, "no more", reason=reason)
        registry.withdraw(version.model, *roles)
