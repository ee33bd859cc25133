"""What the policies of a replay share: its rows, its steps, and the trainings at each step."""

import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path

import pandas as pd

from evergreen import files, provenance
from evergreen.definition import loader
from evergreen.definition.model import Model
from evergreen.definition.options import AUTO
from evergreen.errors import ChangedError, EvergreenError, TrainingError
from evergreen.evaluation import performance, windows
from evergreen.evaluation.bootstrap import Interval
from evergreen.evaluation.performance import Realised
from evergreen.ingestion.quarantine import Quarantine
from evergreen.lake.lake import Lake
from evergreen.registry.version import Version, stored
from evergreen.replay.fit_cache import FitCache
from evergreen.replay.memory_registry import MemoryRegistry
from evergreen.replay.point_in_time import PointInTimeLake
from evergreen.replay.run import AFTER, Plan
from evergreen.stores import Stores
from evergreen.training import recipe, window
from evergreen.training.snapshot import Snapshot
from evergreen.training.window import WindowComparison, WindowRecord
from tasks.refit import refit
from tasks.train import train


@dataclass(frozen=True)
class ReplayInputs:
    """The inputs shared by all backtest runs of one replay; each process reads the rows once.

    Attributes
    ----------
    plan : Plan
    folder : Path
        Where fits and finished backtest runs are stored.
    file : str
        The fingerprint of the model file that is replayed.
    version : int
        The version of the table of rows; rows that land later are not part of the replay.
    lake : Lake
        Where the rows are read from.
    """

    plan: Plan
    folder: Path
    file: str
    version: int
    lake: Lake
    _scores: dict[tuple[str, int], Realised | None] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def model(self) -> Model:
        """The definition that is replayed."""
        return loader.load(self.plan.model)

    @cached_property
    def past(self) -> PointInTimeLake:
        """The rows of the model, not restricted to a point in time yet."""
        return PointInTimeLake.of(self.lake, self.model, self.version)

    @cached_property
    def truth(self) -> list[pd.DataFrame]:
        """The rows of each step with all labels known by the end: policies are scored on them and never see them."""
        snapshot = Snapshot.pin(self.past, self.model, self.past.moment)
        bounds = [(at, self.plan.end(step)) for step, at in enumerate(self.plan.step_starts)]
        return [snapshot.labelled(low, high) for low, high in bounds]

    @property
    def fits(self) -> FitCache:
        """The fits that the policies share."""
        trusted = loader.trusted(self.plan.model)  # without `self.model`, with which this could not be pickled
        return FitCache(self.folder, tuple(trusted))

    def training_at(self, step: int, known: Sequence[Version]) -> "TrainingAt":
        """The training of a step after those that a policy made before."""
        if self.model.training.window != AUTO:
            return TrainingAt(str(step), 2 * step + 1)
        at = self.plan.step_starts[step]
        snapshot = Snapshot.pin(self.past.without_written().at(at), self.model, at)
        try:
            compared, seconds = self._compared(snapshot, step, known)
            planned = recipe.plan(self.model, snapshot, "", [*window.recorded(self.model, known), *compared])
        except EvergreenError:  # too few rows yet, which the training says
            compared, seconds, place = [], 0.0, 0
        else:
            place = window.place(self.model, planned.split.window)
        return TrainingAt(f"{step}-{place}", 2 * (step * window.LENGTHS + place) + 1, compared, seconds)

    def _compared(
        self, snapshot: Snapshot, step: int, known: Sequence[Version]
    ) -> tuple[list[WindowComparison], float]:
        """The comparisons of windows that a training adds to the record, and their CPU seconds; stored."""
        before = provenance.fingerprint([step, *(f"{version.number} {version.window_record}" for version in known)])
        path = self.folder / f"compared-{before}.json"
        if not path.is_file():
            registry, started = MemoryRegistry(fits=self.fits), time.process_time()
            added = WindowRecord(windows.compared(snapshot, registry, known))
            files.replace(path, json.dumps([added.dump(), time.process_time() - started]))
        text, seconds = json.loads(path.read_text())
        return WindowRecord.parse(text).comparisons, seconds

    def unchanged(self) -> None:
        """Check that the model file has not changed since the replay began.

        Raises
        ------
        ChangedError
            It was changed meanwhile.
        """
        if loader.fingerprint(self.plan.model) != self.file:
            raise ChangedError(f"{loader.path_of(self.plan.model)} was changed during the replay, which starts anew.")

    def scored(self, registry: MemoryRegistry, number: str, step: int) -> Realised | None:
        """The score of a version in a step; None if it raises or predicts a value that is not finite."""
        if (number, step) not in self._scores:
            estimator = registry.load(registry.version(self.plan.model, number))
            try:
                realised = performance.realised(self.model, estimator, self.truth[step])
            except TrainingError:
                self._scores[number, step] = None
            else:
                self._scores[number, step] = realised if math.isfinite(realised.value) or not realised.rows else None
        return self._scores[number, step]

    def gain(self, registry: MemoryRegistry, ours: str, theirs: str, step: int) -> Interval:
        """The gain of one version over another in the steps after one; infinite if only one of them can predict."""
        steps = range(step, min(step + AFTER, len(self.truth)))
        own, other = ([self.scored(registry, number, index) for index in steps] for number in (ours, theirs))
        if (None in own) != (None in other):
            without_end = -math.inf if None in own else math.inf
            return Interval(without_end, without_end, without_end)
        return performance.gain(self.model, own, other)


