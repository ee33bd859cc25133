"""Store one prediction for every row: the one that was served, or else the champion's."""

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE

from evergreen.definition import loader
from evergreen.ingestion import label_arrival
from evergreen.lake.lake import PREDICTIONS
from evergreen.monitoring import predictions
from evergreen.monitoring.newest_rows import own_time
from evergreen.stores import Stores
from evergreen.training import fitting
from evergreen.training.recipe import split_of
from evergreen.training.snapshot import maturity_of
from tasks.support.retries import DELAYS, is_unavailable


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=is_unavailable)
def predict(stores: Stores, name: str, as_of: pd.Timestamp) -> int:
    """Store served predictions, predict the other rows newer than the champion's training; return the row count."""
    definition, registry, lake = loader.load(name), stores.registry, stores.lake
    champion = registry.champion(name)
    if champion is None:
        return 0
    now = own_time(lake, definition, as_of)
    learned = maturity_of(champion)
    horizon = label_arrival.horizon(definition, now, learned.delay if learned else None)
    since = max(horizon, split_of(champion).train_until)
    served = predictions.logged(lake, definition, since, as_of)
    if served is not None and len(served):
        lake.append(name, PREDICTIONS, served)
    estimator = registry.load(champion)
    rows = predictions.without_prediction(lake, definition, since, as_of, also=fitting.fitted_columns(estimator))
    predicted = predictions.predict(definition, estimator, rows, champion.number, as_of)
    if len(rows) or not lake.exists(name, PREDICTIONS):
        lake.append(name, PREDICTIONS, predicted)
    return len(rows) + (0 if served is None else len(served))
