"""Permutation importance: what a model loses with each feature."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from evergreen.evaluation.importance import permutation_importance

FEATURES = {"x": "number", "unused": "number", "z": "number"}


class Counting(LinearRegression):
    """Remembers how many rows it predicted."""

    def predict(self, X):
        self.predicted = len(X)
        return super().predict(X)


@pytest.fixture
def given(toy):
    """A model of three features, rows, and the target 3 z + x."""
    random = np.random.default_rng(0)
    rows = pd.DataFrame(random.normal(size=(4000, 3)), columns=list(FEATURES))
    target = 3 * rows["z"].to_numpy() + rows["x"].to_numpy()
    return toy(features=FEATURES), Counting().fit(rows, target), rows, target


def test_a_feature_is_worth_the_error_without_it_and_the_most_important_comes_first(given):
    model, estimator, rows, target = given
    found = permutation_importance(model, estimator, rows, target, None, sample=4000)
    assert list(found) == ["z", "x", "unused"]
    # Of two independent normal values the mean distance is 2 over the root of pi.
    expected = [6 / np.sqrt(np.pi), 2 / np.sqrt(np.pi), 0]
    assert list(found.values()) == pytest.approx(expected, rel=0.05, abs=1e-9)


@pytest.mark.parametrize(("sample", "rows"), [(50, 50), (9000, 4000)])
def test_a_sample_of_the_rows_is_predicted_as_it_is_and_once_for_each_feature(given, sample, rows):
    model, estimator, frame, target = given
    permutation_importance(model, estimator, frame, target, None, sample)
    assert estimator.predicted == rows * 4
