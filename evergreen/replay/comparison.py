"""The answer of a replay: how good each policy was and what it cost, with intervals, and which one to take."""

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
from evergreen.replay.run import Plan, Walk

if TYPE_CHECKING:
    from evergreen.definition.model import Model

_WEEK = pd.Timedelta(days=7)
_WELL = 1.1  # times the oracle's error: recovered


@dataclass(frozen=True)
class Result:
    """What one policy came to.

    Attributes
    ----------
    name, metric : str
    mean, low, high : float
        The metric over all rows, with its interval by blocks.
    over_never : Interval or None
        By how much it was better than never retraining, on the same rows; None where that did not run.
    regret : Interval or None
        By how much the oracle was better.
    gain_share : float or None
        Of what the oracle gains over never retraining; None where that is no gain.
    worst_week : float
        The metric in the worst seven days.
    worst_week_ratio : float or None
        Over the oracle's worst, of an error; of a score the oracle's over it.
    days_below_floor : int or None
        Blocks whose metric is worse than the gates' floor; None without a floor.
    trainings, promotions, rejections, undecided, comebacks, rollbacks, failures : int
    kept_out_by : dict of gate to int
        How many challengers did not pass it.
    wrong_promotions : int
        Worse than keeping the champion, beyond chance, in the steps that followed.
    alarms, false_alarms : int
        Trainings that drift or performance asked for; those that were not worth it, beyond chance.
    recovery_days : float or None
        From the known change until it was as good as the oracle, to a tenth; None if it was not,
        or no change was named.
    cpu_seconds : float
    money : float or None
    unanswered : int
        Steps in which its champion raised, or gave what is no number.
    lines : str
        What the model file and prefect.yaml have to say for it; empty where they cannot.
    problem : str
        Why it ended early; it is compared with nobody then.
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
    """What a replay came to.

    Attributes
    ----------
    model, metric : str
    since, until : str
    step_days : float
    policies : list of Result
        In the order asked for; the oracle last.
    recommended : str
        The name of the policy to take; empty where none finished.
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
        return next(one for one in self.policies if one.name == name)


def answer(
    model: "Model",
    plan: Plan,
    walks: Sequence[Walk],
    lines: dict[str, str],
    price: float | None = None,
    changed: pd.Timestamp | None = None,
) -> Replayed:
    """Compare the walks of a replay.

    Parameters
    ----------
    model : Model
    plan : Plan
    walks : list of Walk
        The oracle among them.
    lines : dict of name to str
        As in `Result`.
    price : float, optional
        Of an hour of CPU.
    changed : Timestamp, optional
        When the world is known to have changed.
    """
    whole = {one.name: one for one in walks if not one.problem}
    results = [
        _result(model, one, whole, lines.get(one.name, ""), price, changed)
        if not one.problem
        else Result(one.name, model.metric.name, problem=one.problem, lines=lines.get(one.name, ""))
        for one in walks
    ]
    recommended, reason = _recommended(model, [one for one in results if one.name in whole], whole)
    step = plan.step / pd.Timedelta(days=1)
    bounds = plan.since.isoformat(), plan.until.isoformat()
    return Replayed(model.name, model.metric.name, *bounds, step, results, recommended, reason)


def _result(
    model: "Model",
    one: Walk,
    whole: dict[str, Walk],
    lines: str,
    price: float | None,
    changed: pd.Timestamp | None,
) -> Result:
    never, oracle = whole.get("never"), whole.get(ORACLE)
    scored = _scored(one)
    reach = performance.interval(model, scored) if scored else Interval.unknown()
    weeks = _weekly(model, scored)
    promoted = [training for training in one.trainings if training.moved]
    alarms = [training for training in one.trainings if trigger_of(training.wish).observed]
    decisions = [training.decision for training in one.trainings]
    over_never = gain(model, one, never) if never else None
    return Result(
        name=one.name,
        metric=model.metric.name,
        mean=reach.value,
        low=reach.low,
        high=reach.high,
        over_never=over_never,
        regret=gain(model, oracle, one) if oracle else None,
        gain_share=_share(over_never, gain(model, oracle, never)) if over_never and oracle and never else None,
        worst_week=_worst(model, weeks),
        worst_week_ratio=_ratio(model, weeks, _weekly(model, _scored(oracle))) if oracle else None,
        days_below_floor=_below(model, scored),
        trainings=len(one.trainings),
        promotions=sum(training.decision != "comeback" for training in promoted),
        rejections=decisions.count("reject"),
        undecided=decisions.count("not enough evidence"),
        comebacks=sum(training.decision == "comeback" for training in promoted),
        rollbacks=one.rollbacks,
        failures=sum(decision.startswith("failed") for decision in decisions),
        wrong_promotions=sum(training.wrong for training in promoted),
        alarms=len(alarms),
        false_alarms=sum(training.idle for training in alarms),
        recovery_days=_recovery(model, one, oracle, changed) if oracle and changed is not None else None,
        cpu_seconds=one.seconds,
        money=None if price is None else price * one.seconds / 3600,
        unanswered=sum(step.scored is None for step in one.steps),
        lines=lines,
        series=[(step.since, step.scored.value) for step in one.steps if step.scored and step.scored.rows],
        moves=_moves(one),
        kept_out_by=dict(Counter(gate for training in one.trainings for gate in training.kept_out_by).most_common()),
    )


