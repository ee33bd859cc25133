"""Triggers that people use instead, as policies of a replay: each asks for a training, on the very same stages.

`random` throws a coin. `adwin` and `ddm` are river's detectors on the errors of what answers, begun anew with every
training; of a number that is wrong which is farther off than the median of the first hundred. `evidently` asks the data
drift preset whether the dataset has drifted, its defaults untouched: the features of the last step against those that
the champion was trained on. river and Evidently lie in environments of their own (`benchmarks.harness.peers`).
"""

import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen.lifecycle.decision import Decision, State
from evergreen.replay.point_in_time import PointInTimeLake
from evergreen.settings import Settings
from evergreen.sql import columns, within
from evergreen.stores import Stores
from evergreen.training import fitting
from evergreen.training.snapshot import Snapshot

QUIET = Decision("nothing", "quiet")
_FIRST = 100


def random(state: State) -> Decision:
    """Train at every third step or so."""
    often = crc32(f"{state.as_of:%Y-%m-%d}".encode()) < 2**32 / 3
    return Decision("train", "schedule") if often and state.new_rows else Decision("nothing", "tails")


def adwin(state: State, stores: Stores) -> Decision:
    """Train once the mean error changes (Bifet and Gavalda, SIAM Data Mining 2007)."""
    from river.drift import ADWIN

    errors = _errors(state, stores)
    return _once_called(ADWIN(), (errors / max(errors.max(initial=0.0), 1e-9)).tolist())


def ddm(state: State, stores: Stores) -> Decision:
    """Train once the share of errors rises (Gama et al., Brazilian Symposium on AI 2004)."""
    from river.drift.binary import DDM

    errors = _errors(state, stores)
    wrong = errors > 0.5 if _past(stores).model.task == "classification" else errors > np.median(errors[:_FIRST])
    return _once_called(DDM(), wrong.tolist())


def evidently(state: State, stores: Stores) -> Decision:
    """Train if half of the features have drifted by Evidently's defaults."""
    past = _past(stores)
    model = past.model
    assert state.champion_age is not None, "a replay begins with a champion"
    trained, length = state.as_of - state.champion_age, model.training.window or 4 * model.training.holdout
    reference = _features(past, trained - length, trained)
    window = _features(past, state.as_of - model.monitoring.window, state.as_of)
    if not state.new_rows or reference.empty or window.empty or not _drifted(reference, window):
        return QUIET
    return Decision("train", "drift: the dataset")


for _policy in (random, adwin, ddm, evidently):
    _policy.watches = False  # none of them asks what the monitor of Evergreen sees


def _past(stores: Stores) -> PointInTimeLake:
    """What a replay lets be read at the moment; only there do these policies run."""
    past = stores.lake
    assert isinstance(past, PointInTimeLake), "policies of a replay"
    return past


def _once_called(detector: Any, values: list[Any]) -> Decision:
    """Train if one of river's detectors has called since the last training."""
    for value in values:
        detector.update(value)
        if detector.drift_detected:
            return Decision("train", "performance: the detector called")
    return QUIET


def _errors(state: State, stores: Stores) -> NDArray[np.float64]:
    """Of the champion since the last training, in order: how far off a number is, and whether a class is wrong."""
    past, registry = _past(stores), stores.registry
    model, champion = past.model, registry.champion(past.model.name)
    assert champion is not None, "a replay begins with one"
    rows = Snapshot.pin(past, model, state.as_of).labelled(state.last_trained, state.as_of)
    if rows.empty:
        return np.zeros(0)
    estimator = registry.load(champion)
    answered = fitting.predict(model, estimator, rows)
    if model.task == "regression":
        return np.abs(answered - rows[model.target].to_numpy(dtype=np.float64))
    classes = np.asarray(estimator.classes_)
    return np.asarray(classes[answered.argmax(axis=1)] != rows[model.target].to_numpy(), dtype=np.float64)


def _features(past: PointInTimeLake, since: pd.Timestamp, until: pd.Timestamp) -> pd.DataFrame:
    sql = f"SELECT {columns(past.model.features)} FROM rows WHERE {within(past.model.time)}"
    return past.query(past.model, sql, {"since": since.to_pydatetime(), "until": until.to_pydatetime()})


@lru_cache
def _asked() -> tuple["subprocess.Popen[str]", Path]:
    """Evidently at work in its own environment, and a folder to hand tables over in."""
    command = [os.environ["EVIDENTLY"], "-W", "ignore", str(Path(__file__).with_name("evidently_drifts.py"))]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sys.stderr, text=True)
    folder = Settings.read().home / f"evidently-{os.getpid()}"  # goes with the home
    folder.mkdir()
    return process, folder


def _drifted(reference: pd.DataFrame, window: pd.DataFrame) -> bool:
    process, folder = _asked()
    for name, rows in (("reference", reference), ("window", window)):
        rows.to_parquet(folder / f"{name}.parquet", index=False)
    assert process.stdin
    assert process.stdout
    process.stdin.write(f"{folder}\n")
    process.stdin.flush()
    return process.stdout.readline().strip() == "True"
