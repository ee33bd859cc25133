"""A model as the next training would fit it: what made-up challengers are compared with. Nothing of it is recorded."""

from dataclasses import dataclass
from typing import Any, Self

import pandas as pd

from evergreen.training import fitting, recipe
from evergreen.training.snapshot import Snapshot
from evergreen.training.split import Split


@dataclass(frozen=True)
class HonestModel:
    """A fitted estimator, its training rows, and the bounds of these and of the holdout."""

    estimator: Any
    rows: pd.DataFrame
    bounds: Split

    @classmethod
    def fitted(cls, snapshot: Snapshot) -> Self:
        """Fit the model of a snapshot on the rows before its newest holdout."""
        bounds = recipe.plan(snapshot.model, snapshot, "").split
        rows = snapshot.training(bounds)
        return cls(fitting.fit(snapshot.model, rows), rows, bounds)
