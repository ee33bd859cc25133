"""Decide whether a wished-for training shall be, from what the stores know."""

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE

from evergreen import decision, model
from evergreen.decision import Decision, State
from evergreen.lake import Lake
from evergreen.registry import Registry
from evergreen.snapshot import Snapshot
from tasks.retrying import DELAYS, away


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=away)
def decide(name: str, wish: str, as_of: pd.Timestamp) -> Decision:
    """Look up when the model was last trained and what has become known since, and weigh it."""
    definition = model.load(name)
    # A training that died before its verdict had followed through was none: it is taken up again.
    trained = Registry.open().versions(name, settled="True")
    last = trained[0] if trained else None
    fresh = 0
    if last is not None:
        snapshot = Snapshot.pin(Lake.open(), definition, as_of)
        fresh = len(snapshot.labelled(last.moment("holdout_until"), as_of))
    return decision.decide(State(as_of, wish, last.moment("as_of") if last else None, fresh), definition.policy)
