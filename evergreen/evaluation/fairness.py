"""Fairness: how far a model's rates lie apart between the groups of a column."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen.definition.gates import Fairness, Rates
from evergreen.definition.metrics import Floats
from evergreen.evaluation import bootstrap
from evergreen.evaluation.bootstrap import Blocks, Interval

if TYPE_CHECKING:
    from evergreen.definition.model import Model


@dataclass(frozen=True)
class Disparity:
    """The largest difference of one rate between two groups.

    Attributes
    ----------
    column, rate : str
    present, groups : int
        The number of groups, and of those with enough rows.
    lowest, highest : str
        The two groups; empty for fewer than two.
    low, high : float
        Their rates.
    apart : Interval
        The difference, at a level corrected for choosing the pair.
    allowed : float
    """

    column: str
    rate: str
    present: int
    groups: int
    lowest: str
    highest: str
    low: float
    high: float
    apart: Interval
    allowed: float


def disparities(model: "Model", holdout: pd.DataFrame, target: NDArray[Any], prediction: Floats) -> list[Disparity]:
    """Measure the disparities that the gates of the model file limit, on the holdout.

    Parameters
    ----------
    model : Model
    holdout : DataFrame
        With time and group columns.
    target : array (n,)
        Numbers, or the position of each row's class.
    prediction : array (n,) or (n, classes)
    """
    measured = []
    for requirement in model.gates.fairness:
        rates = _rates(model, requirement, target, prediction)
        measured += [
            _apart(model, holdout, requirement, name, *rates[name], allowed)
            for name, allowed in requirement.allowed.items()
        ]
    return measured


def _rates(model: "Model", asked: Fairness, target: NDArray[Any], prediction: Floats) -> Rates:
    """The numerator and the denominator of each rate, by row."""
    everyone = np.ones(len(target))
    if model.task == "regression":
        return {"error": (np.abs(prediction - target), everyone)}
    wrong = prediction.argmax(axis=1) != target
    selected, positive = prediction[:, -1] >= asked.selected_from, target == prediction.shape[1] - 1
    return {
        "selection_rate": (selected.astype(float), everyone),
        "true_positive_rate": ((selected & positive).astype(float), positive.astype(float)),
        "false_positive_rate": ((selected & ~positive).astype(float), (~positive).astype(float)),
        "error": (wrong.astype(float), everyone),
    }


def _apart(
    model: "Model", holdout: pd.DataFrame, asked: Fairness, rate: str, counted: Floats, of: Floats, allowed: float
) -> Disparity:
    from evergreen.evaluation.slices import cells

    blocks = Blocks.of(model, holdout[model.time])
    everyone = dict(cells(model, holdout, asked.column))
    groups = {name: rows for name, rows in everyone.items() if of[rows].sum() >= asked.group_rows}
    values = {name: float(counted[rows].sum() / of[rows].sum()) for name, rows in groups.items()}
    if len(values) < 2:
        unknown = Interval.unknown()
        return Disparity(asked.column, rate, len(everyone), len(values), "", "", np.nan, np.nan, unknown, allowed)
    lowest, highest = min(values, key=values.__getitem__), max(values, key=values.__getitem__)
    high, low = (blocks.drawn @ _sums(groups[name], counted, of, blocks) for name in (highest, lowest))
    with np.errstate(invalid="ignore", divide="ignore"):
        resampled = high[:, 0] / high[:, 1] - low[:, 0] / low[:, 1]
    level = model.gates.level(0, len(values) * (len(values) - 1) // 2)
    difference = values[highest] - values[lowest]
    apart = bootstrap.interval(difference, resampled, blocks.count, level)
    ends = lowest, highest, values[lowest], values[highest]
    return Disparity(asked.column, rate, len(everyone), len(values), *ends, apart, allowed)


def _sums(rows: NDArray[np.intp], counted: Floats, of: Floats, blocks: Blocks) -> Floats:
    sums = [np.bincount(blocks.of_row[rows], weights=values[rows], minlength=blocks.count) for values in (counted, of)]
    return np.column_stack(sums)
