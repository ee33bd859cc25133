"""Carry: bring a version of another environment, with its model and its lineage, to be judged here."""

from typing import cast

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE

from evergreen import provenance
from evergreen.addresses import without_secrets
from evergreen.definition import loader
from evergreen.errors import NotEnoughDataError, PromotionError
from evergreen.lake.lake import Lake
from evergreen.registry.registry import TrainingRecord
from evergreen.registry.version import CHALLENGER, TagValues, Version
from evergreen.stores import Stores
from evergreen.training import fitting, recipe
from evergreen.training.snapshot import Snapshot
from evergreen.training.split import Split
from tasks.support.retries import DELAYS, is_unavailable

# What of a version's record says how it was trained, and stays as it is.
_ITS_OWN = (
    *("data_hash", "data_from", "data_until", "rows", "params", "commit", "uncommitted", "lock_hash"),
    *("model_file_hash", "code_hash", "evergreen_version", "python_version", "platform"),
)


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=is_unavailable)
def carry(stores: Stores, origin: Stores, brought: Version, environment: str, at: pd.Timestamp) -> Version:
    """Register a version of another environment as a challenger, with a holdout of rows that it was not trained on.

    The same version on the same holdout is not registered twice: the existing one is returned.

    Raises
    ------
    PromotionError
        It was trained with another model file than the one in force here.
    NotEnoughDataError
        It has seen every labelled row that there is here.
    """
    definition, registry = loader.load(brought.model), stores.registry
    if brought.code_hash != loader.code_of(brought.model).digest:
        raise PromotionError(
            f"{brought} of {environment} was trained with another model file than the one in force here. Deploy the "
            f"release that made it, {brought.commit[:10] or 'unknown'}, first."
        )
    snapshot = Snapshot.pin(stores.lake, definition, at)
    bounds = _unseen(snapshot, brought)
    fingerprint = provenance.fingerprint(["carried", environment, brought.fingerprint, bounds])
    known = next(iter(registry.versions(brought.model, fingerprint=fingerprint)), None)
    if known is None:
        estimator = origin.registry.load(brought)
        rows = snapshot.labelled(bounds.holdout_from, bounds.holdout_until)
        record = _record(snapshot, origin.lake, brought, bounds, environment, fingerprint)
        known = registry.record_training(definition, estimator, fitting.example(definition, rows), record)
    registry.alias(known, CHALLENGER)
    return known


def _unseen(snapshot: Snapshot, brought: Version) -> Split:
    """The bounds of its training, and the newest holdout after it."""
    here, trained_until = recipe.whole(snapshot), recipe.trained_until(brought)
    since = max(here.holdout_from, trained_until)
    if since >= here.holdout_until:
        raise NotEnoughDataError(
            f"{brought} was trained on rows until {trained_until:%Y-%m-%d %H:%M}, and there are no later labelled rows "
            "here to judge it on. Ingest more, or carry it later."
        )
    return Split(brought.train_from, min(brought.required(Version.train_until), since), since, here.holdout_until)


def _record(
    snapshot: Snapshot, lake: Lake, brought: Version, bounds: Split, environment: str, fingerprint: str
) -> TrainingRecord:
    """What is recorded of it: its own training on rows of another lake, and from where it came."""
    carried_from = f"{environment} {brought}"
    its_own = {name: getattr(brought, name) for name in _ITS_OWN}
    here: TagValues = {
        "fingerprint": fingerprint,
        "reason": f"demand carried from {carried_from}",
        "as_of": snapshot.as_of,
        "table_version": snapshot.version,
        "train_from": bounds.train_from,
        "train_until": bounds.train_until,
        "holdout_from": bounds.holdout_from,
        "holdout_until": bounds.holdout_until,
        "label_maturity": snapshot.maturity.dump() if snapshot.maturity else "",
        "carried_from": carried_from,
        "environment": brought.environment or environment,
    }
    values = cast("TagValues", its_own | here)
    dataset = {
        "name": f"{brought.model} rows of {environment}",
        "digest": brought.data_hash,
        "uri": without_secrets(lake.uri(brought.model)),
        "version": str(brought.table_version),
        "rows": str(brought.rows),
        "from": str(brought.data_from),
        "until": str(brought.data_until),
    }
    title = f"{brought.model} · carried from {carried_from} · {snapshot.as_of:%Y-%m-%d}"
    return TrainingRecord(title, dict(brought.params), {"training_rows": float(brought.rows)}, values, dataset)
