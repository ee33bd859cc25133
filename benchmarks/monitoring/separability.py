"""Separability: how well a classifier tells the rows of a window from those of the reference."""

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen.definition.metrics import Floats, named

if TYPE_CHECKING:
    from evergreen.definition.model import Model

_ROWS = 5000  # of each side
_FOLDS = 5


def domain_auc(
    model: "Model", reference: pd.DataFrame, window: pd.DataFrame, seed: int, extra: tuple[str, ...] = ()
) -> float:
    """The area under the ROC curve of a classifier that asks of each row whether it is of the window.

    It sees all features together, and so what no column shows alone (Lopez-Paz and Oquab,
    "Revisiting Classifier Two-Sample Tests", ICLR 2017); each row is told by a classifier that
    was fitted on others. Two weeks of one winter are not alike either: what is normal is what
    weeks of the reference come to against the rest of it, never 0.5 as such. (Whole days in a
    fold would hide a day's weather, but a weekday that the window has once would then always
    look like the reference: 0.04 to 0.09 on weeks of flights that nothing sets apart.)

    Parameters
    ----------
    model : Model
        Its features.
    reference, window : DataFrame
        At most 5,000 rows of each are looked at.
    seed : int
    extra : tuple of str
        Further columns to look at, such as the target, which shows a change of the concept too.

    Returns
    -------
    float
        0.5 if nothing tells them apart, 1 if everything does; NaN if either side has fewer than
        five rows.
    """
    sides = [side.sample(min(len(side), _ROWS), random_state=seed) for side in (reference, window)]
    rows = pd.concat(sides, ignore_index=True)
    truth = np.repeat([0, 1], [len(side) for side in sides])
    if min(len(side) for side in sides) < _FOLDS:
        return math.nan
    fold = np.random.default_rng(seed).permutation(len(rows)) % _FOLDS
    probabilities = _out_of_fold(_inputs(model, rows, extra), truth, fold, seed)
    return named("roc_auc").score(truth, np.column_stack([1 - probabilities, probabilities]))


def _out_of_fold(inputs: pd.DataFrame, truth: NDArray[np.intp], fold: NDArray[np.intp], seed: int) -> Floats:
    """What the classifier says of each row when it was fitted on the other folds."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    probabilities = np.zeros(len(truth))
    for part in np.unique(fold):
        there = fold == part
        classifier = HistGradientBoostingClassifier(
            max_iter=60, early_stopping=False, random_state=seed, categorical_features="from_dtype"
        )
        classifier.fit(inputs[~there], truth[~there])
        probabilities[there] = classifier.predict_proba(inputs[there])[:, 1]
    return probabilities


def _inputs(model: "Model", rows: pd.DataFrame, extra: tuple[str, ...]) -> pd.DataFrame:
    return pd.DataFrame({name: _input(rows[name]) for name in (*model.features, *extra)})


def _input(values: pd.Series, most: int = 250) -> pd.Series:
    """A column as the forest takes it: numbers, or the most frequent categories."""
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return values.astype("int64").astype("float64")
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return values.astype("float64")
    text = values.astype("str").where(values.notna())
    return text.where(text.isin(text.value_counts().index[:most])).astype("category")
