"""Online evaluation: score a version's shadow or canary predictions against the champion's, on mature labels."""

from dataclasses import dataclass
from functools import partial

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE

from evergreen.definition import loader
from evergreen.evaluation import online, rivals
from evergreen.evaluation.evidence import Evidence
from evergreen.registry.version import Version
from evergreen.reports import evaluation_plots
from evergreen.stores import Stores
from evergreen.training.snapshot import Snapshot
from tasks.support.retries import DELAYS, is_unavailable


@dataclass(frozen=True)
class OnlineEvidence:
    """The evidence on a version, or the reason why there is none yet."""

    evidence: Evidence | None
    wait: str = ""


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=is_unavailable)
def evaluate_online(
    stores: Stores, version: Version, role: str, champion: Version, as_of: pd.Timestamp
) -> OnlineEvidence:
    """Gather the evidence on a version's predictions and count the evaluation; with too few rows, none is counted."""
    definition, registry = loader.load(version.model), stores.registry
    snapshot = Snapshot.pin(stores.lake, definition, as_of)
    predictions = online.gather_sample(snapshot, version, role, champion)
    if predictions.wait:
        return OnlineEvidence(None, predictions.wait)
    versions = registry.versions(version.model)
    began = predictions.began(definition)
    against = rivals.rivals(registry, definition, champion, versions, version, began)
    looks = rivals.looks(versions, began, predictions.until)
    compared = predictions.evaluate(snapshot, rivals.candidate(registry, version), against, looks)
    since, until = compared.evidence.since, compared.evidence.until
    if since and until:  # before its result is used
        registry.tag(version, trial_periods=version.with_trial_period(pd.Timestamp(since), pd.Timestamp(until)))
    registry.draw(version, "trial.png", partial(evaluation_plots.judged, definition, compared))
    registry.measure(version, {f"trial/{name}": value for name, value in compared.evidence.metrics().items()})
    return OnlineEvidence(compared.evidence)
