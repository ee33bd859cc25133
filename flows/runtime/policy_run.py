"""The run of one policy in a replay, step by step with production's stages, in memory and in a process of its own."""

import math
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from evergreen import files, lifeline
from evergreen.definition import loader
from evergreen.definition.model import Model
from evergreen.definition.options import AUTO
from evergreen.errors import ChangedError, EvergreenError, PromotionError, TrainingError
from evergreen.evaluation import performance
from evergreen.evaluation.bootstrap import Interval
from evergreen.evaluation.performance import Realised
from evergreen.gates.judgement import Judgement, settle
from evergreen.ingestion.quarantine import Quarantine
from evergreen.lake.lake import Lake
from evergreen.lifecycle import decision_log
from evergreen.lifecycle import state as states
from evergreen.lifecycle.decision import Decision
from evergreen.lifecycle.rollback import destination
from evergreen.lifecycle.triggers import name_of
from evergreen.registry.version import CHAMPION, PREVIOUS, Version, stored
from evergreen.replay import policies
from evergreen.replay.fit_cache import FitCache
from evergreen.replay.memory_registry import MemoryRegistry
from evergreen.replay.point_in_time import PointInTimeLake
from evergreen.replay.policies import ReplayedPolicy
from evergreen.replay.run import AFTER, Plan, PolicyRun, PolicyTraining, Step
from evergreen.stores import Stores
from evergreen.training import recipe, window
from evergreen.training.snapshot import Snapshot
from tasks.build_reference import build_reference
from tasks.evaluate import evaluate
from tasks.judge import judge
from tasks.observe import observe
from tasks.predict import predict
from tasks.promote import promote
from tasks.refit import choose, refit
from tasks.rollback import rollback
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

    def training_at(self, step: int, known: Sequence[Version]) -> tuple[str, int]:
        """The name of a step's trainings in the cache, and the number of the first of them."""
        if self.model.training.window != AUTO:
            return str(step), 2 * step + 1
        at = self.plan.step_starts[step]
        try:
            planned = recipe.plan(self.model, Snapshot.pin(self.past.at(at), self.model, at), "", known)
        except EvergreenError:  # too few rows yet, which the training says
            places = [0, 0]
        else:
            places = [window.place(self.model, split.window) for split in (planned.split, planned.beside) if split]
        number = step
        for place in (*places, 0)[:2]:
            number = number * window.LENGTHS + place
        return "-".join(map(str, [step, *places])), 2 * number + 1

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


# The decision, the chosen version, whether it was promoted, and the gates not passed.
TrainingResult = tuple[str, Version | None, bool, list[str]]


