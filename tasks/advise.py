"""Advise after a training that promoted nothing: what moved, which other settings pass, what is missing."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from evergreen.definition import loader
from evergreen.gates import advice, alternatives
from evergreen.gates.advice import Advice
from evergreen.gates.judgement import Judgement
from evergreen.registry.version import Version
from evergreen.stores import Stores
from evergreen.training.snapshot import Snapshot
from tasks.support.retries import DELAYS, is_unavailable


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=is_unavailable)
def advise(stores: Stores, challenger: Version, judged: Judgement) -> Advice:
    """Store the advice with the version; the advice of an earlier run is returned as it is."""
    registry = stores.registry
    known = advice.stored(registry, challenger)
    if known is not None:
        return known
    snapshot = Snapshot.of(stores.lake, loader.load(challenger.model), challenger)
    given = advice.advise(snapshot, challenger, judged)
    registry.tag(challenger, settings_tried=alternatives.on_same_holdout(given.tried))  # before anybody follows it
    registry.attach(challenger, advice.ARTIFACT, given.dump())
    return given
