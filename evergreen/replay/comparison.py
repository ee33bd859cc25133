"""The result of a replay: how good each policy was and what it cost, with intervals, and which one to choose."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from evergreen.evaluation import performance
from evergreen.evaluation.bootstrap import Interval
from evergreen.evaluation.performance import Realised
from evergreen.lifecycle.triggers import trigger_of
from evergreen.replay.policies import ORACLE
from evergreen.replay.run import Plan, PolicyRun

if TYPE_CHECKING:
    from evergreen.definition.model import Model

_WEEK = pd.Timedelta(days=7)
_WELL = 1.1  # times the oracle's error: recovered


@dataclass(frozen=True)
class Result:
    """The result of one policy.

    Attributes
    ----------
    name, metric : str
    mean, low, high : float
        The metric over all rows, with its interval by blocks.
    over_never : Interval or None
        By how much it was better than never retraining, on the same rows; None if that policy did not run.
    regret : Interval or None
        By how much the oracle was better.
    gain_share : float or None
        Its share of the oracle's gain over never retraining; None if the oracle has no gain.
    worst_week : float
        The metric in the worst seven days.
    worst_week_ratio : float or None
        Its worst week divided by the oracle's; for a score, the oracle's divided by its own.
    days_below_floor : int or None
        Blocks whose metric is worse than the gates' floor; None without a floor.
    trainings, promotions, rejections, undecided, comebacks, rollbacks, failures : int
    kept_out_by : dict of gate to int
        How many challengers did not pass each gate.
    wrong_promotions : int
        Promotions that were worse than keeping the champion, beyond chance, in the following steps.
    alarms, false_alarms : int
        Trainings that drift or performance triggered; those without a gain beyond chance.
    recovery_days : float or None
        From the known change until its error was within a tenth of the oracle's; None if it never was,
        or if no change was given.
    cpu_seconds : float
    money : float or None
    unanswered : int
        Steps in which its champion raised, or predicted a value that is not a number.
    lines : str
        The lines of the model file and of prefect.yaml that set this policy; empty if they cannot express it.
    problem : str
        Why it ended early; it is then not compared with others.
    series : list of (time, float)
        The metric by step.
    moves : list of time
        When another version took over.
    """

    name: str
    metric: str
    mean: float = math.nan
    low: float = math.nan
    high: float = math.nan
    over_never: Interval | None = None
    regret: Interval | None = None
    gain_share: float | None = None
    worst_week: float = math.nan
    worst_week_ratio: float | None = None
    days_below_floor: int | None = None
    trainings: int = 0
    promotions: int = 0
    rejections: int = 0
    undecided: int = 0
    comebacks: int = 0
    rollbacks: int = 0
    failures: int = 0
    wrong_promotions: int = 0
    alarms: int = 0
    false_alarms: int = 0
    recovery_days: float | None = None
    cpu_seconds: float = 0.0
    money: float | None = None
    unanswered: int = 0
    lines: str = ""
    problem: str = ""
    series: list[tuple[str, float]] = field(default_factory=list)
    moves: list[str] = field(default_factory=list)
    kept_out_by: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Replayed:
    """The result of a replay.

    Attributes
    ----------
    model, metric : str
    since, until : str
    step_days : float
    policies : list of Result
        In the order of the request; the oracle last.
    recommended : str
        The name of the policy to choose; empty if none finished.
    reason : str
        Why, in a sentence.
    """

    model: str
    metric: str
    since: str
    until: str
    step_days: float
    policies: list[Result]
    recommended: str
    reason: str

    def result(self, name: str) -> Result:
        """The result of one policy."""
        return next(policy for policy in self.policies if policy.name == name)


def compare(
    model: "Model",
    plan: Plan,
    runs: Sequence[PolicyRun],
    lines: dict[str, str],
    price: float | None = None,
    changed: pd.Timestamp | None = None,
) -> Replayed:
    """Compare the policy runs of a replay.

    Parameters
    ----------
    model : Model
    plan : Plan
    runs : list of PolicyRun
        The oracle among them.
    lines : dict of name to str
        As in `Result`.
    price : float, optional
        Of an hour of CPU.
    changed : Timestamp, optional
        The time of a known change of the data.
    """
    finished = {run.name: run for run in runs if not run.problem}
    results = [
        _result(model, run, finished, lines.get(run.name, ""), price, changed)
        if not run.problem
        else Result(run.name, model.metric.name, problem=run.problem, lines=lines.get(run.name, ""))
        for run in runs
    ]
    recommended, reason = _recommended(model, [result for result in results if result.name in finished], finished)
    step = plan.step / pd.Timedelta(days=1)
    bounds = plan.since.isoformat(), plan.until.isoformat()
    return Replayed(model.name, model.metric.name, *bounds, step, results, recommended, reason)


def _result(
    model: "Model",
    run: PolicyRun,
    whole: dict[str, PolicyRun],
    lines: str,
    price: float | None,
    changed: pd.Timestamp | None,
) -> Result:
    never, oracle = whole.get("never"), whole.get(ORACLE)
    scored = _scored(run)
    reach = performance.interval(model, scored) if scored else Interval.unknown()
    weeks = _weekly(model, scored)
    promoted = [training for training in run.trainings if training.moved]
    alarms = [training for training in run.trainings if trigger_of(training.wish).observed]
    decisions = [training.decision for training in run.trainings]
    over_never = gain(model, run, never) if never else None
    return Result(
        name=run.name,
        metric=model.metric.name,
        mean=reach.value,
        low=reach.low,
        high=reach.high,
        over_never=over_never,
        regret=gain(model, oracle, run) if oracle else None,
        gain_share=_share(over_never, gain(model, oracle, never)) if over_never and oracle and never else None,
        worst_week=_worst(model, weeks),
        worst_week_ratio=_ratio(model, weeks, _weekly(model, _scored(oracle))) if oracle else None,
        days_below_floor=_below(model, scored),
        trainings=len(run.trainings),
        promotions=sum(training.decision != "comeback" for training in promoted),
        rejections=decisions.count("reject"),
        undecided=decisions.count("not enough evidence"),
        comebacks=sum(training.decision == "comeback" for training in promoted),
        rollbacks=run.rollbacks,
        failures=sum(decision.startswith("failed") for decision in decisions),
        wrong_promotions=sum(training.wrong for training in promoted),
        alarms=len(alarms),
        false_alarms=sum(training.idle for training in alarms),
        recovery_days=_recovery(model, run, oracle, changed) if oracle and changed is not None else None,
        cpu_seconds=run.seconds,
        money=None if price is None else price * run.seconds / 3600,
        unanswered=sum(step.scored is None for step in run.steps),
        lines=lines,
        series=[(step.since, step.scored.value) for step in run.steps if step.scored and step.scored.rows],
        moves=_moves(run),
        kept_out_by=dict(Counter(gate for training in run.trainings for gate in training.kept_out_by).most_common()),
    )


def gain(model: "Model", ours: PolicyRun, theirs: PolicyRun) -> Interval:
    """By how much one policy was better than another in the steps in which both predicted, paired by block."""
    return performance.gain(model, [step.scored for step in ours.steps], [step.scored for step in theirs.steps])


def _scored(run: PolicyRun) -> list[Realised]:
    return [step.scored for step in run.steps if step.scored and step.scored.rows]


def _weekly(model: "Model", scored: list[Realised]) -> dict[int, float]:
    """The metric by seven days, counted from the first row."""
    if not scored:
        return {}
    sums = np.concatenate([np.asarray(step.sums) for step in scored])
    days = pd.DatetimeIndex([block for step in scored for block in step.blocks])
    weeks = ((days - days[0].floor("D")) // _WEEK).to_numpy()
    return {int(week): float(model.metric.finish(sums[weeks == week].sum(axis=0))) for week in np.unique(weeks)}


def _worst(model: "Model", values: dict[int, float]) -> float:
    known = [value for value in values.values() if math.isfinite(value)]
    return (min if model.metric.greater_is_better else max)(known, default=math.nan)


def _ratio(model: "Model", ours: dict[int, float], theirs: dict[int, float]) -> float | None:
    our_worst, their_worst = _worst(model, ours), _worst(model, theirs)
    above, below = (their_worst, our_worst) if model.metric.greater_is_better else (our_worst, their_worst)
    return above / below if below else None


def _below(model: "Model", scored: list[Realised]) -> int | None:
    floor = model.gates.floor
    if floor is None:
        return None
    values = [float(model.metric.finish(np.asarray(block))) for step in scored for block in step.sums]
    return sum((value < floor) if model.metric.greater_is_better else (value > floor) for value in values)


def _share(over_never: Interval, possible: Interval) -> float | None:
    return over_never.value / possible.value if possible.low > 0 else None


def _moves(run: PolicyRun) -> list[str]:
    """When another version took over."""
    return [after.since for before, after in pairwise(run.steps) if before.champion != after.champion]


def _recovery(model: "Model", run: PolicyRun, oracle: PolicyRun, changed: pd.Timestamp) -> float | None:
    """Days from a change to the first of two steps whose error was within a tenth of the oracle's."""
    pairs = zip(run.steps, oracle.steps, strict=True)
    later = [(step, best) for step, best in pairs if pd.Timestamp(step.since) >= changed]
    good = [(step.since, _near(model, step.scored, best.scored)) for step, best in later]
    recovered = next((since for (since, now), (_, then) in pairwise(good) if now and then), None)
    return None if recovered is None else (pd.Timestamp(recovered) - changed) / pd.Timedelta(days=1)


