"""Calibration: how far predicted probabilities lie from observed frequencies."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from evergreen.definition.metrics import Floats
from evergreen.evaluation import bootstrap
from evergreen.evaluation.bootstrap import Blocks

if TYPE_CHECKING:
    from evergreen.definition.model import Model


def calibration_error(model: "Model", target: NDArray[Any], prediction: Floats) -> float:
    """The mean distance of predictions from observed values, over groups of similar predictions.

    For classes: the expected calibration error of the last class in ten groups of equal size
    (Naeini, Cooper and Hauskrecht, AAAI 2015). For numbers: the distance of the mean prediction
    from the mean target, in standard deviations of the target.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> numbers = SimpleNamespace(task="regression")
    >>> round(calibration_error(numbers, np.array([0.0, 2.0]), np.array([1.0, 2.0])), 3)
    0.5
    """
    if not len(target):
        return math.nan
    errors, group, spread = _off(model, target, prediction)
    return float(np.abs(np.bincount(group, errors)).sum() / len(target) / spread)


def _off(model: "Model", target: NDArray[Any], prediction: Floats) -> tuple[Floats, NDArray[np.intp], float]:
    """The error by row, the group of similar predictions of each row, and the unit of the error."""
    if model.task == "regression":
        return prediction.reshape(-1) - target, np.zeros(len(target), dtype=np.intp), float(np.std(target)) or 1.0
    probability = prediction[:, -1]
    truth = (target == prediction.shape[1] - 1).astype(np.float64)
    group = np.empty(len(target), dtype=np.intp)
    for number, rows in enumerate(np.array_split(np.argsort(probability, kind="stable"), min(10, len(target)))):
        group[rows] = number
    return probability - truth, group, 1.0


def calibration_low(model: "Model", target: NDArray[Any], prediction: Floats, blocks: Blocks) -> float | None:
    """The lower bound of the calibration error with fixed groups; None for too few blocks.

    A rejection depends on it, so it always uses the level of a first evaluation.
    """
    if not len(target) or blocks.count < 2:
        return None
    errors, group, spread = _off(model, target, prediction)
    cells, count = blocks.of_row * (group.max() + 1) + group, blocks.count * (group.max() + 1)
    sums = np.bincount(cells, errors, minlength=count).reshape(blocks.count, -1)
    rows = np.bincount(blocks.of_row, minlength=blocks.count).astype(np.float64)

    def error(sums: Floats, rows: Floats) -> Floats:
        return np.asarray(np.abs(sums).sum(axis=-1) / rows / spread)

    value = float(error(sums.sum(axis=0), rows.sum(axis=0)))
    resampled = error(blocks.drawn @ sums, blocks.drawn @ rows)
    return bootstrap.interval(value, resampled, blocks.count, model.gates.level(0)).low