@dataclass(frozen=True)
class TrainingAt:
    """One training of a replay.

    Attributes
    ----------
    key : str
        Its name in the cache: policies that train alike at a step share it.
    number : int
        Of its first version.
    compared : list of WindowComparison
        What it adds to the record of its policy, which chooses the training window.
    seconds : float
        CPU seconds of these.
    """

    key: str
    number: int
    compared: list[WindowComparison] = field(default_factory=list)
    seconds: float = 0.0


@lru_cache(maxsize=1)
def in_process(ground: ReplayInputs) -> ReplayInputs:
    """The first copy that this process received, which caches its rows; each call unpickles another one."""
    return ground


def stores_of(lake: PointInTimeLake, registry: MemoryRegistry) -> Stores:
    """The stores of one step of a policy, all in memory; they emit no events."""
    return Stores(lake, registry, Quarantine("memory://replay"), live=False)


def fit(ground: ReplayInputs, step: int, known: Sequence[Version] = ()) -> TrainingAt:
    """Train the challenger of a step and its refit, shared by all policies that train alike at this step.

    Parameters
    ----------
    ground : ReplayInputs
    step : int
    known : sequence of Version
        What the policy trained before, if its record chooses the training window.
    """
    local = in_process(ground)
    local.unchanged()
    planned = local.training_at(step, known)
    if local.fits.has(planned.key):
        return planned
    at, problem = local.plan.step_starts[step], ""
    lake = local.past.without_written().at(at)
    registry = MemoryRegistry(fits=local.fits, next=planned.number - len(known))
    for version in known:  # for their record; the policy itself looks whether it has the same training already
        registry.add(replace(version, tags=version.tags | stored({"fingerprint": ""})))
    started = time.process_time()  # excludes rows that the process reads only once
    stores = stores_of(lake, registry)
    try:
        challenger = train.fn(stores, local.model.name, at, "replay", planned.compared)
        if local.model.training.refit:
            refit.fn(stores, challenger)
    except EvergreenError as error:  # too few rows yet, or an estimator that raises, as in production
        problem = str(error)
    versions = registry.versions(local.model.name)[::-1]
    trained = [version for version in versions if int(version.number) >= planned.number]
    local.fits.keep(planned.key, trained, time.process_time() - started, problem)
    return planned
