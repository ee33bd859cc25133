"""A small regression tree that predicts the errors of a model by row, stored as plain numbers."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen.definition.kinds.register import kind_of
from evergreen.definition.metrics import Floats
from evergreen.definition.options import MIN_GROUP_SIZE
from evergreen.evaluation.bootstrap import Blocks

if TYPE_CHECKING:
    from evergreen.definition.model import Model

_FOLDS = 5
_BLOCKS = 28  # at least this many blocks allow features that vary mostly between blocks
_LEAST_WITHIN = 0.5
_LEAVES = 16
_LARGEST_ERROR = 1e100  # of which squares can be added up
_LEAF_ROWS = 200  # errors have long tails: the mean of fewer rows is too noisy
_PRIOR_ROWS = 50  # shrink a rare category to the overall mean


@dataclass(frozen=True)
class Encoding:
    """A column as numbers: unchanged, or a category encoded by the mean error of its rows at fitting."""

    column: str
    means: dict[str, float] | None
    other: float

    def numbers(self, rows: pd.DataFrame) -> Floats:
        """The column's values, missing ones as NaN; a rare or new category as the overall mean."""
        values = rows[self.column]
        if self.means is not None:
            encoded = values.astype("str").where(values.notna(), "missing").map(self.means)
            return np.asarray(encoded.fillna(self.other), dtype=np.float64)
        return _as_numbers(values)


@dataclass(frozen=True)
class ErrorTree:
    """A regression tree from features and prediction to each row's part of the metric's sums.

    Attributes
    ----------
    encodings : list of Encoding
        The features that help, in the order of the tree's columns; the prediction comes before them.
    column, left, right : list of int
        Of each node: the column that it splits by (negative for a leaf) and the nodes below.
    threshold : list of float
        Values up to this go left.
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
        sums = np.clip(sums, -_LARGEST_ERROR, _LARGEST_ERROR)
        helpful = _helpful(model, rows, prediction, sums)
        encodings = [_encoding(rows[name], sums[:, 0], model.features[name]) for name in helpful]
        columns = [prediction, *(encoding.numbers(rows) for encoding in encodings)]
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
        """The expected sums of each row (n, k)."""
        columns = [prediction, *(encoding.numbers(rows) for encoding in self.encodings)]
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
    means = ((groups.sum() + _PRIOR_ROWS * overall) / (rows + _PRIOR_ROWS))[rows >= MIN_GROUP_SIZE]
    return Encoding(str(values.name), {str(name): float(mean) for name, mean in means.items()}, overall)


def _helpful(model: "Model", rows: pd.DataFrame, prediction: Floats, sums: Floats) -> list[str]:
    """The features that reduce the squared error out of fold, selected one by one."""
    blocks = Blocks.of(model, rows[model.time])
    if blocks.count < 2:
        return []
    fold = blocks.of_row % min(_FOLDS, blocks.count)
    enough = blocks.count >= _BLOCKS
    candidates = [name for name in model.features if enough or _within(rows[name], blocks.of_row) > _LEAST_WITHIN]
    columns = {name: _out_of_fold(rows[name], sums[:, 0], model.features[name], fold) for name in candidates}
    plain = [prediction] * len(np.unique(fold))
    chosen: list[str] = []
    lowest = _missed([plain], sums, fold, model.seed)
    for name in candidates:
        missed = _missed([plain, *(columns[feature] for feature in chosen), columns[name]], sums, fold, model.seed)
        if missed < lowest:
            chosen, lowest = [*chosen, name], missed
    return chosen


def _within(values: pd.Series, block: NDArray[np.intp]) -> float:
    """The share of a column's spread that lies within blocks.

    In a holdout of a week the weekday identifies the day: a tree that may split by it learns that
    day's noise, and predicts the errors of a month of flights worse (a correlation of 0.20
    instead of 0.33).
    """
    if pd.api.types.is_numeric_dtype(values) or isinstance(values.dtype, pd.DatetimeTZDtype):
        numbers = pd.Series(_as_numbers(values))
        total, apart = numbers.var(ddof=0), (numbers - numbers.groupby(block).transform("mean")).pow(2).mean()
    else:
        table = pd.crosstab(block, values.astype("str").to_numpy()).to_numpy(dtype=np.float64)
        sizes = table.sum(axis=1, keepdims=True)
        apart = float((sizes[:, 0] / sizes.sum() * (1 - ((table / sizes) ** 2).sum(axis=1))).sum())
        total = 1 - float(((table.sum(axis=0) / sizes.sum()) ** 2).sum())
    return float(apart / total) if 0 < total < math.inf else 0.0


def _out_of_fold(values: pd.Series, error: Floats, kind: str, fold: NDArray[np.intp]) -> list[Floats]:
    """A column as numbers, once for each fold, encoded by the other folds."""
    frame = values.to_frame()
    return [_encoding(values[fold != number], error[fold != number], kind).numbers(frame) for number in np.unique(fold)]


def _missed(columns: list[list[Floats]], sums: Floats, fold: NDArray[np.intp], seed: int) -> float:
    """The squared error of trees out of fold."""
    missed = 0.0
    for place, held_out in enumerate(np.unique(fold)):
        inputs = [versions[place] for versions in columns]
        tree = _grown([column[fold != held_out] for column in inputs], sums[fold != held_out], seed)
        predicted = tree.predict(_stacked([column[fold == held_out] for column in inputs])).reshape(-1, sums.shape[1])
        missed += float(((predicted[:, 0] - sums[fold == held_out, 0]) ** 2).sum())
    return missed


def _grown(columns: list[Floats], sums: Floats, seed: int) -> Any:
    from sklearn.tree import DecisionTreeRegressor

    few = min(_LEAF_ROWS, max(1, len(sums) // 2))
    return DecisionTreeRegressor(max_leaf_nodes=_LEAVES, min_samples_leaf=few, random_state=seed).fit(
        _stacked(columns), sums
    )


def _stacked(columns: list[Floats]) -> Floats:
    # Single precision, as in scikit-learn's trees: a value near a threshold goes the same way. What is too large for it
    # becomes the largest number, on the same side of every threshold.
    largest = float(np.finfo(np.float32).max)
    return np.clip(np.column_stack(columns), -largest, largest).astype(np.float32).astype(np.float64)


def _as_numbers(values: "pd.Series[Any]") -> Floats:
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return np.asarray(values.astype("int64"), dtype=np.float64)
    return values.to_numpy(dtype=np.float64, na_value=np.nan)
