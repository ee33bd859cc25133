"""Train a challenger: pin a snapshot, split by time, search, fit, record with its lineage."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE

from evergreen.definition import loader
from evergreen.definition.feasibility.assess import require
from evergreen.definition.options import AUTO
from evergreen.evaluation import windows
from evergreen.registry import reload
from evergreen.registry.registry import Registry
from evergreen.registry.version import CHALLENGER, Version
from evergreen.reports.data_page import training_pages
from evergreen.stores import Stores
from evergreen.training import fitting, recipe, window
from evergreen.training.recipe import Recipe
from evergreen.training.search import search
from evergreen.training.snapshot import Snapshot
from evergreen.training.window import WindowComparison
from tasks.support.retries import DELAYS, is_unavailable


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=is_unavailable)
def train(
    stores: Stores,
    name: str,
    as_of: pd.Timestamp,
    reason: str,
    compared: Sequence[WindowComparison] | None = None,
) -> Version:
    """Train on the labels known at `as_of`, and register the challenger.

    The same recipe on the same snapshot is not trained twice: the existing version is returned. A first model is not
    trained while one of its gates or triggers can never judge. Comparisons of training windows are made unless they
    are given; where the estimator cannot be fitted on the window that they choose, the next longer one is used.
    """
    definition = loader.load(name)
    registry = stores.registry
    if registry.champion(name) is None:  # a loop that runs is not stopped: its monitor alerts
        require(definition)
    snapshot = Snapshot.pin(stores.lake, definition, as_of)
    registry.end_dead_runs(definition)
    before = registry.versions(name) if definition.training.window == AUTO else []
    added = windows.compared(snapshot, registry, before) if compared is None else compared
    planned = recipe.plan(definition, snapshot, reason, [*window.recorded(definition, before), *added])
    planned, found, failed = recipe.first_fitted(planned, partial(_known_or_fitted, registry))
    if not isinstance(found, Version):
        rows, params, estimator = found
        pages = partial(training_pages, definition, rows)
        example = fitting.example(definition, rows)
        record = planned.record(rows, params, pages=pages, windows=[*added, *failed])
        found = registry.record_training(definition, estimator, example, record)
    registry.alias(found, CHALLENGER)
    return found


def _known_or_fitted(registry: Registry, planned: Recipe) -> Version | tuple[pd.DataFrame, dict[str, Any], Any]:
    """The version that an identical training has registered; else the rows, the parameters and the estimator."""
    if known := recipe.find(registry, planned):
        return known
    if registry.reloads:
        reload.helper()  # its imports take as long as a fit, and run in parallel
    definition = planned.definition
    rows = planned.snapshot.training(planned.split)
    params = search(definition, rows, planned.snapshot.label_delay)
    return rows, params, fitting.fit(definition, rows, params)
