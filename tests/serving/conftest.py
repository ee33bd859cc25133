"""A home whose toy has two versions, and copies of small models as the keeper makes them, without a registry."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from hypothesis import HealthCheck, settings
from sklearn.linear_model import LinearRegression, LogisticRegression

from evergreen.registry.model_store import ESTIMATOR
from evergreen.registry.version import CHAMPION, Version
from evergreen.stores import Stores
from serving.model_cache import ModelCache, ServingState, Spec
from tests.running_service import FEBRUARY, JANUARY, promoted

settings.register_profile(
    "here", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)  # no test fails on a busy machine
settings.load_profile("here")

EXAMPLE = [[1.0, 2.0], [0.5, -1.0]]
KINDS = {"x": "number", "z": "number"}

Add = Callable[..., Spec]


def spec_of(**changes: Any) -> Spec:
    """What is known of a small regression."""
    given: dict[str, Any] = {
        "model": "toy",
        "number": "1",
        "task": "regression",
        "features": KINDS,
        "beside": {"id": "text", "at": "datetime", "side": "category"},
        "key": ["id"],
        "target": "number",
        "timezone": "UTC",
        "classes": None,
        "predicts_likeliest": True,
        "example": EXAMPLE,
        "answers": [[0.0], [0.0]],
        "trusted": [],
    }
    return Spec(**given | changes)


@pytest.fixture(scope="module")
def lived(worlds: Any) -> Iterator[tuple[Version, Version]]:
    """A home with two versions of the toy, the first one its champion."""
    with worlds("toy") as write:
        write()
        january, february = promoted(JANUARY), promoted(FEBRUARY)
        Stores.open().registry.alias(january, CHAMPION)
        yield january, february


@pytest.fixture
def copies(tmp_path: Path) -> ModelCache:
    return ModelCache(tmp_path / "serving" / "models")


@pytest.fixture
def add(copies: ModelCache) -> Add:
    """Add a version that answers `slope` times x plus z, and let it answer."""

    def added(
        number: str = "1", slope: float = 2.0, task: str = "regression", *, activate: bool = True, **changes: Any
    ) -> Spec:
        rows = pd.DataFrame(np.random.default_rng(0).normal(size=(50, 2)), columns=list(KINDS))
        value = slope * rows["x"] + rows["z"]
        regression = task == "regression"
        estimator = LinearRegression() if regression else LogisticRegression()
        estimator.fit(rows, value if regression else (value > 0).astype(int))
        example = pd.DataFrame(EXAMPLE, columns=list(KINDS))
        answers = estimator.predict(example).reshape(-1, 1) if regression else estimator.predict_proba(example)
        known: dict[str, Any] = {"classes": None if regression else [0, 1], "answers": answers.tolist()}
        spec = spec_of(number=number, task=task, **known | changes)

        def fill(folder: Path) -> Spec:
            skops.io.dump(estimator, folder / ESTIMATOR)
            return spec

        copies.add(spec.model, number, fill)
        if activate:
            copies.set_state(spec.model, ServingState(number))
        return spec

    return added
