"""End a version's online evaluation: it is no longer shadow or canary."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from evergreen.lake import audit_log
from evergreen.registry.version import CANARY, SHADOW, Version
from evergreen.stores import Stores
from tasks.support.retries import DELAYS, is_unavailable


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=is_unavailable)
def withdraw(stores: Stores, version: Version, reason: str, by: str = "") -> bool:
    """Remove its shadow and canary aliases; those of another version stay. Whether it had one."""
    registry = stores.registry
    roles = [alias for alias in (CANARY, SHADOW) if alias in registry.version(version.model, version.number).aliases]
    if roles:
        audit_log.challenge(stores.lake, version.model, version.number, "no more", by=by, reason=reason)
        registry.withdraw(version.model, *roles)
    return bool(roles)
