"""Estimates before labels come: right where the model's chances are right, and of nothing where nothing is known."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.definition.metrics import METRICS, Metric, mean_of, named
from evergreen.monitoring.estimation import Curve, Estimator, expected, past_error
from evergreen.monitoring.reference import Reference

CLASSES = ["log_loss", "brier_score", "accuracy", "roc_auc"]
NUMBERS = ["mean_absolute_error", "mean_squared_error", "root_mean_squared_error"]
PINNED = [0.6268889560459656, 0.2091532290911529, 0.6998797995515731, 0.8182683884123942]


def chances(random, rows, centre=0.0):
    """True chances of the last of two classes, and labels drawn from them."""
    chance = 1 / (1 + np.exp(-random.normal(centre, 1.5, rows)))
    return chance, (random.random(rows) < chance).astype(np.intp)


def both(chance):
    return np.column_stack([1 - chance, chance])


def frame(random, rows, days=14):
    at = pd.Timestamp("2013-01-01", tz="UTC") + pd.to_timedelta(np.sort(random.uniform(0, days * 24, rows)), unit="h")
    x = random.normal(size=rows)
    return pd.DataFrame({"at": at.as_unit("us"), "x": x, "group": np.where(random.random(rows) < 0.5, "a", "b")})


@pytest.fixture
def classifier(toy):
    return lambda metric: toy(task="classification", target_kind="integer", metric=metric)


@pytest.mark.parametrize("centre", [-1.0, 0.0, 1.0])
@pytest.mark.parametrize("name", CLASSES)
def test_of_right_chances_the_expectation_is_what_comes(name, centre):
    random = np.random.default_rng(0)
    chance, label = chances(random, 200_000, centre)
    prediction = both(chance)
    assert expected(named(name), prediction, prediction) == pytest.approx(
        named(name).score(label, prediction), abs=0.004
    )


@pytest.mark.parametrize("name", CLASSES)
def test_what_is_certain_is_expected_as_it_is(name):
    random = np.random.default_rng(1)
    chance, label = chances(random, 3000)
    assert expected(named(name), both(chance), both(label.astype(float))) == pytest.approx(
        named(name).score(label, both(chance)), rel=1e-3
    )


def test_any_metric_that_adds_up_is_expected():
    cost = mean_of(
        "cost", lambda y, p: np.where(y == 1, 10 * (p[:, 1] < 0.5), p[:, 1] >= 0.5), tasks=("classification",)
    )
    random = np.random.default_rng(2)
    chance, label = chances(random, 200_000)
    assert expected(cost, both(chance), both(chance)) == pytest.approx(cost.score(label, both(chance)), rel=0.02)


def test_an_endless_loss_that_cannot_come_costs_nothing():
    surprise = mean_of("surprise", lambda y, p: -np.log(p[np.arange(len(y)), y]), tasks=("classification",))
    with np.errstate(divide="ignore"):
        assert expected(surprise, both(np.ones(3)), both(np.ones(3))) == 0


@pytest.mark.parametrize("name", CLASSES)
def test_chances_that_are_said_too_boldly_are_put_right_by_the_holdout(classifier, name):
    random = np.random.default_rng(3)
    model = classifier(name)

    def bold(chance):
        odds = (chance / (1 - chance)) ** 2.5
        return both(odds / (1 + odds))

    chance, label = chances(random, 20_000)
    rows = frame(random, 20_000)
    estimator = Estimator.fit(model, rows, bold(chance), label)
    later, outcome = chances(random, 100_000, centre=0.7)
    prediction = bold(later)
    estimate = estimator.estimate(frame(random, 100_000), prediction)
    truth = model.metric.score(outcome, prediction)
    assert estimate == pytest.approx(truth, abs=0.015)
    if name != "accuracy":
        assert abs(estimate - truth) < abs(expected(model.metric, prediction, prediction) - truth) / 2


def test_a_version_that_knows_fewer_classes_than_its_holdout_had_is_estimated_on_all_of_them(classifier):
    random = np.random.default_rng(4)
    rows, three = frame(random, 3000), random.dirichlet([5, 5, 0.1], 3000)
    estimator = Estimator.fit(classifier("accuracy"), rows, three, three.argmax(axis=1))
    two = both(three[:, 1])
    base = Reference(classifier("accuracy"), None, {}, None, estimator, ["a", "b"], ["a", "b", "c"])
    right = (two.argmax(axis=1) == three.argmax(axis=1)).mean()
    assert base.estimate(rows, two) == pytest.approx(right, abs=0.05)
    assert math.isnan(replace(base, estimated=[]).estimate(rows, two))  # stored by an earlier release
    assert math.isnan(replace(base, known=["a"]).estimate(rows, two))
    assert [base.fits(two), base.fits(three)] == [True, False]


def test_three_classes_are_calibrated_each_and_sum_to_one(classifier):
    random = np.random.default_rng(4)
    prediction = random.dirichlet([1, 2, 3], 20_000)
    label = (random.random((20_000, 1)) > prediction.cumsum(axis=1)).sum(axis=1)
    bold = prediction**2 / (prediction**2).sum(axis=1, keepdims=True)
    rows = frame(random, 20_000)
    estimator = Estimator.fit(classifier("accuracy"), rows, bold, label)
    assert estimator.chances(bold).sum(axis=1) == pytest.approx(np.ones(len(bold)))
    assert estimator.estimate(rows, bold) == pytest.approx((bold.argmax(axis=1) == label).mean(), abs=0.01)


def wide(random, rows, share=0.5):
    """Rows of which those of group b are four times harder to predict."""
    some = frame(random, rows).assign(group=np.where(random.random(rows) < share, "b", "a"))
    prediction = random.normal(size=rows)
    return some, prediction, prediction + random.normal(size=rows) * np.where(some["group"] == "b", 4.0, 1.0)


@pytest.mark.parametrize("name", NUMBERS)
def test_an_error_that_moves_with_the_rows_is_followed(toy, name):
    random = np.random.default_rng(5)
    model = toy(metric=name, features={"x": "number", "group": "category"})
    rows, prediction, target = wide(random, 6000)
    estimator = Estimator.fit(model, rows, prediction, target)
    judged = model.metric.score(target, prediction)
    assert estimator.estimate(rows, prediction) == pytest.approx(judged)
    later, prediction, outcome = wide(random, 20_000, share=0.9)
    truth = model.metric.score(outcome, prediction)
    assert abs(estimator.estimate(later, prediction) - truth) < 0.2 * abs(judged - truth)


def test_an_error_that_grows_with_the_prediction_is_followed(toy):
    random = np.random.default_rng(6)
    model, rows, prediction = toy(), frame(random, 6000), random.uniform(0, 10, 6000)
    estimator = Estimator.fit(model, rows, prediction, prediction + random.normal(size=6000) * prediction)
    low, high = (estimator.estimate(rows, np.full(6000, value)) for value in (1.0, 9.0))
    assert [low, high] == pytest.approx([0.8, 7.2], rel=0.3)


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_an_estimator_comes_back_from_json(toy, task):
    random = np.random.default_rng(7)
    model = toy(task=task, features={"x": "number", "group": "category"})
    rows, prediction, target = wide(random, 3000)
    rows.loc[::7, "x"] = np.nan
    rows.loc[::11, "group"] = None
    if task == "classification":
        prediction, target = both(1 / (1 + np.exp(-prediction))), (target > 0).astype(np.intp)
    estimator = Estimator.fit(model, rows, prediction, target)
    back = Estimator.parse(model, estimator.dump())
    assert back == estimator
    assert back.estimate(rows, prediction) == estimator.estimate(rows, prediction)
    assert len(back.dump()) < 20_000


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_of_what_is_not_known_there_is_no_estimate(toy, task):
    random = np.random.default_rng(8)
    model, rows = toy(task=task), frame(random, 500)
    prediction, target = random.uniform(0.1, 0.9, 500), random.integers(0, 2, 500)
    prediction = prediction if task == "regression" else both(prediction)
    estimator = Estimator.fit(model, rows, prediction, target)
    assert math.isfinite(estimator.estimate(rows, prediction))
    assert math.isnan(estimator.estimate(rows.head(0), prediction[:0]))
    broken = prediction.copy()
    broken[3] = np.nan
    assert math.isnan(estimator.estimate(rows, broken))
    nothing = Estimator.fit(model, rows.head(0), prediction[:0], target[:0])
    assert math.isnan(nothing.estimate(rows, prediction))


def test_a_holdout_of_one_class_says_that_it_always_comes(classifier):
    random = np.random.default_rng(9)
    rows, prediction = frame(random, 300), both(random.random(300))
    estimator = Estimator.fit(classifier("accuracy"), rows, prediction, np.ones(300, dtype=np.intp))
    assert estimator.estimate(rows, prediction) == pytest.approx((prediction[:, 1] > 0.5).mean())


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40))
def test_a_curve_rises_within_nought_and_one_and_keeps_the_mean(pairs):
    said, outcomes = np.array([probability for probability, _ in pairs]), np.array([outcome for _, outcome in pairs])
    curve = Curve.fit(said, outcomes)(np.linspace(-0.5, 1.5, 50))
    assert (np.diff(curve) >= -1e-12).all()
    assert curve.min() >= 0
    assert curve.max() <= 1
    assert Curve.fit(said, outcomes)(said).mean() == pytest.approx(outcomes.mean(), abs=1e-6)


def test_exact_answers_on_a_seeded_stream(classifier):
    random = np.random.default_rng(2013)
    chance, label = chances(random, 500)
    rows = frame(random, 500)
    estimates = []
    for name in CLASSES:
        estimator = Estimator.fit(classifier(name), rows, both(chance**2), label)
        estimates.append(estimator.estimate(rows.head(100), both(chance[:100] ** 2)))
    assert estimates == pytest.approx(PINNED, rel=1e-9)


@pytest.mark.parametrize(
    ("pairs", "periods", "error", "bias"),
    [
        ([(1.0, 2.0), (3.0, 2.0)], 2, 1.0, 0.0),
        ([(1.0, 2.0), (math.nan, 2.0), (3.0, math.nan)], 1, 1.0, -1.0),
        ([], 0, math.nan, math.nan),
    ],
    ids=["both ways", "what was not realised is left out", "none yet"],
)
def test_the_past_error_is_that_of_periods_with_both(pairs, periods, error, bias):
    errors = past_error(pairs)
    assert (errors.periods, errors.error, errors.bias) == (
        periods,
        *(pytest.approx(value, nan_ok=True) for value in (error, bias)),
    )
    assert ("no estimate" in str(errors)) is (periods == 0)


def test_every_metric_of_the_house_can_be_estimated(toy):
    random = np.random.default_rng(10)
    rows, prediction, target = wide(random, 1000)
    for metric in METRICS.values():
        assert isinstance(metric, Metric)
        of_classes = "classification" in metric.tasks
        model = toy(task="classification" if of_classes else "regression", metric=metric)
        said = both(1 / (1 + np.exp(-prediction))) if of_classes else prediction
        truth = (target > 0).astype(np.intp) if of_classes else target
        own = Estimator.fit(model, rows, said, truth).estimate(rows, said)
        assert own == pytest.approx(metric.score(truth, said), rel=0.05)
