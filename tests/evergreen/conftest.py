"""What the nouns are tested with: a home of their own, and a small model of their own."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, settings
from sklearn.linear_model import LinearRegression

from evergreen import Call, Model
from evergreen.evaluation.bootstrap import Interval
from evergreen.evaluation.evidence import Evidence, Soundness
from evergreen.evaluation.slices import Slice
from evergreen.registry.mlflow_registry import MlflowRegistry
from evergreen.registry.registry import Registry, TrainingRecord
from evergreen.registry.version import Version
from evergreen.training import fitting

os.environ |= {"DO_NOT_TRACK": "1", "GX_ANALYTICS_ENABLED": "false"}
settings.register_profile(
    "here", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)  # no test fails on a busy machine
settings.load_profile("here")


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        path = tmp_path_factory.mktemp("home")
        patch.setenv("EVERGREEN_HOME", str(path))
        for name in ("EVERGREEN_LAKE", "EVERGREEN_MODELS", "MLFLOW_TRACKING_URI"):
            patch.delenv(name, raising=False)
        yield path


def hourly(since: pd.Timestamp, until: pd.Timestamp) -> pd.DataFrame:
    """A row an hour, the same whenever it is asked for: y is 2 x plus 1 in group b, plus noise."""
    at = pd.date_range(since.ceil("h"), until, freq="h", inclusive="left").as_unit("us")
    hours = (at - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(hours=1)
    random = [np.random.default_rng(int(hour)).normal(size=2) for hour in hours]
    x, noise = np.array(random).reshape(-1, 2).T
    group = np.where(hours % 2 == 0, "a", "b")
    y = 2 * x + (group == "b") + 0.1 * noise
    return pd.DataFrame({"id": [f"h{hour}" for hour in hours], "at": at, "group": group, "x": x, "y": y})


@pytest.fixture(scope="session")
def toy() -> Callable[..., Model]:
    """Make a small model; what is given replaces its own."""

    def made(**changes: Any) -> Model:
        given: dict[str, Any] = {
            "name": "toy",
            "task": "regression",
            "source": Call(function=hourly, start=datetime(2013, 1, 1, tzinfo=UTC), batch="1d"),
            "key": "id",
            "time": "at",
            "target": "y",
            "features": {"x": "number"},
            "extra": {"group": "category"},
            "slices": ["group"],
            "estimator": LinearRegression,
        }
        return Model(**given | changes)

    return made


@pytest.fixture(scope="session")
def rows() -> Callable[..., pd.DataFrame]:
    """Rows of the toy's source for so many days from 2013-01-01."""
    start = pd.Timestamp("2013-01-01", tz="UTC")
    return lambda days=1: hourly(start, start + pd.Timedelta(days=days))


@pytest.fixture(scope="session")
def table() -> pd.DataFrame:
    """Three days, an hour a row: every fifth has no label, and of every seventh nobody knows when it was known."""
    number = np.arange(72)
    at = pd.Timestamp("2013-01-01", tz="UTC") + pd.to_timedelta(number, unit="h")
    known = pd.Series(at + pd.to_timedelta((number * 5) % 30, unit="h")).mask(number % 7 == 0)
    y = pd.Series(number.astype(float)).mask(number % 5 == 0)
    return pd.DataFrame({"id": [f"r{n:02}" for n in number], "at": at, "group": "a", "x": 1.0, "known": known, "y": y})


@pytest.fixture(scope="session")
def evidence() -> Callable[..., Evidence]:
    """Make evidence that passes every default gate; what is given replaces a part of it."""

    def made(**changes: Any) -> Evidence:
        given: dict[str, Any] = {
            "metric": "mean_absolute_error",
            "greater_is_better": False,
            "rows": 1000,
            "blocks": 7,
            "since": "2013-02-01T00:00:00+00:00",
            "until": "2013-02-07T23:00:00+00:00",
            "level": 0.95,
            "looks": 0,
            "challenger": Interval(8.0, 7.5, 8.5),
            "champion": Interval(10.0, 9.5, 10.5),
            "dummy": Interval(20.0, 19.0, 21.0),
            "over_champion": Interval(2.0, 1.5, 2.5),
            "over_dummy": Interval(12.0, 11.0, 13.0),
            "earlier_over_champion": {"version 1": Interval(-1.0, -2.0, 0.0)},
            "earlier_over_challenger": {"version 1": Interval(-3.0, -4.0, -2.0)},
            "earlier": dict.fromkeys(["version 1", "version 2"], Soundness(1.0, [], "")),
            "slices": [Slice("group", "a", 500, 8.0, 10.0, Interval(2.0, 1.0, 3.0))],
            "calibration": 0.02,
            "champion_calibration": 0.03,
            "separation": {"x": 0.5},
            "signature_changes": [],
            "latency_ms": 2.0,
            "size_mb": 1.0,
        }
        return Evidence(**given | changes)

    return made


@pytest.fixture(scope="session")
def registry(empty_registry: Path, tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """One MLflow store for all: a test has a model of its `own` in it."""
    folder = tmp_path_factory.mktemp("registry")
    shutil.copy(empty_registry, folder / "mlflow.db")
    return MlflowRegistry(f"sqlite:///{folder}/mlflow.db", folder.as_uri())


@pytest.fixture
def own(toy: Callable[..., Model], request: pytest.FixtureRequest) -> Callable[..., Model]:
    """Make the toy under the test's own name."""
    name = re.sub(r"[^a-z0-9_]", "_", request.node.name.lower())
    return lambda **changes: toy(**{"name": name} | changes)


@pytest.fixture(scope="session")
def record(registry: Registry, rows: Callable[..., pd.DataFrame]) -> Callable[..., Version]:
    """Register a version of a model, fitted on ten days unless an estimator is given, with these tags."""

    def made(model: Model, estimator: Any = None, **tags: str) -> Version:
        given = rows(10)
        example = fitting.features(model, given).tail(5).reset_index(drop=True)
        dataset = {"name": "rows", "digest": "d1", "uri": "/lake", "version": "3"}
        made = TrainingRecord(
            "a run", {"seed": 0}, {"training_rows": 240.0}, tags, dataset, lambda: {"page.txt": "kept"}
        )
        return registry.record_training(model, estimator or fitting.fit(model, given), example, made)

    return made
