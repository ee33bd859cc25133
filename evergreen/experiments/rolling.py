"""Rolling origins: each variant is trained on what was known when a period began, and scored on that period.

Tashman, "Out-of-sample tests of forecasting accuracy", International Journal of Forecasting 16, 2000.
"""

import math
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from evergreen import files, provenance
from evergreen.durations import as_text
from evergreen.errors import EvergreenError, ExperimentError
from evergreen.evaluation import performance, slices, windows
from evergreen.evaluation.performance import Realised
from evergreen.experiments.variant import Variant, require_comparable
from evergreen.json_record import JsonRecord
from evergreen.lake.lake import Lake, time_range
from evergreen.replay.fit_cache import FitCache
from evergreen.replay.hindsight import fitted
from evergreen.replay.memory_registry import MemoryRegistry
from evergreen.replay.point_in_time import PointInTimeLake
from evergreen.replay.run import earliest
from evergreen.training import fitting, recipe
from evergreen.training.snapshot import Snapshot

if TYPE_CHECKING:
    from evergreen.definition.model import Model

_SHORT = "The history is short: the first trainings have less behind them than the training"
LEAST = 3  # periods: fewer say nothing of how a recipe fares as time goes on


@dataclass(frozen=True)
class Scored(JsonRecord):
    """One variant in one period.

    Attributes
    ----------
    whole : Realised or None
        None if it could not be fitted, or could not predict.
    slices : dict of column to (dict of value to Realised)
    seconds : float
        CPU seconds of its fit and its predictions.
    problem : str
        Why there is no score.
    """

    whole: Realised | None
    slices: dict[str, dict[str, Realised]] = field(default_factory=dict)
    seconds: float = 0.0
    problem: str = ""


@dataclass(frozen=True)
class Experiment:
    """The inputs of an experiment, the same for every process that works on it.

    Attributes
    ----------
    own : Variant
        The recipe that the variants are compared with.
    variants : tuple of Variant
    lake : Lake
    version : int
        Of the model's table of rows, pinned.
    edges : tuple of Timestamp
        Where each period begins, and where the last one ends.
    folder : Path
        Where finished scores are kept.
    note : str
        What a reader should know of the history; empty for nothing.
    known : Timestamp or None
        Labels that became known later do not count; None where every row of the version had arrived by then.
    """

    own: Variant
    variants: tuple[Variant, ...]
    lake: Lake
    version: int
    edges: tuple[pd.Timestamp, ...]
    folder: Path
    note: str = ""
    known: pd.Timestamp | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """To another process without what is cached, which is read again there."""
        return Experiment, tuple(getattr(self, part.name) for part in fields(self))

    @cached_property
    def model(self) -> "Model":
        """The definition whose metric, gates and slices judge."""
        return self.own.load()

    @property
    def compared(self) -> list[Variant]:
        """All variants, the model's own first."""
        return [self.own, *self.variants]

    @property
    def parts(self) -> list[tuple[Variant, int]]:
        """What there is to fit: each variant at the beginning of each period."""
        return [(variant, place) for place in range(len(self.edges) - 1) for variant in self.compared]

    def path_of(self, variant: Variant, place: int) -> Path:
        """Where the score of a variant in a period is kept.

        What is equal of two experiments is fitted once: the judge's file is part of the name, not the other variants.
        """
        bounds = self.edges[place : place + 2]
        key = provenance.fingerprint([self.own.fingerprint, variant.fingerprint, self.version, self.known, *bounds])
        return self.folder / f"{key}.json"

    def scored(self, variant: Variant, place: int) -> Scored | None:
        """A finished score; None where there is none yet."""
        path = self.path_of(variant, place)
        return Scored.parse(path.read_text()) if path.is_file() else None

    @cached_property
    def _pasts(self) -> dict[str, PointInTimeLake]:
        """What was read, by what of a model decides which rows and labels it sees."""
        return {}

    def past(self, model: "Model") -> PointInTimeLake:
        """The rows as a model sees them, read once in a process."""
        seen = repr((model.columns, model.label_delay, model.label_time))
        if seen not in self._pasts:
            self._pasts[seen] = PointInTimeLake.of(self.lake, model, self.version)
        return replace(self._pasts[seen], model=model)

    def truth(self, variant: "Model", place: int) -> pd.DataFrame:
        """The labelled rows of a period, the same for every variant, with the columns that one needs."""
        judge, (low, high) = self.model, self.edges[place : place + 2]
        more = {name: kind for name, kind in variant.columns.items() if name not in judge.columns}
        read = judge.model_copy(update={"extra": judge.extra | more})
        past = self.past(read)
        moment = self.known or past.moment
        return Snapshot.pin(past.at(moment), read, moment).labelled(low, high)


