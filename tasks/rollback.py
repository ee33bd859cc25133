"""Roll back: `champion` moves to an earlier champion, `previous` to the one rolled back; idempotent."""

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE

from evergreen.errors import PromotionError
from evergreen.lifecycle import champion_moves
from evergreen.registry.version import Version
from evergreen.stores import Stores
from tasks.support.events import emit, log_move
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
    newest = champion_moves.settle(stores, target.model)
    present = stores.registry.champion(target.model)
    if present is not None and present.number == champion.number:
        stores.registry.verify(target)
        detail = {"replaces": champion.number, "reason": reason, "moment": as_of.isoformat()}
        champion_moves.carry_out(stores, log_move(stores, "rollback", target, as_of, newest, by, **detail))
    elif present is None or present.number != target.number:  # else an interrupted one was finished just now
        raise PromotionError(
            f"{champion} is not champion any more: another process has moved the champion meanwhile. Look at "
            f"`evergreen models {target.model}`, and run this again if it is still to be done."
        )
    emit(
        stores,
        "model.rolled-back",
        target.model,
        {"version": target.number, "replaces": champion.number, "reason": reason},
    )
    return True
