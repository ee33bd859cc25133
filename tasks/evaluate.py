"""Evaluate a challenger against the champion, the dummy and earlier champions, on the same rows."""

from functools import partial

from prefect import task
from prefect.cache_policies import NO_CACHE

from evergreen.definition import loader
from evergreen.evaluation import comparison, rivals
from evergreen.evaluation.evidence import Evidence
from evergreen.registry.version import Version
from evergreen.reports import evaluation_plots
from evergreen.stores import Stores
from evergreen.training.snapshot import Snapshot
from tasks.support.retries import DELAYS, is_unavailable


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=is_unavailable)
def evaluate(stores: Stores, challenger: Version) -> Evidence:
    """Gather the evidence on a challenger, and store its plot and metrics with its run."""
    definition, registry = loader.load(challenger.model), stores.registry
    candidate = rivals.candidate(registry, challenger)
    split = candidate.split
    versions, champion = registry.versions(challenger.model), registry.champion(challenger.model)
    looks = rivals.looks(versions, split.holdout_from, split.holdout_until, first=champion is None)
    snapshot = Snapshot.of(stores.lake, definition, challenger)
    result = comparison.compare_on_holdout(
        snapshot, candidate, rivals.rivals(registry, definition, champion, versions, challenger), looks
    )
    if result.evidence.rows:
        registry.draw(challenger, "judged.png", partial(evaluation_plots.judged, definition, result))
    registry.measure(challenger, result.evidence.metrics())
    return result.evidence