def _near(model: "Model", ours: Realised | None, best: Realised | None) -> bool:
    if ours is None or best is None or not ours.rows:
        return False
    return best.value <= _WELL * ours.value if model.metric.greater_is_better else ours.value <= _WELL * best.value


def _recommended(model: "Model", results: list[Result], finished: dict[str, PolicyRun]) -> tuple[str, str]:
    """The cheapest policy that is proven not to be worse than the best by more than the gates tolerate.

    Only policies count that predicted every row and that a model file can express.
    """
    eligible = [result for result in results if result.lines and not result.unanswered and math.isfinite(result.mean)]
    if not eligible:
        return "", "No policy that a model file can express predicted every row."
    best = max(eligible, key=lambda result: result.mean if model.metric.greater_is_better else -result.mean)
    loss = {result.name: gain(model, finished[best.name], finished[result.name]) for result in eligible}
    tolerated, margin = model.gates.margin * abs(best.mean), f"{model.gates.margin:.0%}"
    near = [result for result in eligible if result is best or loss[result.name].high <= tolerated]
    chosen = min(near, key=lambda result: result.cpu_seconds)
    metric = f"{best.metric.replace('_', ' ')} {best.mean:.4g}"
    if chosen is best:
        return (
            best.name,
            f"{best.name} was best ({metric}), and no cheaper policy is proven to lie within {margin} of it.",
        )
    lost, cost = loss[chosen.name], chosen.cpu_seconds / best.cpu_seconds
    return chosen.name, (
        f"{best.name} was best ({metric}); {chosen.name} loses {lost.value:.3g} [{lost.low:.3g}, {lost.high:.3g}] "
        f"against it, within the {margin} that the gates tolerate, for {cost:.0%} of its CPU time."
    )
