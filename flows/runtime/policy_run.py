"""The run of one policy in a replay, step by step with production's stages, in memory and in a process of its own."""

import time
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from evergreen import files
from evergreen.definition.options import AUTO
from evergreen.errors import EvergreenError, PromotionError, TrainingError
from evergreen.evaluation.bootstrap import Interval
from evergreen.gates.judgement import Judgement, settle
from evergreen.lifecycle import decision_log
from evergreen.lifecycle import state as states
from evergreen.lifecycle.decision import Decision
from evergreen.lifecycle.outcome import REINSTATED
from evergreen.lifecycle.rollback import destination
from evergreen.lifecycle.triggers import name_of
from evergreen.registry.version import CHAMPION, PREVIOUS, Version
from evergreen.replay import policies
from evergreen.replay.memory_registry import MemoryRegistry
from evergreen.replay.point_in_time import PointInTimeLake
from evergreen.replay.policies import ReplayedPolicy
from evergreen.replay.run import PolicyRun, PolicyTraining, Step
from evergreen.stores import Stores
from evergreen.training.window import WindowRecord
from flows.runtime.replay_inputs import ReplayInputs, fit, in_process, stores_of
from tasks.build_reference import build_reference
from tasks.evaluate import evaluate
from tasks.judge import judge
from tasks.observe import observe
from tasks.predict import predict
from tasks.promote import promote
from tasks.refit import choose, refit
from tasks.rollback import rollback
from tasks.train import train

# The decision, the chosen version, whether it was promoted, and the gates not passed.
TrainingResult = tuple[str, Version | None, bool, list[str]]


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
        taken: list[Version] = []
        try:
            taken = self._trained(step)
            if not taken:
                return
            result = self._judged(stores, at, trigger) if self.policy.gated else self._taken(taken, at)
            decision, chosen, moved, gates = result
        except (PromotionError, TrainingError) as error:
            decision, chosen, moved, gates = f"failed: {error}", None, False, []
        answering = chosen.number if chosen and moved else taken[-1].number if taken else before.number
        self.trainings.append(
            PolicyTraining(step, trigger, before.number, answering, decision, moved, kept_out_by=gates)
        )

    def _trained(self, step: int) -> list[Version]:
        """Register the versions trained at this step; none if the policy has the same training already.

        Raises
        ------
        TrainingError
            The estimator could not be fitted.
        """
        name = self.inputs.model.name
        known = self.registry.versions(name) if self.inputs.model.training.window == AUTO else []
        planned = fit(self.inputs, step, known)  # unless it was trained for another policy
        versions, seconds, problem = self.inputs.fits.of(planned.key)
        if problem and not versions:
            raise TrainingError(problem)
        if not versions or self.registry.versions(name, fingerprint=versions[0].fingerprint):
            return []
        for version in versions:
            self.registry.add(version)
        if self.inputs.model.training.window == AUTO:  # the training may be another policy's, the record is this one's
            self.registry.tag(versions[0], window_record=WindowRecord(planned.compared).dump())
        self.seconds += seconds + planned.seconds
        return versions

    def _judged(self, stores: Stores, at: pd.Timestamp, trigger: str) -> TrainingResult:
        challenger = train.fn(stores, self.inputs.model.name, at, trigger)
        judged = judge.fn(stores, challenger, evaluate.fn(stores, challenger))
        chosen = choose(stores, challenger, judged, refit.fn)
        moved = chosen is not None and promote.fn(stores, self._allowed(chosen, judged), judged, at)
        settle(self.registry, judged)
        gates = [check.name for check in judged.verdict.checks if check.outcome in ("failed", "unknown")]
        return (REINSTATED if judged.reinstated else judged.verdict.decision), chosen, moved, gates

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
