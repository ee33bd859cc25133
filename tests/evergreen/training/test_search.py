"""The search: seeded, in time-ordered folds of the rows it was given, and ended by its budget."""

import time
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from evergreen import Search, Training
from evergreen.errors import NotEnoughDataError, TrainingError
from evergreen.training.search import search


def alphas(trial):
    return {"alpha": trial.suggest_float("alpha", 1e-3, 1e6, log=True)}


def searching(toy, **given):
    wanted = {"space": alphas, "trials": 4, "folds": 2} | given.pop("search", {})
    return toy(**{"estimator": Ridge, "training": Training(search=Search(**wanted), min_rows=10)} | given)


def test_without_a_space_nothing_is_searched(toy, rows):
    assert search(toy(), rows(1)) == {}


def test_the_best_of_the_space_is_found(toy, rows):
    assert search(searching(toy, search={"trials": 15}), rows(10))["alpha"] < 100


def blind_or_not(blind):
    return make_pipeline(FunctionTransformer(np.zeros_like if blind else None), LogisticRegression())


def test_a_metric_of_which_more_is_better_is_maximised(toy, rows):
    space = {"space": lambda trial: {"blind": trial.suggest_categorical("blind", [True, False])}}
    model = searching(toy, task="classification", metric="roc_auc", estimator=blind_or_not, search=space)
    given = rows(10).assign(y=lambda rows: (rows["x"] > 0).astype(int))
    assert search(model, given) == {"blind": False}


def test_the_same_seed_searches_the_same_and_another_seed_does_not(toy, rows):
    alphas = [search(searching(toy, seed=seed), rows(10))["alpha"] for seed in (1, 1, 2)]
    assert alphas[0] == alphas[1] != alphas[2]


class Watched(BaseEstimator):
    """Notes the rows that it is fitted on and asked for, by their feature."""

    seen: ClassVar[list[tuple[str, float, float]]] = []
    slow = 0.0

    def __init__(self, alpha=0.0):
        self.alpha = alpha

    def fit(self, rows, target):
        time.sleep(self.slow)
        return self.note("fit", rows)

    def predict(self, rows):
        self.note("asked", rows)
        return np.full(len(rows), self.alpha)

    def note(self, what, rows):
        self.seen.append((what, rows["x"].min(), rows["x"].max()))
        return self


@pytest.fixture
def watched(monkeypatch):
    monkeypatch.setattr(Watched, "seen", [])
    return Watched


def test_every_trial_is_validated_on_later_rows_than_it_was_fitted_on(toy, rows, watched):
    given = rows(10).assign(x=range(240))
    search(searching(toy, estimator=watched, label_delay="3h", search={"trials": 3}), given)
    pairs = list(zip(watched.seen[::2], watched.seen[1::2], strict=True))
    assert len(pairs) == 3 * 2
    for (fitted, _, last), (asked, first, _) in pairs:
        assert (fitted, asked) == ("fit", "asked")
        assert first - last > 3
    assert pairs[-1][1][2] == 239


def test_no_trial_is_fitted_on_a_label_that_became_known_after_its_validation_began(toy, rows, watched):
    given = rows(10).assign(x=range(240))
    given["told"] = given["at"] + pd.to_timedelta(given["x"] % 24, unit="h")
    search(searching(toy, estimator=watched, label_time="told", search={"trials": 1}), given)
    for (_, _, last), (_, first, _) in zip(watched.seen[::2], watched.seen[1::2], strict=True):
        fitted = given[given["x"] <= last]
        assert last == fitted["x"][fitted["told"] < given["at"][first]].max() < first - 1


def test_it_ends_with_its_trials_or_its_seconds(toy, rows, watched, monkeypatch):
    search(searching(toy, estimator=watched, search={"trials": 3, "folds": 1}), rows(10))
    assert len(watched.seen) == 3 * 2
    watched.seen.clear()
    monkeypatch.setattr(watched, "slow", 0.2)
    search(searching(toy, estimator=watched, search={"trials": 1000, "folds": 1, "seconds": 0.5}), rows(10))
    assert len(watched.seen) <= 3 * 2


def nan(trial):
    return {"alpha": trial.suggest_categorical("alpha", [float("nan")])}


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"search": {"seconds": 1e-9}}, TrainingError, "toy: no trial of the search finished with a score in 1e-09 s"),
        (
            {"search": {"space": nan}, "estimator": Watched},
            TrainingError,
            "toy: no trial of the search finished",
        ),
        ({"search": {"space": lambda trial: {"depth": 1}}}, TrainingError, "toy: the estimator raised TypeError"),
        ({"search": {"space": lambda trial: 1 / 0}}, TrainingError, "toy: the space of the search raised ZeroDivision"),
        ({"search": {"folds": 500}}, NotEnoughDataError, "too few for 500 folds"),
    ],
    ids=["no time", "NaN scores", "arguments that do not fit", "a space that raises", "too many folds"],
)
def test_a_search_that_finds_nothing_says_why(toy, rows, given, error, says):
    with pytest.raises(error, match=says):
        search(searching(toy, **given), rows(10))
