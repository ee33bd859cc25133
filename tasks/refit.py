"""Refit: the judged recipe on all rows, taken if it agrees with the model that was judged."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from evergreen import fitting, model, recipe, trial
from evergreen.lake import Lake
from evergreen.registry import Registry, Version
from evergreen.snapshot import Snapshot
from tasks.retrying import DELAYS, away


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=away)
def refit(judged: Version) -> Version:
    """Return the version to promote: the refitted one, or the judged one where that differs for no good reason."""
    definition, registry = model.load(judged.model), Registry.open()
    planned = recipe.plan_refit(judged, Snapshot.of(Lake.open(), definition, judged.tags))
    made = recipe.find(registry, planned)
    if made is None:
        rows = planned.snapshot.training(planned.split)
        estimator = fitting.fit(definition, rows, recipe.params_of(judged))
        example = fitting.example(definition, rows)
        held = rows[rows[definition.time] >= judged.moment("holdout_from")]
        beside = trial.refitted(definition, registry.load(judged), estimator, held)
        told = planned.record(rows, recipe.params_of(judged), beside)
        made = registry.train_record(definition, estimator, example, told)
    if trial.reload_error(trial.candidate(registry, made)):
        return judged  # what a fresh process cannot repeat is not promoted
    return recipe.preferred(definition, judged, made)