def gain(model: "Model", ours: Walk, theirs: Walk) -> Interval:
    """By how much one policy was better than another in the steps that both answered, paired by block."""
    return performance.gain(model, [step.scored for step in ours.steps], [step.scored for step in theirs.steps])


def _scored(one: Walk) -> list[Realised]:
    return [step.scored for step in one.steps if step.scored and step.scored.rows]


def _weekly(model: "Model", scored: list[Realised]) -> dict[int, float]:
    """The metric by seven days, counted from the first row."""
    if not scored:
        return {}
    sums = np.concatenate([np.asarray(one.sums) for one in scored])
    days = pd.DatetimeIndex([block for one in scored for block in one.blocks])
    weeks = ((days - days[0].floor("D")) // _WEEK).to_numpy()
    return {int(week): float(model.metric.finish(sums[weeks == week].sum(axis=0))) for week in np.unique(weeks)}


def _worst(model: "Model", values: dict[int, float]) -> float:
    known = [one for one in values.values() if math.isfinite(one)]
    return (min if model.metric.greater_is_better else max)(known, default=math.nan)


def _ratio(model: "Model", ours: dict[int, float], theirs: dict[int, float]) -> float | None:
    one, other = _worst(model, ours), _worst(model, theirs)
    above, below = (other, one) if model.metric.greater_is_better else (one, other)
    return above / below if below else None


def _below(model: "Model", scored: list[Realised]) -> int | None:
    floor = model.gates.floor
    if floor is None:
        return None
    values = [float(model.metric.finish(np.asarray(block))) for one in scored for block in one.sums]
    return sum((one < floor) if model.metric.greater_is_better else (one > floor) for one in values)


def _share(over_never: Interval, possible: Interval) -> float | None:
    return over_never.value / possible.value if possible.low > 0 else None


def _moves(one: Walk) -> list[str]:
    """When another version took over."""
    return [after.since for before, after in pairwise(one.steps) if before.champion != after.champion]


def _recovery(model: "Model", one: Walk, oracle: Walk, changed: pd.Timestamp) -> float | None:
    """Days from a change to the first step that was as good as the oracle's, to a tenth, as was the next."""
    pairs = zip(one.steps, oracle.steps, strict=True)
    later = [(step, best) for step, best in pairs if pd.Timestamp(step.since) >= changed]
    good = [(step.since, _near(model, step.scored, best.scored)) for step, best in later]
    found = next((since for (since, now), (_, then) in pairwise(good) if now and then), None)
    return None if found is None else (pd.Timestamp(found) - changed) / pd.Timedelta(days=1)


def _near(model: "Model", ours: Realised | None, best: Realised | None) -> bool:
    if ours is None or best is None or not ours.rows:
        return False
    return best.value <= _WELL * ours.value if model.metric.greater_is_better else ours.value <= _WELL * best.value


def _recommended(model: "Model", results: list[Result], whole: dict[str, Walk]) -> tuple[str, str]:
    """The cheapest policy that is proven not to be worse than the best by more than the gates tolerate.

    Of those that answered every row, and that a model file can have.
    """
    offered = [one for one in results if one.lines and not one.unanswered and math.isfinite(one.mean)]
    if not offered:
        return "", "None of these policies is one that a model file can have and that answered every row."
    best = max(offered, key=lambda one: one.mean if model.metric.greater_is_better else -one.mean)
    loss = {one.name: gain(model, whole[best.name], whole[one.name]) for one in offered}
    tolerated, margin = model.gates.margin * abs(best.mean), f"{model.gates.margin:.0%}"
    near = [one for one in offered if one is best or loss[one.name].high <= tolerated]
    chosen = min(near, key=lambda one: one.cpu_seconds)
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
