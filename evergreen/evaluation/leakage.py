"""Leakage: whether one feature alone explains the target."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen.definition.metrics import Floats

if TYPE_CHECKING:
    from evergreen.definition.model import Model

_HELD = 0.99  # of the distinct values


def separation(model: "Model", rows: pd.DataFrame, target: NDArray[Any], sample: int = 5000) -> dict[str, float]:
    """How well each feature alone explains the target, by a small tree scored on the other half of rows.

    Returns
    -------
    dict of feature to float
        For numbers R squared, for classes ``2 * AUC - 1`` of the last class, at least 0; a
        feature near 1 probably contains the label.
    """
    from sklearn.metrics import r2_score, roc_auc_score
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    chosen = _sampled(model, target, sample)
    half = len(chosen) // 2
    truth = target[chosen] if model.task == "regression" else (target[chosen] == np.max(target, initial=0)).astype(int)
    if half < 20 or len(np.unique(truth[:half])) < 2 or len(np.unique(truth[half:])) < 2:
        return {}
    kind = DecisionTreeRegressor if model.task == "regression" else DecisionTreeClassifier
    scores = {}
    for name in model.features:
        column = _as_numbers(rows[name].iloc[chosen], truth[:half])
        tree = kind(max_leaf_nodes=256, random_state=model.seed).fit(column[:half], truth[:half])
        if model.task == "regression":
            scores[name] = max(0.0, float(r2_score(truth[half:], tree.predict(column[half:]))))
        else:
            scores[name] = max(0.0, 2 * float(roc_auc_score(truth[half:], tree.predict_proba(column[half:])[:, 1])) - 1)
    return scores


def _sampled(model: "Model", target: NDArray[Any], sample: int) -> NDArray[np.intp]:
    """Row positions; for classes half of them are of the last class, in both halves alike."""
    shuffled = np.random.default_rng(model.seed).permutation(len(target))
    if model.task == "regression":
        return shuffled[:sample]
    last = target[shuffled] == np.max(target, initial=0)
    parts = [shuffled[last][: sample // 2], shuffled[~last][: sample // 2]]
    return np.concatenate([part[half::2] for half in (0, 1) for part in parts])


def _as_numbers(values: pd.Series, target: NDArray[Any]) -> Floats:
    """Numbers as these trees can tell them apart; other values by their mean target in the first half."""
    if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return _for_trees(values.to_numpy(dtype=np.float64, na_value=np.nan))[:, None]
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return np.asarray(values.astype("int64"), dtype=np.float64)[:, None]
    means = pd.Series(target).groupby(values.to_numpy()[: len(target)]).mean()
    return values.map(means).to_numpy(dtype=np.float64)[:, None]


def _for_trees(numbers: Floats) -> Floats:
    """Numbers unchanged, or their ranks where single precision, which trees compute in, does not hold them."""
    known = numbers[~np.isnan(numbers)]
    with np.errstate(over="ignore"):
        single = known.astype(np.float32)
    held = np.isfinite(single).all() and len(np.unique(single)) >= _HELD * len(np.unique(known))
    return numbers if held else np.asarray(pd.Series(numbers).rank(method="dense"), dtype=np.float64)
