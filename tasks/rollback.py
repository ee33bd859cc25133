"""Roll back: `champion` moves to an earlier champion, `previous` to the one rolled back; idempotent."""

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE

from evergreen.lifecycle.rollback import record_restoration, record_rollback
from evergreen.registry.version import CHAMPION, PREVIOUS, Version
from evergreen.stores import Stores
from tasks.support.events import emit, log_action
from tasks.support.retries import DELAYS, is_unavailable


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=is_unavailable)
def rollback(
    stores: Stores, champion: Version, target: Version, reason: str, as_of: pd.Timestamp, by: str = ""
) -> bool:
    """Move the aliases; True if they moved, False if they were already set.

    The champion's alias moves last: an interrupted rollback has already marked the version that is
    rolled back, and running it again finishes it.
    """
    if champion.number == target.number:
        return False
    registry = stores.registry
    registry.verify(target)
    detail = {"replaces": champion.number, "reason": reason, "moment": as_of.isoformat()}
    seal = log_action(stores, "rollback", target.model, target.number, as_of, by, **detail)
    registry.tag(target, rollback_seal=seal)
    record_rollback(registry, champion, target, reason, as_of)
    record_restoration(registry, target, as_of)
    registry.alias(champion, PREVIOUS)
    registry.alias(target, CHAMPION)
    emit(
        stores,
        "model.rolled-back",
        target.model,
        {"version": target.number, "replaces": champion.number, "reason": reason},
    )
    return True
