"""Tests of model files as they come, for a team's own repository; `evergreen init` writes a test file that calls them.

They need neither a server nor a lake: rows are read from each model's source.
"""

import tempfile
import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from evergreen.definition import loader
from evergreen.definition.sources import periods
from evergreen.ingestion import batch
from evergreen.ingestion.batch import Checked
from evergreen.settings import embed
from evergreen.stores import Stores
from evergreen.training import fitting

if TYPE_CHECKING:
    from evergreen.definition.model import Model

_ENOUGH, _MOST, _PERIODS = 1_000, 5_000, 500  # rows to read at least and to train on at most, periods to look into
_HELD_OUT = 0.2


def models() -> list[str]:
    """The names of the project's models, to parametrize a test with."""
    embed(packages=False)
    return loader.names()


def load(name: str) -> "Model":
    """Run a model file and return its model.

    Raises
    ------
    ModelFileError
        It does not run, or defines no usable model.
    """
    embed(packages=False)
    return loader.load(name)


def check_contract(name: str) -> None:
    """Check that the contract of a model accepts the first rows of its own source, batch by batch as an ingest does.

    Raises
    ------
    AssertionError
        It does not; the message says which expectations failed.
    SourceError
        The source cannot be read.
    """
    failures = [line for checked in batches(name) for line in _failures(checked)]
    assert not failures, f"{name}: rows of its own source break the contract: {'; '.join(failures)}"


def check_training(name: str) -> None:
    """Check that a small training of a model fits, can be stored and loaded, and predicts the rows held out.

    It uses at most 5,000 of the first labelled rows of the source, and needs as many as `Training.min_rows`.

    Raises
    ------
    AssertionError
        A prediction is missing, or the stored model predicts otherwise.
    EvergreenError
        There are too few labelled rows, or the estimator cannot be fitted or stored.
    """
    model = load(name)
    passed = [checked.rows for checked in batches(name) if checked.report.success]
    assert passed, f"{name}: no batch of its own source passes the contract"
    rows = pd.concat(passed, ignore_index=True)
    labelled = rows[rows[model.target].notna()].sort_values(model.time, kind="stable")[:_MOST]
    split = max(round(len(labelled) * (1 - _HELD_OUT)), min(model.training.min_rows, len(labelled)))
    fitted = fitting.fit(model, labelled[:split])
    held_out = labelled[split:] if split < len(labelled) else labelled
    predictions = fitting.predict(model, fitted, held_out)
    assert len(predictions) == len(held_out), f"{name}: {len(predictions)} predictions for {len(held_out)} rows"
    assert np.isfinite(predictions).all(), f"{name}: some predictions are no numbers"
    again = fitting.predict(model, _stored(model, fitted, labelled), held_out)
    assert np.array_equal(predictions, again), f"{name}: the stored model predicts otherwise than the fitted one"


@cache
def batches(name: str) -> list[Checked]:
    """The first batches of a model's source that have rows, each cast and checked, until there are 1,000 rows.

    Raises
    ------
    SourceError
        The source cannot be read.
    SkipTest
        It has no rows yet.
    """
    from unittest import SkipTest

    model, lake = load(name), Stores.open().lake
    now = pd.Timestamp.now("UTC").as_unit("us")
    begin, found, count = model.source.begins(model, now, lake), [], 0
    for since, until in periods(model.source, begin, now)[:_PERIODS] if begin is not None else []:
        rows = model.source.read(model, since, until, lake)
        if len(rows):
            found.append(batch.check(model, rows, until))
            count += len(rows)
        if count >= _ENOUGH:
            break
    if not found:
        raise SkipTest(f"the source of {name} has no rows yet")
    return found


def _failures(checked: Checked) -> list[str]:
    """The failed expectations of a batch, without those that only warn."""
    return batch.in_words([result for result in checked.report.failures if not result.warn])


def _stored(model: "Model", fitted: object, rows: pd.DataFrame) -> object:
    """A fitted estimator after it was stored and loaded as the registry does."""
    from evergreen.registry.model_store import load_saved, save, trusted_here

    with tempfile.TemporaryDirectory(prefix="evergreen-test-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what libraries warn of, nobody can mend in a model file
        path = Path(folder) / "model"
        save(model, fitted, fitting.example(model, rows), str(path))
        return load_saved(path, trusted_here(model, path))
