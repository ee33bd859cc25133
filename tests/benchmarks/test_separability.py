"""Separability: what no single column shows, all of them together do."""

import math

import numpy as np
import pandas as pd
import pytest

from benchmarks.monitoring.separability import domain_auc

pytestmark = pytest.mark.long


@pytest.fixture
def model(toy):
    kinds = {"x": "number", "z": "number", "group": "category", "flag": "boolean", "when": "datetime"}
    return toy(features=kinds, extra={}, slices=[])


def table(seed, rows=1500, correlation=0.0, shift=0.0):
    random = np.random.default_rng(seed)
    x = random.normal(size=rows)
    at = pd.Timestamp("2013-01-01", tz="UTC") + pd.to_timedelta(np.sort(random.uniform(0, 168, rows)), unit="h")
    return pd.DataFrame(
        {
            "at": at.as_unit("us"),
            "x": np.where(random.random(rows) < 0.05, np.nan, x + shift),
            "z": correlation * x + math.sqrt(1 - correlation**2) * random.normal(size=rows),
            "group": random.choice(["a", "b", None], rows),
            "flag": random.random(rows) < 0.5,
            "when": at.as_unit("us"),
        }
    )


@pytest.mark.parametrize(
    ("changes", "low", "high"),
    [({}, 0.45, 0.55), ({"correlation": 0.8}, 0.65, 0.8), ({"shift": 3.0}, 0.93, 1.0)],
    ids=["alike", "each column alike, not together", "another world"],
)
def test_how_well_a_window_is_told_from_the_reference(model, changes, low, high):
    assert low <= domain_auc(model, table(0), table(1, **changes), seed=0) <= high


def test_more_columns_can_be_looked_at(model):
    marked = [table(seed).assign(y=float(seed)) for seed in (0, 1)]
    assert domain_auc(model, *marked, seed=0, extra=("y",)) > 0.99


def test_the_same_seed_gives_the_same_answer(model):
    assert domain_auc(model, table(0), table(1), seed=3) == domain_auc(model, table(0), table(1), seed=3)


@pytest.mark.parametrize("rows", [0, 4])
def test_too_few_rows_tell_nothing(model, rows):
    assert math.isnan(domain_auc(model, table(0), table(1).head(rows), seed=0))
