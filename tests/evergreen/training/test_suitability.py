"""Estimators that cannot do what the model asks are told of before they are fitted, and others are left alone."""

from contextlib import nullcontext

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from evergreen import Training, mean_of
from evergreen.errors import TrainingError
from evergreen.training import fitting, suitability

HARD = VotingClassifier([("a", LogisticRegression())])
STACK = [("a", LinearSVC()), ("b", LogisticRegression())]


class Counting(LinearSVC):
    fits = 0

    def fit(self, X, y, sample_weight=None):
        type(self).fits += 1
        return super().fit(X, y, sample_weight)


@pytest.fixture
def labelled(rows):
    return rows(10).assign(y=lambda frame: (frame["x"] > 0).astype(int))


def model_of(toy, estimator, metric="log_loss", **more):
    return toy(task="classification", estimator=lambda: estimator, metric=metric, **more)


@pytest.mark.parametrize("metric", ["log_loss", "brier_score", "roc_auc"])
@pytest.mark.parametrize(
    "estimator",
    [
        LinearSVC(),
        SVC(),
        RidgeClassifier(),
        SGDClassifier(),
        make_pipeline(StandardScaler(), make_pipeline(StandardScaler(), LinearSVC())),
        HARD,
        GridSearchCV(LinearSVC(), {"C": [1.0]}),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_a_metric_of_probabilities_is_refused_with_an_estimator_that_has_none(toy, labelled, estimator, metric):
    says = (
        rf"toy: the metric {metric} is one of probabilities, and \w+ has no `predict_proba`. Take another.*Calibrated"
    )
    with pytest.raises(TrainingError, match=says):
        fitting.fit(model_of(toy, estimator, metric), labelled)


def test_it_is_told_before_the_fit(toy, labelled):
    with pytest.raises(TrainingError, match="Counting has no"):
        fitting.fit(model_of(toy, make_pipeline(StandardScaler(), Counting())), labelled)
    assert Counting.fits == 0


@pytest.mark.parametrize(
    "estimator",
    [
        CalibratedClassifierCV(LinearSVC()),
        StackingClassifier(STACK),
        VotingClassifier([("a", LogisticRegression())], voting="soft"),
        GridSearchCV(LogisticRegression(), {"C": [1.0]}),
        SGDClassifier(loss="log_loss"),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_an_estimator_with_probabilities_is_fitted(toy, labelled, estimator):
    assert hasattr(fitting.fit(model_of(toy, estimator), labelled), "predict_proba")


def test_a_metric_of_classes_takes_any_classifier_and_own_metrics_say_what_they_need(toy, labelled):
    hits = mean_of("hits", lambda y, p: p.argmax(axis=1) == y, tasks=("classification",), greater_is_better=True)
    for metric in ("accuracy", hits):
        fitting.fit(model_of(toy, LinearSVC(), metric), labelled)
    sure = mean_of("sure", lambda y, p: 1 - p.max(axis=1), tasks=("classification",), probabilities=True)
    with pytest.raises(TrainingError, match="the metric sure is one of probabilities"):
        fitting.fit(model_of(toy, LinearSVC(), sure), labelled)


def test_weights_reach_the_last_step_of_the_last_pipeline(toy, labelled):
    aged = Training(half_life="2d")
    weights = []

    class Weighed(LogisticRegression):
        def fit(self, X, y, sample_weight=None):
            weights.append(sample_weight)
            return super().fit(X, y, sample_weight)

    nested = make_pipeline(StandardScaler(), make_pipeline(StandardScaler(), Weighed()))
    fitting.fit(model_of(toy, nested, training=aged), labelled)
    assert weights[0].max() == 1 > weights[0].min() > 0
    assert np.isclose(weights[0][-1], 1)
    for estimator in (KNeighborsClassifier(), make_pipeline(StandardScaler(), KNeighborsClassifier())):
        says = "toy: `half_life` weighs rows by their age, and KNeighborsClassifier takes no `sample_weight`"
        with pytest.raises(TrainingError, match=says):
            fitting.fit(model_of(toy, estimator, training=aged), labelled)
    suitability.require_weights(toy(), StackingClassifier(STACK))  # which passes them on
    fitting.fit(toy(estimator=KNeighborsRegressor), labelled)


@pytest.mark.parametrize(("count", "guarded"), [(2, 1), (-1, 1), (None, 0), (1, 0)])
def test_an_estimator_that_is_fitted_in_processes_of_its_own_is_guarded(toy, labelled, monkeypatch, count, guarded):
    calls = []
    monkeypatch.setattr(fitting.lifeline, "guarded", lambda: calls.append("") or nullcontext())
    fitting.fit(model_of(toy, KNeighborsClassifier(n_jobs=count)), labelled)
    assert len(calls) == guarded


class Plain:
    def fit(self, X, y):
        return self

    def predict(self, X):
        return np.zeros(len(X), dtype=int)


INHERIT = "toy: Plain has no `get_params`, by which .* Let the class inherit from sklearn.base.BaseEstimator."


@pytest.mark.parametrize(
    ("estimator", "metric", "says"),
    [
        (Plain(), "log_loss", INHERIT),
        (Plain(), "accuracy", INHERIT),
        (make_pipeline(StandardScaler(), Plain()), "log_loss", INHERIT),
        (Plain, "accuracy", r"gives the class Plain, not an object of it. Call it: Plain\(\)."),
        (None, "accuracy", "gives a NoneType, which has no `fit`. Return an estimator."),
        ("a string", "accuracy", "gives a str, which has no `fit`. Return an estimator."),
    ],
    ids=["probabilities", "classes", "last step", "class", "nothing", "text"],
)
def test_what_is_no_estimator_is_refused_with_what_to_change(toy, labelled, estimator, metric, says):
    with pytest.raises(TrainingError, match=says):
        fitting.fit(model_of(toy, estimator, metric), labelled)
