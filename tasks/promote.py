"""Promote a version: `previous` to the old champion, `champion` to the new; idempotent."""

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE

from evergreen.definition import loader
from evergreen.gates.judgement import Judgement
from evergreen.lifecycle import approval, champion_moves
from evergreen.registry.version import Version
from evergreen.stores import Stores
from tasks.support.events import emit, log_move
from tasks.support.retries import DELAYS, is_unavailable


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=is_unavailable)
def promote(stores: Stores, version: Version, judged: Judgement, as_of: pd.Timestamp) -> bool:
    """Move the aliases; True if they moved, False if they were already set.

    A verdict is valid only for the champion it compared with: if the champion has changed
    since, nothing moves.
    """
    this = ("promotion", version.number, judged.version)
    newest = champion_moves.settle(
        stores, version.model, mine=lambda line: (line.act, line.subject, line.details.get("judged")) == this
    )
    registry = stores.registry
    champion = registry.champion(version.model)
    moves = champion is None or champion.number != version.number
    if moves:
        judged.permit(version, champion)
        approval.permit(loader.load(version.model), version, judged)
        registry.verify(version)
        if version.refit_of and not judged.trial:
            registry.attach(version, judged.page, judged.dump())
            registry.describe(version, f"Version {judged.version} on all rows. {judged.verdict.reason}")
        detail = {"judged": judged.version, "replaces": judged.against or ""}
        line = log_move(stores, "promotion", version, as_of, newest, **detail)
        if not judged.trial:
            registry.tag(version, decision="promote")  # the verdict on its training; a refit has no verdict of its own
        champion_moves.carry_out(stores, line)
        payload = {"version": version.number, "replaces": judged.against, "reason": judged.verdict.reason}
        emit(stores, "model.promoted", version.model, payload)
    return moves