def begin(parent: int) -> None:
    """Leave Ctrl-C to the process that started this one, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lifeline.watch(parent)


@lru_cache(maxsize=1)
def in_process(ground: ReplayInputs) -> ReplayInputs:
    """The first copy that this process received, which caches its rows; each call unpickles another one."""
    return ground


def stores_of(lake: PointInTimeLake, registry: MemoryRegistry) -> Stores:
    """The stores of one step of a policy, all in memory; they emit no events."""
    return Stores(lake, registry, Quarantine("memory://replay"), live=False)


def fit(ground: ReplayInputs, step: int, known: Sequence[Version] = ()) -> str:
    """Train the challenger of a step and its refit, shared by all policies that train alike at this step.

    Parameters
    ----------
    ground : ReplayInputs
    step : int
    known : sequence of Version
        What the policy trained before, if its record chooses the training window.

    Returns
    -------
    str
        The name of the trainings in the cache.
    """
    local = in_process(ground)
    local.unchanged()
    key, number = local.training_at(step, known)
    if local.fits.has(key):
        return key
    at, problem = local.plan.step_starts[step], ""
    lake, registry = local.past.without_written().at(at), MemoryRegistry(fits=local.fits, next=number - len(known))
    for version in known:  # for their record; the policy itself looks whether it has the same training already
        registry.add(replace(version, tags=version.tags | stored({"fingerprint": ""})))
    started = time.process_time()  # excludes rows that the process reads only once
    stores = stores_of(lake, registry)
    try:
        challenger = train.fn(stores, local.model.name, at, "replay")
        if local.model.training.refit:
            refit.fn(stores, challenger)
    except EvergreenError as error:  # too few rows yet, or an estimator that raises, as in production
        problem = str(error)
    trained = [version for version in registry.versions(local.model.name)[::-1] if int(version.number) >= number]
    local.fits.keep(key, trained, time.process_time() - started, problem)
    return key


def run_policy(ground: ReplayInputs, name: str) -> PolicyRun:
    """Run one policy through all steps; a finished backtest run is stored."""
    local = in_process(ground)
    path = local.folder / f"walk-{policies.fingerprint(name)}.json"
    if path.is_file():
        return PolicyRun.parse(path.read_text())
    finished = PolicyRunner(local, policies.named(name, local.model)).run()
    if not finished.problem:
        files.replace(path, finished.dump())
    return finished


@dataclass
class PolicyRunner:
    """The backtest run of one policy.

    Parameters
    ----------
    inputs : ReplayInputs
    policy : ReplayedPolicy
    """

    inputs: ReplayInputs
    policy: ReplayedPolicy
    registry: MemoryRegistry = field(init=False)
    past: PointInTimeLake = field(init=False)
    steps: list[Step] = field(default_factory=list)
    trainings: list[PolicyTraining] = field(default_factory=list)
    rollbacks: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.registry, self.past = MemoryRegistry(fits=self.inputs.fits), self.inputs.past.without_written()

    def run(self) -> PolicyRun:
        """Run and score all steps; a policy that raises ends its own backtest run."""
        problem = ""
        for step, at in enumerate(self.inputs.plan.step_starts):
            self.inputs.unchanged()
            started = time.process_time()
            try:
                decided = self.take(step, at)
            except EvergreenError as error:
                problem = str(error)
                break
            self.seconds += time.process_time() - started
            champion = self.registry.champion(self.inputs.model.name)
            assert champion is not None
            scored = self.inputs.scored(self.registry, champion.number, step)
            self.steps.append(Step(at.isoformat(), champion.number, decided.action, decided.reason, scored))
        measured = [replace(training, gain=self._gain(training)) for training in self.trainings]
        return PolicyRun(self.policy.name, self.steps, measured, self.rollbacks, self.seconds, problem)

    def take(self, step: int, at: pd.Timestamp) -> Decision:
        """Take one step: decide, and do what was decided.

        Raises
        ------
        EvergreenError
            The policy raises.
        """
        return self._first(at) if step == 0 else self._decided(stores_of(self.past.at(at), self.registry), step, at)

    def _gain(self, training: PolicyTraining) -> Interval:
        return self.inputs.gain(self.registry, training.version, training.before, training.step)

    def _first(self, at: pd.Timestamp) -> Decision:
        """Promote the first champion, which is the same for all policies."""
        self._taken(self._trained(0), at)
        return Decision("train", "the first champion, the same for all policies")

    def _decided(self, stores: Stores, step: int, at: pd.Timestamp) -> Decision:
        model = self.inputs.model
        state = replace(states.state(stores, model, "", at), **self._seen(stores, at))
        decided = policies.decision_of(self.policy, state, stores)
        trigger = name_of(decided.reason) if decided.train else ""
        decision_log.record(stores.lake, model.name, replace(state, wish=trigger), decided)
        if decided.action == "roll back":
            champion, before = destination(self.registry, model.name)
            self.rollbacks += rollback.fn(stores, champion, before, decided.reason, at)
        elif decided.train:
            self._train(stores, step, at, trigger)
        return decided

    def _seen(self, stores: Stores, at: pd.Timestamp) -> dict[str, Any]:
        """The monitor's observation, for a policy that uses one."""
        champion = self.registry.champion(self.inputs.model.name)
        if not self.policy.watches or champion is None:
            return {}
        build_reference.fn(stores, champion)
        predict.fn(stores, self.inputs.model.name, at)
        return observe.fn(stores, champion, at).monitored

    def _train(self, stores: Stores, step: int, at: pd.Timestamp, trigger: str) -> None:
        """Train, judge and promote as the flow does; a failed training is recorded."""
        before = self.registry.champion(self.inputs.model.name)
        assert before is not None, "every policy run begins with a champion"
        taken = self._trained(step)
        if not taken:
            return
        try:
            result = self._judged(stores, at, trigger) if self.policy.gated else self._taken(taken, at)
            decision, chosen, moved, gates = result
        except (PromotionError, TrainingError) as error:
            decision, chosen, moved, gates = f"failed: {error}", None, False, []
        answering = chosen.number if chosen and moved else taken[-1].number
        self.trainings.append(
            PolicyTraining(step, trigger, before.number, answering, decision, moved, kept_out_by=gates)
        )

    def _trained(self, step: int) -> list[Version]:
        """Register the versions trained at this step; none if the policy has the same training already."""
        name = self.inputs.model.name
        known = self.registry.versions(name) if self.inputs.model.training.window == AUTO else []
        key = fit(self.inputs, step, known)  # unless it was trained for another policy
        versions, seconds, _ = self.inputs.fits.of(key)
        if not versions or self.registry.versions(name, fingerprint=versions[0].fingerprint):
            return []
        for version in versions:
            self.registry.add(version)
        self.seconds += seconds
        return versions

    def _judged(self, stores: Stores, at: pd.Timestamp, trigger: str) -> TrainingResult:
        challenger = train.fn(stores, self.inputs.model.name, at, trigger)
        judged = judge.fn(stores, challenger, evaluate.fn(stores, challenger))
        chosen = choose(stores, challenger, judged, refit.fn)
        moved = chosen is not None and promote.fn(stores, self._allowed(chosen, judged), judged, at)
        settle(self.registry, judged)
        gates = [check.name for check in judged.verdict.checks if check.outcome in ("failed", "unknown")]
        return ("comeback" if judged.reinstated else judged.verdict.decision), chosen, moved, gates

    def _allowed(self, version: Version, judged: Judgement) -> Version:
        """Mark a version as approved: a replay requests no approval."""
        self.registry.tag(version, approval="approved", approval_judged=judged.version)
        return self.registry.version(version.model, version.number)

    def _taken(self, versions: list[Version], at: pd.Timestamp) -> TrainingResult:
        """Promote the trained version without a verdict."""
        chosen, champion = versions[-1], self.registry.champion(self.inputs.model.name)
        for version in versions:
            self.registry.tag(version, promoted_at=at, promoted_by=versions[0].number, decision="promote", settled=True)
        if champion is not None:
            self.registry.alias(champion, PREVIOUS)
        self.registry.alias(chosen, CHAMPION)
        return "ungated", chosen, True, []
