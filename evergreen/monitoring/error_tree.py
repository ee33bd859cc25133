"""A small tree that says how far off predictions are on which rows, kept as plain numbers."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen.definition.kinds.table import kind_of
from evergreen.definition.metrics import Floats
from evergreen.definition.options import EVERYBODYS
from evergreen.evaluation.bootstrap import Blocks

if TYPE_CHECKING:
    from evergreen.definition.model import Model

_FOLDS = 5
_BLOCKS = 28  # from so many on, days are enough to learn from what sets them apart
_LEAST_WITHIN = 0.5
_LEAVES = 16
_LEAF_ROWS = 200  # errors have long tails: fewer rows tell little of their mean
_PRIOR_ROWS = 50  # by which a rare category is drawn to the mean of all


@dataclass(frozen=True)
class Encoding:
    """A column as numbers: as it is, or a category by the mean error of its rows at fitting."""

    column: str
    means: dict[str, float] | None
    other: float

    def numbers(self, rows: pd.DataFrame) -> Floats:
        """The column's values, missing ones as NaN; a category that is rare or new as the mean of all."""
        values = rows[self.column]
        if self.means is not None:
            found = values.astype("str").where(values.notna(), "missing").map(self.means)
            return np.asarray(found.fillna(self.other), dtype=np.float64)
        return _as_numbers(values)


@dataclass(frozen=True)
class ErrorTree:
    """A regression tree from features and prediction to what each row adds to the metric's sums.

    Attributes
    ----------
    encodings : list of Encoding
        The features that help, in the order of the tree's columns; the prediction comes before them.
    column, left, right : list of int
        Of each node: the column that it splits by (negative for a leaf) and the nodes below.
    threshold : list of float
        At most this goes left.
    missing_left : list of bool
        Where a missing value goes.
    sums : list of list of float
        Of each node: the mean row's sums.
    """

    encodings: list[Encoding]
    column: list[int]
    left: list[int]
    right: list[int]
    threshold: list[float]
    missing_left: list[bool]
    sums: list[list[float]]

    @classmethod
    def fit(cls, model: "Model", rows: pd.DataFrame, prediction: Floats, sums: Floats) -> "ErrorTree":
        """Fit on rows that the predictions were not trained on.

        Parameters
        ----------
        model : Model
        rows : DataFrame
            With the time and the features.
        prediction : array (n,)
        sums : array (n, k)
            Of each row alone, as `Metric.sums` gives them.
        """
        helpful = _helpful(model, rows, prediction, sums)
        encodings = [_encoding(rows[name], sums[:, 0], model.features[name]) for name in helpful]
        columns = [prediction, *(one.numbers(rows) for one in encodings)]
        tree = _grown(columns, sums, model.seed).tree_
        return cls(
            encodings,
            tree.feature.tolist(),
            tree.children_left.tolist(),
            tree.children_right.tolist(),
            tree.threshold.tolist(),
            tree.missing_go_to_left.astype(bool).tolist(),
            tree.value[:, :, 0].tolist(),
        )

    def expected(self, rows: pd.DataFrame, prediction: Floats) -> Floats:
        """The sums of each row alone (n, k), as they are to be expected."""
        columns = [prediction, *(one.numbers(rows) for one in self.encodings)]
        return np.asarray(self.sums)[self._leaves(_stacked(columns))]

    def _leaves(self, inputs: Floats) -> NDArray[np.intp]:
        column, threshold = np.array(self.column), np.array(self.threshold)
        left, right, missing_left = np.array(self.left), np.array(self.right), np.array(self.missing_left)
        node = np.zeros(len(inputs), dtype=np.intp)
        while (inner := column[node] >= 0).any():
            at = node[inner]
            value = inputs[inner, column[at]]
            goes_left = np.where(np.isnan(value), missing_left[at], value <= threshold[at])
            node[inner] = np.where(goes_left, left[at], right[at])
        return node


