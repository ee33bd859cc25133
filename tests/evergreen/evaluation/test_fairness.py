"""Fairness: the differences that scikit-learn's rates give, and gates that tell chance from what is beyond it."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student
from sklearn.metrics import accuracy_score, recall_score

from evergreen import Fairness, Gates
from evergreen.evaluation.fairness import Disparity, disparities
from evergreen.gates.verdict import judge

HALF_DAY = pd.Timedelta(hours=12)


def holdout(groups, days=10):
    at = pd.Timestamp("2013-01-01", tz="UTC") + pd.to_timedelta(np.arange(len(groups)) % days, unit="D")
    return pd.DataFrame({"at": at, "group": groups})


def classifier(toy, **asked):
    gates = Gates(fairness=[Fairness(column="group", **asked)], resamples=200)
    return toy(task="classification", gates=gates)


def drawn(shares, rows=4000, seed=0):
    """Groups, labels and probabilities: a group is selected as often as its share says."""
    chance = np.random.default_rng(seed)
    groups = chance.choice(list(shares), rows)
    target = (chance.random(rows) < 0.4).astype(int)
    chosen = chance.random(rows) < np.array([shares[group] for group in groups])
    probability = np.where(chosen, 0.9, 0.1)
    return groups, target, np.column_stack([1 - probability, probability])


def test_the_rates_are_those_of_scikit_learn(toy):
    groups, target, prediction = drawn({"a": 0.6, "b": 0.3, "c": 0.4})
    model = classifier(toy, selection_rate=0.1, true_positive_rate=0.1, false_positive_rate=0.1, error=0.1)
    by_rate = {disparity.rate: disparity for disparity in disparities(model, holdout(groups), target, prediction)}
    answer = prediction.argmax(axis=1)
    by_hand = {
        "selection_rate": lambda y, p: p.mean(),
        "true_positive_rate": recall_score,
        "false_positive_rate": lambda y, p: 1 - recall_score(y, p, pos_label=0),
        "error": lambda y, p: 1 - accuracy_score(y, p),
    }
    assert list(by_rate) == list(by_hand)
    for rate, disparity in by_rate.items():
        values = {g: by_hand[rate](target[groups == g], answer[groups == g]) for g in "abc"}
        assert (disparity.low, disparity.high) == pytest.approx((min(values.values()), max(values.values())))
        assert values[disparity.highest] - values[disparity.lowest] == pytest.approx(disparity.apart.value)
        assert disparity.apart.low < disparity.apart.value < disparity.apart.high


def test_the_error_of_numbers_is_in_their_unit(toy):
    model = toy(gates=Gates(fairness=[Fairness(column="group", error=1.0)], resamples=200))
    groups = np.array(["a", "b"] * 500)
    target, prediction = np.zeros(1000), np.where(groups == "a", 1.0, 3.5)
    (disparity,) = disparities(model, holdout(groups), target, prediction)
    assert (disparity.highest, disparity.lowest, disparity.apart.value) == ("b", "a", 2.5)


@pytest.mark.parametrize(
    ("shares", "rows", "outcome", "decision"),
    [
        ({"a": 0.5, "b": 0.5}, 4000, "passed", "promote"),
        ({"a": 0.7, "b": 0.3}, 4000, "failed", "reject"),
        ({"a": 0.62, "b": 0.4}, 300, "unknown", "not enough evidence"),
        ({"a": 0.5}, 4000, "skipped", "promote"),
        ({"a": 0.5, "b": 0.5}, 150, "unknown", "not enough evidence"),
    ],
)
def test_only_what_is_beyond_chance_fails_and_what_may_be_chance_waits(toy, evidence, shares, rows, outcome, decision):
    model = classifier(toy, selection_rate=0.15)
    groups, target, prediction = drawn(shares, rows, seed=1)
    all_disparities = disparities(model, holdout(groups), target, prediction)
    verdict = judge(evidence(disparities=all_disparities), model.gates)
    check = next(check for check in verdict.checks if check.name == "fairness of selection rate by group")
    assert (check.outcome, verdict.decision) == (outcome, decision), check.detail


def test_with_no_difference_at_all_hardly_ever_one_is_found(toy):
    model = classifier(toy, selection_rate=0.0)
    all_disparities = [
        disparities(model, holdout(g), t, p)[0]
        for g, t, p in (drawn({"a": 0.4, "b": 0.4, "c": 0.4}, 900, s) for s in range(60))
    ]
    assert sum(disparity.apart.low > 0 for disparity in all_disparities) <= 6


def test_small_groups_are_left_out_and_of_no_rows_nothing_is_said(toy):
    model = classifier(toy, selection_rate=0.1, group_rows=50)
    groups = np.array(["a"] * 100 + ["b"] * 100 + ["c"] * 49)
    prediction = np.column_stack([np.zeros(249), np.where(groups == "c", 0.0, 1.0)])
    (disparity,) = disparities(model, holdout(groups), np.zeros(249, dtype=int), prediction)
    assert (disparity.groups, disparity.apart.value) == (2, 0.0)
    (none,) = disparities(model, holdout(groups).iloc[:0], np.zeros(0, dtype=int), np.zeros((0, 2)))
    assert none.groups == 0


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"gates": Gates(fairness=[Fairness(column="nobody", error=1.0)])}, "which are in neither features nor extra"),
        ({"gates": Gates(fairness=[Fairness(column="group", selection_rate=0.1)])}, "only `error` can be compared"),
    ],
)
def test_what_cannot_be_asked_is_refused(toy, changes, says):
    with pytest.raises(ValueError, match=says):
        toy(**changes)
    with pytest.raises(ValueError, match="names no rate"):
        Fairness(column="group")


def test_of_one_group_nothing_is_compared(toy):
    model = classifier(toy, selection_rate=0.1, group_rows=50)
    groups = np.array(["a"] * 50 + ["b"] * 49)
    (found,) = disparities(model, holdout(groups), np.zeros(99, dtype=int), np.tile([0.4, 0.6], (99, 1)))
    assert found == Disparity("group", "selection_rate", 2, 1, "", "", np.nan, np.nan, found.apart, 0.1)
    assert np.isnan(list(vars(found.apart).values())).all()


def test_a_group_of_exactly_enough_rows_and_a_probability_that_just_selects_count(toy):
    model = classifier(toy, selection_rate=0.1, group_rows=50, selected_from=0.5)
    groups = np.array(["a", "b"] * 50)
    probability = np.where(groups == "a", 0.5, np.nextafter(0.5, 0))
    prediction = np.column_stack([1 - probability, probability])
    (found,) = disparities(model, holdout(groups), np.zeros(100, dtype=int), prediction)
    assert (found.groups, found.highest, found.high, found.low) == (2, "a", 1.0, 0.0)


def test_the_error_of_numbers_is_their_distance_from_the_target(toy):
    model = toy(gates=Gates(fairness=[Fairness(column="group", error=1.0)], resamples=200))
    groups = np.array(["a", "b"] * 500)
    target = np.full(1000, 10.0)
    (found,) = disparities(model, holdout(groups), target, np.where(groups == "a", 9.0, 13.0))
    assert (found.low, found.high) == (1.0, 3.0)


def test_each_pair_of_groups_that_could_be_the_farthest_apart_takes_a_part_of_the_error(toy):
    """Two more groups in between leave the difference as it is: one pair of two becomes one of six."""
    model = classifier(toy, selection_rate=0.1)
    groups, target, prediction = drawn({"a": 0.7, "b": 0.3, "c": 0.5, "d": 0.5})
    extremes = np.isin(groups, ["a", "b"])
    given = holdout(groups)
    two, four = (
        disparities(model, given[rows], target[rows], prediction[rows])[0].apart
        for rows in (extremes, np.ones(len(groups), dtype=bool))
    )
    assert four.value == two.value
    quantiles = [student.ppf((1 + model.gates.level(0, pairs)) / 2, 9) for pairs in (1, 6)]
    assert (four.high - four.low) / (two.high - two.low) == pytest.approx(quantiles[1] / quantiles[0])


def test_a_rate_that_a_resample_of_days_may_not_have_has_no_bounds(toy):
    """All positives of group a lie on the first day: many a resample leaves it out, and has no true positive rate."""
    model = classifier(toy, true_positive_rate=0.1, group_rows=10)
    groups = np.array(["a", "b"] * 500)
    given = holdout(groups)
    target = ((groups == "b") | (given["at"] == given["at"].min())).to_numpy().astype(int)
    (found,) = disparities(model, given, target, np.tile([0.4, 0.6], (1000, 1)))
    assert (found.groups, found.apart.value) == (2, 0.0)
    assert np.isnan([found.apart.low, found.apart.high]).all()
