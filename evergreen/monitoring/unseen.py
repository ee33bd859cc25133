"""Predictions of a version for rows that were in neither its training nor its holdout, made now."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen.definition.metrics import Floats
from evergreen.registry.version import Version
from evergreen.training import fitting
from evergreen.training.recipe import split_of, trained_until

if TYPE_CHECKING:
    from evergreen.definition.model import Model


@dataclass(frozen=True)
class Unseen:
    """A version, for rows that are new to it.

    Attributes
    ----------
    since : Timestamp
        From here on no row was in its training or in its holdout.
    load : callable
        Returns its estimator; called where it is needed.
    """

    since: pd.Timestamp
    load: Callable[[], Any]

    @classmethod
    def of(cls, version: Version, load: Callable[[], Any]) -> "Unseen":
        """Of a registered version."""
        return cls(max(trained_until(version), split_of(version).holdout_until), load)

    def predict(self, model: "Model", rows: pd.DataFrame) -> tuple[Floats, NDArray[Any] | None]:
        """Its predictions, and the classes in the order of their columns; None for numbers.

        Raises
        ------
        TrainingError
            The estimator raised.
        """
        estimator = self.load()
        classes = None if model.task == "regression" else np.asarray(estimator.classes_)
        if rows.empty:
            return np.zeros((0,) if classes is None else (0, len(classes))), classes
        return fitting.predict(model, estimator, rows), classes
