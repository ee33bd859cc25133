"""Runs in MLflow's experiments: trainings that are open, the metric series of the monitor, backtests."""

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from evergreen.registry.client import every
from evergreen.registry.tags import PREFIX, prefixed

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

BacktestKind = Literal["replay", "experiment"]
_MOST = 1000  # metrics that MLflow takes at once


@dataclass(frozen=True)
class BacktestRun:
    """What is recorded of one policy of a replay, or of one variant of an experiment.

    Attributes
    ----------
    title : str
        Of the run.
    params : dict of str to str
    points : list of (metric, value, time)
        Finite values; the time in ISO 8601.
    texts : dict of name to str
        Stored with the run.
    """

    title: str
    params: dict[str, str]
    points: list[tuple[str, float, str]]
    texts: dict[str, str] = field(default_factory=dict)


def experiment_of(client: "MlflowClient", name: str, artifacts: str | None) -> str:
    """The id of a model's experiment, which is created if there is none."""
    from mlflow.exceptions import MlflowException

    known = client.get_experiment_by_name(name)
    if known:
        return str(known.experiment_id)
    location = f"{artifacts}/{name}" if artifacts else None
    try:
        return str(client.create_experiment(name, artifact_location=location))
    except MlflowException:  # another process was quicker
        known = client.get_experiment_by_name(name)
        if known is None:
            raise
        return str(known.experiment_id)


def open_trainings(client: "MlflowClient", experiment: str) -> list[str]:
    """The ids of the runs of trainings that have not ended."""
    ours = f"attributes.status = 'RUNNING' AND tags.`{PREFIX}run` = 'training'"
    return [run.info.run_id for run in client.search_runs([experiment], ours)]


def chart(client: "MlflowClient", experiment: str, name: str, series: list[tuple[str, dict[str, float]]]) -> None:
    """Add points to the metric series of a model; what is not finite is left out."""
    points = [
        _point(metric, value, at) for at, values in series for metric, value in values.items() if math.isfinite(value)
    ]
    client.log_batch(_series(client, experiment, name), metrics=points)


def record_backtests(
    client: "MlflowClient", experiment: str, kind: BacktestKind, key: str, note: str, backtests: list[BacktestRun]
) -> None:
    """Record each backtest run of a replay or an experiment that has not been recorded to its end before."""
    from mlflow.entities import Param

    among = f"tags.`{PREFIX}{kind}` = '{key}'"
    recorded = every(lambda most, token: client.search_runs([experiment], among, max_results=most, page_token=token))
    known = {run.data.tags["mlflow.runName"]: run.info for run in recorded}
    for backtest in backtests:
        info = known.get(backtest.title)
        if info and info.status == "FINISHED":
            continue
        tags = prefixed({"run": kind, kind: key}) | {"mlflow.note.content": note}
        run = info or client.create_run(experiment, run_name=backtest.title, tags=tags).info
        client.log_batch(run.run_id, params=[Param(name, value) for name, value in backtest.params.items()])
        for first in range(0, len(backtest.points), _MOST):
            points = [_point(*point) for point in backtest.points[first : first + _MOST]]
            client.log_batch(run.run_id, metrics=points)
        for name, text in backtest.texts.items():
            client.log_text(run.run_id, text, name)
        client.set_terminated(run.run_id, "FINISHED")


def _series(client: "MlflowClient", experiment: str, name: str) -> str:
    """The run of the metric series, one for all time; it is never at work, so it stands as finished."""
    wanted = f"tags.`{PREFIX}series` = '{name}'"
    known: list[Any] = client.search_runs([experiment], wanted, max_results=1, order_by=["start_time ASC"])
    if known:
        return str(known[0].info.run_id)
    run = client.create_run(experiment, tags=prefixed({"series": name}), run_name=f"{name} · watched")
    client.set_terminated(run.info.run_id, "FINISHED")
    return str(run.info.run_id)


def _point(metric: str, value: float, at: str) -> "Metric":
    """A metric's point, placed at its time: in ms, of which MLflow takes none before 1970, with the day as its step."""
    from mlflow.entities import Metric

    milliseconds = pd.Timestamp(at).value // 1_000_000
    return Metric(metric, value, max(milliseconds, 0), milliseconds // 86_400_000)