def _encoding(values: pd.Series, error: Floats, kind: str) -> Encoding:
    if kind_of(kind).compiles_as not in ("category", "boolean"):
        return Encoding(str(values.name), None, float("nan"))
    overall = float(error.mean())
    groups = pd.Series(error).groupby(values.astype("str").where(values.notna(), "missing").to_numpy())
    rows = groups.size()
    means = ((groups.sum() + _PRIOR_ROWS * overall) / (rows + _PRIOR_ROWS))[rows >= EVERYBODYS]
    return Encoding(str(values.name), {str(name): float(mean) for name, mean in means.items()}, overall)


def _helpful(model: "Model", rows: pd.DataFrame, prediction: Floats, sums: Floats) -> list[str]:
    """The features that foretell errors on days that the tree was not grown on."""
    blocks = Blocks.of(model, rows[model.time])
    if blocks.count < 2:
        return []
    fold = blocks.of_row % min(_FOLDS, blocks.count)
    enough = blocks.count >= _BLOCKS
    tried = [name for name in model.features if enough or _within(rows[name], blocks.of_row) > _LEAST_WITHIN]
    columns = {name: _out_of_fold(rows[name], sums[:, 0], model.features[name], fold) for name in tried}
    plain = [prediction] * len(np.unique(fold))
    chosen: list[str] = []
    least = _missed([plain], sums, fold, model.seed)
    for name in tried:
        missed = _missed([plain, *(columns[one] for one in chosen), columns[name]], sums, fold, model.seed)
        if missed < least:
            chosen, least = [*chosen, name], missed
    return chosen


def _within(values: pd.Series, block: NDArray[np.intp]) -> float:
    """The share of a column's spread that lies within blocks.

    In a holdout of a week the weekday is that day's weather: a tree that may split by it learns
    noise, and foretells the errors of a month of flights half as well (a correlation of 0.20
    for 0.33).
    """
    if pd.api.types.is_numeric_dtype(values) or isinstance(values.dtype, pd.DatetimeTZDtype):
        numbers = pd.Series(_as_numbers(values))
        total, apart = numbers.var(ddof=0), (numbers - numbers.groupby(block).transform("mean")).pow(2).mean()
    else:
        table = pd.crosstab(block, values.astype("str").to_numpy()).to_numpy(dtype=np.float64)
        sizes = table.sum(axis=1, keepdims=True)
        apart = float((sizes[:, 0] / sizes.sum() * (1 - ((table / sizes) ** 2).sum(axis=1))).sum())
        total = 1 - float(((table.sum(axis=0) / sizes.sum()) ** 2).sum())
    return float(apart / total) if total > 0 else 0.0


def _out_of_fold(values: pd.Series, error: Floats, kind: str, fold: NDArray[np.intp]) -> list[Floats]:
    """A column as numbers, once for each fold, by what the other folds know."""
    frame = values.to_frame()
    return [_encoding(values[fold != one], error[fold != one], kind).numbers(frame) for one in np.unique(fold)]


def _missed(columns: list[list[Floats]], sums: Floats, fold: NDArray[np.intp], seed: int) -> float:
    """The squared error of trees on the folds that they were not grown on."""
    missed = 0.0
    for number, one in enumerate(np.unique(fold)):
        inputs = [versions[number] for versions in columns]
        tree = _grown([column[fold != one] for column in inputs], sums[fold != one], seed)
        told = tree.predict(_stacked([column[fold == one] for column in inputs])).reshape(-1, sums.shape[1])
        missed += float(((told[:, 0] - sums[fold == one, 0]) ** 2).sum())
    return missed


def _grown(columns: list[Floats], sums: Floats, seed: int) -> Any:
    from sklearn.tree import DecisionTreeRegressor

    few = min(_LEAF_ROWS, max(1, len(sums) // 2))
    return DecisionTreeRegressor(max_leaf_nodes=_LEAVES, min_samples_leaf=few, random_state=seed).fit(
        _stacked(columns), sums
    )


def _stacked(columns: list[Floats]) -> Floats:
    # As scikit-learn grows trees, in single precision: a value beside a threshold goes the same way.
    return np.column_stack(columns).astype(np.float32).astype(np.float64)


def _as_numbers(values: "pd.Series[Any]") -> Floats:
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return np.asarray(values.astype("int64"), dtype=np.float64)
    return values.to_numpy(dtype=np.float64, na_value=np.nan)
