"""Batch scoring: predict the rows of files or of a query with one version, in pieces, and log the predictions."""

from pathlib import Path

import pandas as pd
from prefect import runtime, task
from prefect.cache_policies import NO_CACHE

from evergreen.definition import loader
from evergreen.ingestion import zones
from evergreen.ingestion.sources.database import Sql
from evergreen.ingestion.sources.files import Files
from evergreen.lake.lake import SERVED
from evergreen.registry.version import Version
from evergreen.stores import Stores
from evergreen.training import batch_scoring
from evergreen.training.batch_scoring import Scored
from tasks.support.retries import DELAYS, is_unavailable

PIECE = 50_000  # rows


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=is_unavailable)
def score(
    stores: Stores,
    version: Version,
    source: Files | Sql,
    output: str,
    as_of: pd.Timestamp,
    *,
    log: bool,
    defuse: bool = True,
) -> Scored:
    """Write the predictions, and then log them at once; a run that fails logs none, one that is retried none twice."""
    definition, estimator = loader.load(version.model), stores.registry.load(version)
    run, count, ignored = str(runtime.flow_run.id), 0, list[str]()
    with batch_scoring.Spool(Path(output)) as spool:
        with batch_scoring.writing(Path(output), defuse=defuse) as write:
            for piece in source.pieces(definition, PIECE):
                ignored = sorted(set(piece.columns) - definition.read_columns)
                zones.require_alike(definition, stores.lake, piece)
                rows = batch_scoring.prepared(definition, piece)
                rows.index = pd.RangeIndex(count, count + len(rows))
                predictions = batch_scoring.predictions(definition, estimator, rows)
                if log and len(rows):
                    spool.add(batch_scoring.logged(definition, version.number, rows, predictions, as_of, run))
                write(batch_scoring.table(definition, estimator, version.number, rows, predictions))
                count += len(rows)
        if log and count:
            stores.lake.append(version.model, SERVED, spool.rows(), once=(f"evergreen.score.{run}", 1))
    return Scored(version.model, version.number, output, count, ignored)
