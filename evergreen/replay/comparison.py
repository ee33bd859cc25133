"""The result of a replay: how good each policy was and what it cost, with intervals, and which one to choose."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from evergreen.definition.options import AUTO
from evergreen.evaluation import performance
from evergreen.evaluation.bootstrap import Interval
from evergreen.evaluation.performance import Realised
from evergreen.lifecycle.outcome import REINSTATED
from evergreen.lifecycle.triggers import trigger_of
from evergreen.replay.hindsight import KNOWING
from evergreen.replay.policies import ORACLE
from evergreen.replay.result import Against, Asked, Found, Replayed, Result, WindowResult
from evergreen.replay.run import Plan, PolicyRun, PolicyTraining
from evergreen.training.window import ALL

if TYPE_CHECKING:
    from evergreen.definition.model import Model

_WEEK = pd.Timedelta(days=7)
_WELL = 1.1  # times the oracle's error: recovered


def compare(
    model: "Model",
    plan: Plan,
    runs: Sequence[PolicyRun],
    lines: dict[str, str],
    price: float | None = None,
    changed: pd.Timestamp | None = None,
    windows: Mapping[str, PolicyRun] = MappingProxyType({}),
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
    windows : dict of name to PolicyRun, optional
        Every training window at every step, from `evergreen.replay.hindsight`.
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
    compared = _windows(model, windows, finished.get(ORACLE))
    advice = _window_advice(model, compared)
    return Replayed(model.name, model.metric.name, *bounds, step, results, recommended, reason, compared, *advice)


def _result(
    model: "Model",
    run: PolicyRun,
    whole: dict[str, PolicyRun],
    lines: str,
    price: float | None,
    changed: pd.Timestamp | None,
) -> Result:
    never, oracle = whole.get("never"), whole.get(ORACLE)
    reach = performance.interval(model, run.scored) if run.scored else Interval.unknown()
    weeks = _weekly(model, run.scored)
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
        gain_share=_share(model, over_never, oracle, never),
        against={name: _against(model, run, whole[name], over_never, never) for name in KNOWING if name in whole},
        worst_week=_worst(model, weeks),
        worst_week_ratio=_ratio(model, weeks, _weekly(model, oracle.scored)) if oracle else None,
        days_below_floor=_below(model, run.scored),
        trainings=len(run.trainings),
        promotions=sum(training.decision != REINSTATED for training in promoted),
        rejections=decisions.count("reject"),
        undecided=decisions.count("not enough evidence"),
        comebacks=sum(training.decision == REINSTATED for training in promoted),
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
        asked=[_asked(run, training) for training in run.trainings] if run.name not in KNOWING else [],
        kept_out_by=dict(Counter(gate for training in run.trainings for gate in training.kept_out_by).most_common()),
    )


def gain(model: "Model", ours: PolicyRun, theirs: PolicyRun) -> Interval:
    """By how much one policy was better than another in the steps in which both predicted, paired by block."""
    return performance.gain(model, [step.scored for step in ours.steps], [step.scored for step in theirs.steps])


def _weekly(model: "Model", scored: list[Realised]) -> dict[int, float]:
    """The metric by seven days, counted from the first row."""
    if not scored:
        return {}
    metric, sums = model.metric.pooled([np.asarray(step.sums) for step in scored])
    days = pd.DatetimeIndex([block for step in scored for block in step.blocks])
    weeks = ((days - days[0].floor("D")) // _WEEK).to_numpy()
    return {int(week): float(metric.finish(sums[weeks == week].sum(axis=0))) for week in np.unique(weeks)}


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


def _share(
    model: "Model", over_never: Interval | None, best: PolicyRun | None, never: PolicyRun | None
) -> float | None:
    """The share of what the best one gains over never retraining, if it gains anything beyond chance."""
    if over_never is None or best is None or never is None:
        return None
    possible = gain(model, best, never)
    return over_never.value / possible.value if possible.low > 0 else None


def _against(
    model: "Model", run: PolicyRun, other: PolicyRun, over_never: Interval | None, never: PolicyRun | None
) -> Against:
    return Against(gain(model, other, run), _share(model, over_never, other, never))


def _asked(run: PolicyRun, training: PolicyTraining) -> Asked:
    """What became of a training."""
    gain, step = training.gain, run.steps[training.step]
    found: Found = "better" if gain.low > 0 else "worse" if gain.high < 0 else "not told apart"
    later = run.steps[training.step :] if training.moved else []
    replaced = next((after for after in later if after.champion != step.champion), None)
    reinstated = {run.steps[other.step].since for other in run.trainings if other.decision == REINSTATED}
    return Asked(
        at=step.since,
        trigger=training.wish,
        decision=training.decision,
        moved=training.moved,
        gain=gain,
        found=found,
        until=replaced.since if replaced else "",
        taken_back=replaced is not None and (replaced.action == "roll back" or replaced.since in reinstated),
    )


def _windows(model: "Model", runs: Mapping[str, PolicyRun], oracle: PolicyRun | None) -> list[WindowResult]:
    reaches = {name: performance.interval(model, run.scored) for name, run in runs.items() if run.scored}
    return [
        WindowResult(name, reach.value, reach.low, reach.high, gain(model, runs[name], oracle) if oracle else None)
        for name, reach in reaches.items()
    ]


def _window_advice(model: "Model", windows: Sequence[WindowResult]) -> tuple[str, str]:
    """What the windows say about the one of the model file, and the line that sets another."""
    if not windows:
        return "", ""
    best = (max if model.metric.greater_is_better else min)(windows, key=lambda found: found.mean)
    name = "all history" if best.name == ALL else best.name
    said = f"Of the training windows {name} was best ({model.metric.name.replace('_', ' ')} {best.mean:.4g})"
    if best.gain is None or not best.gain.low > 0:
        return f"{said}, not told apart from the model file's.", ""
    ahead = f"{best.gain.value:.3g} [{best.gain.low:.3g}, {best.gain.high:.3g}] ahead of the model file's"
    if model.training.window == AUTO:
        return f"{said}, {ahead}, which is chosen by the record.", ""
    return f"{said}, {ahead}. The record finds such a window without knowing the future.", f'Training(window="{AUTO}")'


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
