"""Label: what was posted of rows that the lake has from a source of its own becomes their label."""

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE

from evergreen.definition import loader
from evergreen.ingestion import batch, label_feedback
from evergreen.ingestion.batch import Ingested
from evergreen.ingestion.label_feedback import POSTED
from evergreen.stores import Stores
from tasks.support.landing import take_in
from tasks.support.retries import DELAYS, away


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=away)
def label(stores: Stores, name: str, as_of: pd.Timestamp) -> list[Ingested]:
    """Correct the rows of which a label came since the last time, as one batch; none where none came.

    A label whose row is not there yet waits for it.
    """
    definition, lake, quarantine = loader.load(name), stores.lake, stores.quarantine
    if not label_feedback.heard(lake, definition):
        return []
    since = label_feedback.since(lake.watermark(name, POSTED), quarantine.watermark(name, POSTED))
    number = f"labels-{batch.batch_id(name, since, as_of)}"
    rows = quarantine.unseen(definition, label_feedback.corrected(lake, definition, since, as_of), number, since)
    if rows.empty:
        return []
    checked = batch.check_labels(definition, rows)
    return [
        take_in(stores, definition, number, (since, as_of), rows, checked, as_of, "labels that were posted", POSTED)
    ]
