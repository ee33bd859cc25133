"""Permutation importance: how much the metric worsens when one column is shuffled."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen.frames import with_columns
from evergreen.training import fitting

if TYPE_CHECKING:
    from evergreen.definition.model import Model


def permutation_importance(
    model: "Model",
    estimator: Any,
    rows: pd.DataFrame,
    target: NDArray[Any],
    classes: NDArray[Any] | None,
    sample: int = 1000,
) -> dict[str, float]:
    """By how much the metric worsens when one feature is shuffled (Breiman 2001), on a sample."""
    random = np.random.default_rng(model.seed)
    chosen = np.sort(random.permutation(len(rows))[:sample])
    part, truth = rows.iloc[chosen].reset_index(drop=True), target[chosen]
    shuffled = [part] + [
        with_columns(part, {name: part[name].sample(frac=1, random_state=model.seed).array}) for name in model.features
    ]
    stacked = fitting.predict(model, estimator, pd.concat(shuffled, ignore_index=True), classes)
    scores = [model.metric.score(truth, prediction) for prediction in np.split(stacked, len(shuffled))]
    gains = model.metric.gain(np.array(scores[:1]), np.array(scores[1:]))
    return dict(sorted(zip(model.features, gains.tolist(), strict=True), key=lambda item: -item[1]))