def planned(
    lake: Lake,
    variants: Sequence[Variant],
    own: Variant,
    folder: Path,
    as_of: pd.Timestamp,
    count: int,
    length: timedelta | None = None,
    version: int | None = None,
) -> Experiment:
    """Place the periods behind each other, before the rows that the next holdout will be made of.

    Parameters
    ----------
    lake : Lake
    variants : list of Variant
    own : Variant
        The recipe that they are compared with.
    folder : Path
        Where finished scores are kept.
    as_of : Timestamp
        What became known later is not read.
    count : int
        How many periods are wanted; fewer are taken where the history is shorter. All begin with a whole training
        window behind them, unless that leaves fewer than three.
    length : timedelta, optional
        Of a period; by default the time between trainings, and at least the monitoring window.
    version : int, optional
        Of the model's table of rows; the newest by default.

    Raises
    ------
    ExperimentError
        A variant is about other rows, or there are fewer than three periods.
    """
    model = own.load()
    version = lake.version(model.name) if version is None else version
    arrived = lake.newest(model.name, "_arrived", version)
    stored = lake.columns(model.name, version)
    for variant in variants:
        require_comparable(model, variant.load(), stored)
    step = pd.Timedelta(length or max(model.policy.every or timedelta(0), model.monitoring.window))
    until = recipe.whole(Snapshot.pin(lake, model, as_of, version)).holdout_from
    first, _ = time_range(lake, model, model.time, version)
    whole, least = earliest(model, first), first + 2 * model.training.holdout + model.label_delay
    note = ""
    if (until - whole) / step < LEAST:
        whole, note = least, f"{_SHORT} window of the model file."
    most = min(count, int((until - whole) / step))
    if most < LEAST:
        raise ExperimentError(
            f"{model.name}: from {whole:%Y-%m-%d}, when a first training has two holdouts behind it, to "
            f"{until:%Y-%m-%d}, where the next holdout begins, there are {max(most, 0)} periods of {as_text(step)}; "
            f"{LEAST} are needed. Ask for shorter ones with --step, or ingest more."
        )
    edges = tuple(until - step * place for place in range(most, -1, -1))
    known = as_of if arrived is not None and as_of < arrived else None
    return Experiment(own, tuple(variants), lake, version, edges, folder, note, known)


def score(experiment: Experiment, variant: Variant, place: int) -> Scored:
    """Fit a variant on what was known when a period began, and score it on that period; what is finished is kept."""
    local = _in_process(experiment)
    kept = local.scored(variant, place)
    if kept is not None:
        return kept
    with warnings.catch_warnings(action="ignore"):  # of models that nobody keeps
        try:
            found = _scored(local, variant, place)
        except EvergreenError as error:  # as in production
            if error.may_pass:  # another time it may be read
                raise
            found = Scored(None, problem=str(error))
    files.replace(local.path_of(variant, place), found.dump())
    return found


@lru_cache(maxsize=1)
def _in_process(experiment: Experiment) -> Experiment:
    """The first copy that this process received, which caches its rows; each call unpickles another one."""
    return experiment


def _scored(experiment: Experiment, variant: Variant, place: int) -> Scored:
    model, judge = variant.load(), experiment.model
    past, truth, at = experiment.past(model), experiment.truth(model, place), experiment.edges[place]
    started = time.process_time()  # without the rows, which a process reads once
    estimator = _estimator(past.at(at), model, at)
    if truth.empty:
        return Scored(Realised(0, math.nan, [], []), seconds=time.process_time() - started)
    prediction = fitting.predict(model, estimator, truth)
    seconds = time.process_time() - started
    classes = None if model.task == "regression" else np.asarray(estimator.classes_)
    whole = performance.scored(judge, truth, prediction, classes)
    if not math.isfinite(whole.value):
        return Scored(None, seconds=seconds, problem="It predicted values that are not finite.")
    parts: dict[str, dict[str, Realised]] = {}
    for column in judge.slices:
        for name, of_value in slices.cells(judge, truth, column):
            part = performance.scored(judge, truth.iloc[of_value], prediction[of_value], classes)
            parts.setdefault(column, {})[name] = part
    return Scored(whole, parts, seconds)


def _estimator(lake: PointInTimeLake, model: "Model", at: pd.Timestamp) -> Any:
    """What a training at a time would promote; a window that the record chooses is chosen as by a first training."""
    snapshot = Snapshot.pin(lake, model, at)
    added = windows.compared(snapshot, MemoryRegistry(fits=FitCache(Path())), [])
    planned = recipe.plan(model, snapshot, "experiment", added)
    return recipe.first_fitted(planned, lambda plan: fitted(snapshot, plan.split))[1]
