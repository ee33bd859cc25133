"""A small tree that says how far off predictions are on which rows, kept as plain numbers."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen.metric import Floats

if TYPE_CHECKING:
    from evergreen.model import Model

_LEAVES = 24
_LEAF_ROWS = 100  # errors have long tails: fewer rows tell little of their mean
_PRIOR_ROWS = 50  # by which a rare category is drawn to the mean of all


@dataclass(frozen=True)
class Encoding:
    """A column as numbers: as it is, or a category by the mean error of its rows at fitting."""

    column: str
    means: dict[str, float] | None
    other: float

    def numbers(self, rows: pd.DataFrame) -> Floats:
        """The column's values, missing ones as NaN; a category not seen before as the mean of all."""
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
        The features, in the order of the tree's columns; the prediction comes after them.
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
            With the features.
        prediction : array (n,)
        sums : array (n, k)
            Of each row alone, as `Metric.sums` gives them.
        """
        from sklearn.tree import DecisionTreeRegressor

        encodings = [_encoding(rows[name], sums[:, 0], kind) for name, kind in model.features.items()]
        grown = DecisionTreeRegressor(
            max_leaf_nodes=_LEAVES, min_samples_leaf=min(_LEAF_ROWS, max(1, len(rows) // 2)), random_state=model.seed
        )
        tree = grown.fit(_inputs(encodings, rows, prediction), sums).tree_
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
        return np.asarray(self.sums)[self._leaves(_inputs(self.encodings, rows, prediction))]

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
    if kind not in ("category", "text", "boolean"):
        return Encoding(str(values.name), None, float("nan"))
    overall = float(error.mean())
    groups = pd.Series(error).groupby(values.astype("str").where(values.notna(), "missing").to_numpy())
    means = (groups.sum() + _PRIOR_ROWS * overall) / (groups.size() + _PRIOR_ROWS)
    return Encoding(str(values.name), {str(name): float(mean) for name, mean in means.items()}, overall)


def _inputs(encodings: list[Encoding], rows: pd.DataFrame, prediction: Floats) -> Floats:
    columns = [*(one.numbers(rows) for one in encodings), prediction]
    # As scikit-learn grew it, in single precision: a value beside a threshold goes the same way.
    return np.column_stack(columns).astype(np.float32).astype(np.float64)


def _as_numbers(values: "pd.Series[Any]") -> Floats:
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return np.asarray(values.astype("int64"), dtype=np.float64)
    return values.to_numpy(dtype=np.float64, na_value=np.nan)
