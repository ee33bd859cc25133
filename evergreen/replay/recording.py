"""Recording: the policies of a replay as runs in MLflow."""

import math
from typing import TYPE_CHECKING

from evergreen.registry.registry import Registry
from evergreen.registry.runs import BacktestRun

if TYPE_CHECKING:
    from evergreen.definition.model import Model
    from evergreen.replay.result import Replayed, Result


def record(registry: Registry, model: "Model", replayed: "Replayed", key: str) -> None:
    """Record each finished policy as a run; repeating this changes nothing."""
    runs = [_run(model, replayed, result) for result in replayed.policies if not result.problem]
    registry.record_backtest(model, key, replayed.reason, runs)


def _run(model: "Model", replayed: "Replayed", result: "Result") -> BacktestRun:
    values = {name: float(value) for name, value in vars(result).items() if isinstance(value, int | float)}
    points = [(name, value, replayed.until) for name, value in values.items() if math.isfinite(value)]
    points += [(result.metric, value, at) for at, value in result.series]
    params = {
        "policy": result.name,
        "since": replayed.since,
        "until": replayed.until,
        "step_days": str(replayed.step_days),
    }
    return BacktestRun(f"{model.name} · replay · {result.name}", params, points)
