"""Performance of versions on rows whose labels are known, as sums by block that add up."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from evergreen import bootstrap, fitting
from evergreen.bootstrap import Interval
from evergreen.metric import Floats

if TYPE_CHECKING:
    from evergreen.model import Model


@dataclass(frozen=True)
class Realised:
    """How one version did in one period.

    Attributes
    ----------
    rows : int
    value : float
        The model's metric; NaN for no rows.
    sums : list of list of float
        By block, to add up with other periods: (blocks, k) of `evergreen.metric.Metric`.
    blocks : list of str
        The time of each block's first row; ISO 8601.
    """

    rows: int
    value: float
    sums: list[list[float]]
    blocks: list[str]


def realised(model: "Model", estimator: Any, rows: pd.DataFrame) -> Realised:
    """Score an estimator on labelled rows, by blocks of the length that the gates go by."""
    if rows.empty:
        return Realised(0, float("nan"), [], [])
    target, prediction = fitting.target(model, rows), fitting.predict(model, estimator, rows)
    if model.task == "classification":
        target = np.searchsorted(estimator.classes_, target)
    times = rows[model.time].dt.tz_localize(None).to_numpy()
    block, blocks = bootstrap.numbered(times, np.timedelta64(model.gates.block))
    sums = model.metric.sums(target, prediction, block, blocks)
    first = [moment.isoformat() for moment in rows[model.time].groupby(block).min()]
    return Realised(len(rows), float(model.metric.finish(sums.sum(axis=0))), sums.tolist(), first)


def total(model: "Model", periods: list[Realised]) -> float:
    """The metric over several periods together."""
    return float(model.metric.finish(_stacked(periods).sum(axis=0)))


def by_month(model: "Model", periods: list[Realised]) -> dict[str, float]:
    """The metric by calendar month."""
    sums = _stacked(periods)
    month = np.array([block[:7] for one in periods if one.rows for block in one.blocks])
    return {str(one): float(model.metric.finish(sums[month == one].sum(axis=0))) for one in np.unique(month)}


def gain(model: "Model", ours: list[Realised], theirs: list[Realised]) -> Interval:
    """By how much one did better than the other over the same periods, paired by block."""
    drawn = bootstrap.weights(len(_stacked(ours)), model.gates.resamples, model.seed)
    return bootstrap.gained(model.metric, _stacked(ours), _stacked(theirs), drawn, 1 - model.gates.alpha)


def _stacked(periods: list[Realised]) -> Floats:
    return np.concatenate([np.asarray(one.sums) for one in periods if one.rows])
