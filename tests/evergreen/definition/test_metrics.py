"""Metrics: scikit-learn's own values, also as weighted sums of blocks."""

import math

import numpy as np
import pytest
from sklearn import metrics as sk

from evergreen.definition.metrics import METRICS, mean_of, named

PROBABILITIES = {"log_loss", "brier_score", "accuracy", "roc_auc"}


def reference(name, target, made, weight=None):
    if name == "log_loss":
        return sk.log_loss(target, made, sample_weight=weight, labels=list(range(made.shape[1])))
    if name == "brier_score":
        return sk.brier_score_loss(target, made[:, 1], sample_weight=weight)
    if name == "accuracy":
        return sk.accuracy_score(target, made.argmax(axis=1), sample_weight=weight)
    if name == "roc_auc":
        return sk.roc_auc_score(target, made[:, 1], sample_weight=weight)
    return getattr(sk, name)(target, made, sample_weight=weight)


def table(name, seed, rows=3000):
    """Targets and predictions, some of them tied, good for some metric."""
    random = np.random.default_rng(seed)
    if name not in PROBABILITIES:
        target = random.normal(size=rows) * 10
        return target, np.round(target + random.normal(size=rows), 1)
    score = np.round(random.beta(0.5, 0.8, size=rows), random.integers(1, 6))
    target = (random.random(rows) < 0.3 + 0.4 * score).astype(int)
    return target, np.column_stack([1 - score, score])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", METRICS)
def test_the_score_is_scikit_learns(name, seed):
    target, prediction = table(name, seed)
    tolerance = 1e-3 if name == "roc_auc" else 1e-9
    assert named(name).score(target, prediction) == pytest.approx(reference(name, target, prediction), rel=tolerance)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", METRICS)
def test_a_weighted_sum_of_blocks_is_the_weighted_score(name, seed):
    target, prediction = table(name, seed)
    random = np.random.default_rng(seed)
    block = random.integers(0, 9, len(target))
    weight = random.integers(0, 4, 9)
    sums = named(name).sums(target, prediction, block, 9)
    expected = reference(name, target, prediction, weight[block].astype(float))
    assert float(named(name).finish(weight @ sums)) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("name", METRICS)
def test_a_thousand_resamples_are_one_product(name):
    target, prediction = table(name, seed=0)
    sums = named(name).sums(target, prediction, np.arange(len(target)) % 5, 5)
    drawn = np.random.default_rng(0).multinomial(5, [0.2] * 5, size=20)
    one_by_one = [float(named(name).finish(row @ sums)) for row in drawn]
    assert named(name).finish(drawn @ sums).tolist() == pytest.approx(one_by_one)


@pytest.mark.parametrize("name", METRICS)
def test_a_nan_among_the_predictions_is_a_nan_of_the_score(name):
    target, prediction = table(name, seed=0, rows=50)
    prediction[7] = math.nan
    assert math.isnan(named(name).score(target, prediction))


@pytest.mark.parametrize("name", METRICS)
def test_no_rows_have_no_score(name):
    target, prediction = table(name, seed=0, rows=50)
    assert math.isnan(named(name).score(target[:0], prediction[:0]))


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_only_has_no_area_under_the_curve(label):
    score = np.linspace(0, 1, 20)
    prediction = np.column_stack([1 - score, score])
    assert math.isnan(named("roc_auc").score(np.full(20, label), prediction))


def test_a_certain_and_wrong_probability_costs_what_scikit_learn_takes_for_it():
    target, prediction = np.array([1, 0]), np.array([[1.0, 0.0], [0.5, 0.5]])
    assert named("log_loss").score(target, prediction) == pytest.approx(sk.log_loss(target, prediction))


def test_log_loss_and_accuracy_of_three_classes_are_scikit_learns():
    random = np.random.default_rng(0)
    prediction = random.dirichlet([1, 1, 1], size=500)
    target = random.integers(0, 3, 500)
    for name in ("log_loss", "accuracy"):
        assert named(name).score(target, prediction) == pytest.approx(reference(name, target, prediction))


def test_the_area_under_the_curve_of_three_classes_is_the_last_ones_against_the_rest():
    random = np.random.default_rng(0)
    prediction = random.dirichlet([1, 1, 1], size=500)
    target = random.integers(0, 3, 500)
    expected = sk.roc_auc_score(target == 2, prediction[:, 2])
    assert named("roc_auc").score(target, prediction) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("name", METRICS)
def test_a_gain_is_positive_for_the_better_of_two(name):
    better, worse = (0.9, 0.2) if named(name).greater_is_better else (0.2, 0.9)
    assert named(name).gain(np.float64(better), np.float64(worse)) > 0


def test_ones_own_metric_is_the_mean_of_its_losses():
    asymmetric = mean_of("asymmetric", lambda y, p: np.where(p > y, 3.0, 1.0) * np.abs(y - p))
    assert asymmetric.score(np.array([0.0, 0.0]), np.array([1.0, -1.0])) == 2.0


def test_an_unknown_metric_is_named_beside_those_that_there_are():
    with pytest.raises(ValueError, match=r"mean_absolute_error.*not 'mae'"):
        named("mae")


def test_the_area_under_the_curve_of_several_periods_is_the_mean_of_theirs_by_pairs():
    """Each period has scores of its own, whose bins are not those of another."""
    random, metric, calls, areas, pairs = np.random.default_rng(5), METRICS["roc_auc"], [], [], []
    for rows, levels, shift in ((400, 12, 0.0), (900, 10_000, 0.6), (50, 10_000, 0.9)):
        target = (random.random(rows) < 0.3).astype(int)
        score = np.clip(np.round((random.normal(size=rows) + target) * 0.02 * levels) / levels + shift, 0, 1)
        calls.append(metric.sums(target, np.column_stack([1 - score, score]), random.integers(0, 7, rows), 7))
        areas.append(sk.roc_auc_score(target, score))
        pairs.append(target.sum() * (rows - target.sum()))
    pooled, sums = metric.pooled(calls)
    assert sums.shape == (21, 2)
    assert pooled.finish(sums.sum(axis=0)) == pytest.approx(np.average(areas, weights=pairs), abs=1e-4)
    for one, area in zip(calls, areas, strict=True):
        alone, sums = metric.pooled([one])
        assert alone.finish(sums.sum(axis=0)) == pytest.approx(area, abs=1e-4)
