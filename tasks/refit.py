"""Refit the judged recipe on all rows; the refit is used if it agrees with the judged model."""

from collections.abc import Callable
from functools import partial

from prefect import task
from prefect.cache_policies import NO_CACHE

from evergreen.definition import loader
from evergreen.evaluation import comparison, rivals
from evergreen.gates.judgement import Judgement
from evergreen.registry.version import Version
from evergreen.reports.data_page import training_pages
from evergreen.stores import Stores
from evergreen.training import fitting, recipe
from evergreen.training.snapshot import Snapshot
from tasks.support.retries import DELAYS, is_unavailable

Refit = Callable[[Stores, Version], Version]


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=is_unavailable)
def refit(stores: Stores, judged: Version) -> Version:
    """Return the version to promote: the refitted one, or the judged one if the refit differs and is no better."""
    definition, registry = loader.load(judged.model), stores.registry
    planned = recipe.plan_refit(judged, Snapshot.of(stores.lake, definition, judged))
    refitted = recipe.find(registry, planned)
    if refitted is None:
        rows = planned.snapshot.training(planned.split)
        estimator = fitting.fit(definition, rows, judged.params)
        example = fitting.example(definition, rows)
        holdout = rows[rows[definition.time] >= judged.required(Version.holdout_from)]
        beside = comparison.refitted(definition, registry.load(judged), estimator, holdout)
        pages = partial(training_pages, definition, rows, judged=False)
        record = planned.record(rows, judged.params, beside, pages)
        refitted = registry.record_training(definition, estimator, example, record)
    if comparison.reload_error(rivals.candidate(registry, refitted)):
        return judged  # a version that a fresh process cannot reproduce is not promoted
    return recipe.preferred(definition, judged, refitted)


def choose(stores: Stores, challenger: Version, judged: Judgement, refitted: Refit = refit) -> Version | None:
    """The version to promote by the verdict: the challenger (refitted), an earlier champion, or None."""
    if judged.verdict.passing:
        return refitted(stores, challenger) if loader.load(challenger.model).training.refit else challenger
    return stores.registry.version(challenger.model, judged.reinstated) if judged.reinstated else None
