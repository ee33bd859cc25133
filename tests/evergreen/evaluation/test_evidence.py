"""Evaluation: contenders on the same rows, overall and by slice; calibration; leakage."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student
from sklearn.linear_model import LogisticRegression

from evergreen import Gates
from evergreen.evaluation import bootstrap
from evergreen.evaluation.bootstrap import Blocks
from evergreen.evaluation.calibration import calibration_error, calibration_low
from evergreen.evaluation.evidence import compare, finite_share, latency
from evergreen.evaluation.leakage import separation
from evergreen.gates.verdict import judge


@pytest.fixture
def regression(toy, rows):
    """A model, a holdout of ten days, and what three contenders say of it."""
    holdout = rows(10)
    target = holdout["y"].to_numpy()
    random = np.random.default_rng(0)
    predictions = {
        "challenger": target + random.normal(size=len(target)),
        "champion": target + 2 * random.normal(size=len(target)),
        "dummy": np.zeros(len(target)),
    }
    return toy(gates=Gates(slice_rows=50)), holdout, target, predictions


def test_every_contender_is_scored_on_the_same_rows(regression):
    model, holdout, target, predictions = regression
    evidence = compare(model, holdout, target, predictions)
    for name, interval in (
        ("challenger", evidence.challenger),
        ("champion", evidence.champion),
        ("dummy", evidence.dummy),
    ):
        assert interval.value == pytest.approx(np.abs(target - predictions[name]).mean())
        assert interval.low < interval.value < interval.high
    assert evidence.over_champion.value == pytest.approx(evidence.champion.value - evidence.challenger.value)
    assert evidence.over_dummy.value == pytest.approx(evidence.dummy.value - evidence.challenger.value)
    assert (evidence.rows, evidence.blocks, evidence.level) == (240, 10, 0.95)
    assert (evidence.since, evidence.until) == ("2013-01-01T00:00:00+00:00", "2013-01-10T23:00:00+00:00")


def test_without_a_champion_nothing_is_said_of_one(regression):
    model, holdout, target, predictions = regression
    evidence = compare(model, holdout, target, {name: predictions[name] for name in ("challenger", "dummy")})
    assert (evidence.champion, evidence.over_champion, evidence.champion_calibration) == (None, None, None)
    assert [(part.champion, part.gain) for part in evidence.slices] == [(None, None)] * 2


def test_earlier_champions_meet_both(regression):
    model, holdout, target, predictions = regression
    predictions |= {"version 1": target + 0.01, "version 2": target + 9}
    evidence = compare(model, holdout, target, predictions)
    assert evidence.earlier_over_champion["version 1"].low > 0 > evidence.earlier_over_champion["version 2"].high
    assert evidence.earlier_over_challenger["version 1"].low > 0 > evidence.earlier_over_challenger["version 2"].high


@pytest.mark.parametrize("undecided", ["better", "champion"])
def test_each_look_at_the_same_rows_widens_the_interval(regression, undecided):
    model, *rest = regression
    model = model.model_copy(update={"gates": Gates(undecided=undecided)})
    first, third = compare(model, *rest).over_champion, compare(model, *rest, looks=2).over_champion
    assert third.low < first.low < first.high < third.high


def test_where_proof_only_refuses_a_later_look_is_no_easier_to_pass(regression):
    model, *rest = regression
    first, third = compare(model, *rest), compare(model, *rest, looks=2)
    assert first.over_champion == third.over_champion
    assert (third.champion_level, third.gain.level) == (0.95, 0.95)
    assert third.over_dummy.low < first.over_dummy.low  # where proof lets a first model in, it is


def test_slices_are_scored_each_on_its_own_the_missing_value_too(regression):
    model, holdout, target, predictions = regression
    group = holdout["group"].where(np.arange(len(holdout)) % 4 != 0)
    predictions["challenger"] = np.where(group == "b", predictions["champion"] + 3, predictions["challenger"])
    evidence = compare(model, holdout.assign(group=group), target, predictions)
    values = group.fillna("missing").to_numpy()
    assert {part.value: part.rows for part in evidence.slices} == {"a": 60, "b": 120, "missing": 60}
    for part in evidence.slices:
        inside = values == part.value
        expected = np.abs(target[inside] - predictions["challenger"][inside]).mean()
        assert part.challenger == pytest.approx(expected)
        assert part.gain.value == pytest.approx(part.champion - part.challenger)
    assert {part.value for part in evidence.slices if part.gain.high < 0} == {"b"}


def test_a_single_nan_among_the_predictions_is_counted_and_rejected(regression):
    model, holdout, target, predictions = regression
    predictions["challenger"][7] = math.nan
    evidence = compare(model, holdout, target, predictions)
    assert evidence.finite == pytest.approx(239 / 240)
    assert judge(evidence, model.gates).decision == "reject"


@pytest.mark.parametrize(
    ("task", "metric", "shape"),
    [
        ("regression", "mean_absolute_error", (0,)),
        ("classification", "log_loss", (0, 2)),
        ("classification", "roc_auc", (0, 2)),
    ],
)
def test_no_rows_are_not_enough_evidence(toy, rows, task, metric, shape):
    model = toy(task=task, metric=metric)
    predictions = {name: np.zeros(shape) for name in ("challenger", "champion", "dummy")}
    evidence = compare(model, rows(1).iloc[:0], np.zeros(0, dtype=int), predictions)
    assert (evidence.rows, evidence.blocks, evidence.since) == (0, 0, None)
    assert judge(evidence, model.gates).decision == "not enough evidence"


def test_a_day_of_rows_has_no_interval_and_waits(toy, rows):
    holdout = rows(1)
    target = holdout["y"].to_numpy()
    predictions = {"challenger": target, "champion": target + 1, "dummy": target + 2}
    evidence = compare(toy(), holdout, target, predictions, looks=0)
    assert math.isnan(evidence.over_dummy.low)
    assert judge(evidence, Gates(min_rows=1)).decision == "not enough evidence"


def test_the_numbers_worth_a_chart_are_those_that_are_there(regression):
    model, holdout, target, predictions = regression
    evidence = compare(model, holdout, target, predictions)
    assert evidence.metrics() == {
        "mean_absolute_error/challenger": evidence.challenger.value,
        "mean_absolute_error/champion": evidence.champion.value,
        "mean_absolute_error/dummy": evidence.dummy.value,
    }
    predictions["champion"][0] = math.nan
    evidence = compare(model, holdout, target, predictions)
    assert set(evidence.metrics()) == {"mean_absolute_error/challenger", "mean_absolute_error/dummy"}


def reach(interval):
    return (interval.high - interval.low) / 2


def quantile(level, blocks=10):
    return student.ppf((1 + level) / 2, blocks - 1)


@pytest.mark.parametrize(("slice_rows", "judged"), [(50, 2), (120, 2), (121, 1)])
def test_slices_share_the_error_of_a_first_evaluation_between_those_that_are_judged(regression, slice_rows, judged):
    _, *rest = regression
    model = regression[0].model_copy(update={"gates": Gates(slice_rows=slice_rows)})
    alone = model.model_copy(update={"gates": Gates(slice_rows=1000)})
    for part, other in zip(compare(model, *rest, looks=3).slices, compare(alone, *rest).slices, strict=True):
        ratio = quantile(model.gates.level(0, judged)) / quantile(0.95)
        assert reach(part.gain) / reach(other.gain) == pytest.approx(ratio)


def test_earlier_champions_share_the_error_of_this_evaluation_and_refuse_with_that_of_a_first(regression):
    model, holdout, target, predictions = regression
    predictions |= {"version 1": target + 0.01 * predictions["dummy"] + 1}
    one = compare(model, holdout, target, predictions)
    two = compare(model, holdout, target, predictions | {"version 2": target + 9}, looks=2)
    for name, level in (
        ("earlier_over_champion", model.gates.level(2, 2)),
        ("earlier_over_challenger", model.gates.level(0, 2)),
    ):
        reaches = [reach(getattr(found, name)["version 1"]) for found in (one, two)]
        assert reaches[1] / reaches[0] == pytest.approx(quantile(level) / quantile(0.95))
    assert (two.level, two.looks) == (model.gates.level(2), 2)


@pytest.mark.parametrize(
    ("prediction", "share"),
    [
        (np.zeros(0), 1.0),
        (np.zeros((0, 2)), 1.0),
        (np.array([1.0, math.nan, math.inf, 2.0]), 0.5),
        (np.array([[0.5, 0.5], [0.5, math.nan], [math.nan, math.nan], [0.0, 1.0]]), 0.5),
    ],
)
def test_a_row_counts_as_finite_if_every_number_of_its_prediction_is(prediction, share):
    assert finite_share(prediction) == share


CLASSES = np.array([0, 1] * 500)


def by_hand(errors, group, weight, spread):
    """The calibration error of rows that count as often as their weight says."""
    return np.abs(np.bincount(group, errors * weight)).sum() / weight.sum() / spread


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_the_low_end_of_the_calibration_error_is_that_of_days_drawn_anew(toy, rows, task):
    model, holdout = toy(task=task, gates=Gates(resamples=100)), rows(6)
    random = np.random.default_rng(1)
    if task == "regression":
        target = holdout["y"].to_numpy()
        prediction = target + random.normal(0.5, 1, size=len(target))
        errors, group, spread = prediction - target, np.zeros(len(target), dtype=int), target.std()
    else:
        target = (holdout["y"] > 0).to_numpy().astype(int)
        probability = np.clip(target * 0.2 + random.random(len(target)) * 0.7, 0, 1)
        prediction = np.column_stack([1 - probability, probability])
        group = np.empty(len(target), dtype=int)
        group[np.argsort(probability)] = np.repeat(np.arange(10), [15] * 4 + [14] * 6)
        errors, spread = probability - target, 1.0
    blocks = Blocks.of(model, holdout["at"])
    value = by_hand(errors, group, np.ones(len(target)), spread)
    drawn = np.array([by_hand(errors, group, counts[blocks.of_row], spread) for counts in blocks.drawn])
    assert calibration_error(model, target, prediction) == pytest.approx(value)
    expected = bootstrap.interval(value, drawn, 6, 0.95).low
    assert calibration_low(model, target, prediction, blocks) == pytest.approx(expected)


@pytest.mark.parametrize(("days", "known"), [(0, False), (1, False), (2, True)])
def test_the_low_end_of_the_calibration_error_takes_two_days(toy, rows, days, known):
    holdout = rows(2)[: days * 24]
    target = holdout["y"].to_numpy()
    low = calibration_low(toy(), target, target + 1, Blocks.of(toy(), holdout["at"]))
    assert (low is not None) is known


def test_five_rows_are_a_group_each(toy):
    probability = np.array([0.1, 0.9, 0.6, 0.3, 0.8])
    prediction, target = np.column_stack([1 - probability, probability]), np.array([0, 1, 0, 1, 1])
    expected = np.abs(probability - target).mean()
    assert calibration_error(toy(task="classification"), target, prediction) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("probability", "error"),
    [(0.5, 0.0), (0.8, 0.3), (1.0, 0.5)],
)
def test_calibration_of_classes_is_how_far_the_share_lies_off(toy, probability, error):
    prediction = np.tile([1 - probability, probability], (1000, 1))
    assert calibration_error(toy(task="classification"), CLASSES, prediction) == pytest.approx(error)


def test_calibration_looks_within_groups_of_alike_predictions(toy):
    turned = np.where(CLASSES == 1, 0.1, 0.9)
    prediction = np.column_stack([1 - turned, turned])
    assert calibration_error(toy(task="classification"), CLASSES, prediction) == pytest.approx(0.9)


def test_calibration_of_numbers_is_the_shift_in_standard_deviations(toy):
    target = np.random.default_rng(0).normal(scale=4, size=1000)
    assert calibration_error(toy(), target, target + 2) == pytest.approx(2 / target.std())
    assert math.isnan(calibration_error(toy(), target[:0], target[:0]))


LEAKS = {
    "the target itself": lambda rows, answer: answer,
    "the target as text": lambda rows, answer: pd.Series(np.where(answer > np.median(answer), "high", "low")),
    "nothing": lambda rows, answer: pd.Series(np.random.default_rng(0).normal(size=len(rows))),
    "a constant": lambda rows, answer: pd.Series(np.ones(len(rows))),
    "gaps only": lambda rows, answer: pd.Series(np.full(len(rows), np.nan)),
    "truths with gaps": lambda rows, answer: pd.Series([True, False, None, True] * (len(rows) // 4), dtype="boolean"),
    "a time": lambda rows, answer: rows["at"],
    "ten thousand categories": lambda rows, answer: rows["id"],
}


@pytest.mark.parametrize(
    ("leak", "task", "low", "high"),
    [
        ("the target itself", "regression", 0.97, 1.0),
        ("the target itself", "classification", 1.0, 1.0),
        ("the target as text", "classification", 1.0, 1.0),
        *[
            (leak, task, 0.0, 0.2)
            for leak in ("nothing", "a constant", "gaps only", "truths with gaps", "a time", "ten thousand categories")
            for task in ("regression", "classification")
        ],
    ],
)
def test_a_feature_that_holds_the_label_is_told_from_one_that_does_not(toy, rows, leak, task, low, high):
    table = rows(100).reset_index(drop=True)
    answer = table["y"].to_numpy()
    if task == "classification":
        answer = (answer > np.median(answer)).astype(int)
    table["x"] = LEAKS[leak](table, answer)
    assert low <= separation(toy(task=task), table, answer)["x"] <= high


def test_too_few_rows_or_one_class_suspect_nobody(toy, rows):
    assert separation(toy(), rows(1), rows(1)["y"].to_numpy()) == {}
    ones = np.ones(240, dtype=int)
    assert separation(toy(task="classification", estimator=LogisticRegression), rows(10), ones) == {}


@pytest.mark.parametrize(("sample", "found"), [(39, set()), (40, {"x"}), (5000, {"x"})])
def test_a_feature_is_tested_on_two_halves_of_twenty_rows_at_least(toy, rows, sample, found):
    given = rows(10)
    assert set(separation(toy(), given, given["y"].to_numpy(), sample)) == found
    classes = (given["y"] > 0).to_numpy().astype(int)
    assert set(separation(toy(task="classification"), given, classes, sample // 2 * 2)) == found


def test_separation_is_r_squared_for_numbers_and_the_area_under_the_curve_from_0_to_1_for_classes(toy, rows):
    random, given = np.random.default_rng(0), rows(200)
    level = random.integers(0, 4, size=len(given)).astype(float)
    noisy = level + random.normal(scale=level.std(), size=len(given))  # half of the variance is explained
    assert separation(toy(), given.assign(x=level), noisy)["x"] == pytest.approx(0.5, abs=0.05)
    rare = (random.random(len(given)) < 0.1).astype(int)
    right = np.where(random.random(len(given)) < 0.8, rare, 1 - rare)  # 0.8 of either class are told: 2 * 0.8 - 1
    model = toy(task="classification")
    assert separation(model, given.assign(x=right.astype(float)), rare)["x"] == pytest.approx(0.6, abs=0.05)
    as_text = pd.Series(np.where(right == 1, "yes", "no"))
    assert separation(model, given.assign(x=as_text), rare)["x"] == pytest.approx(0.6, abs=0.05)


def test_latency_is_the_least_time_of_a_call_in_milliseconds(monkeypatch):
    clock = iter([0.0, 0.5, 1.0, 1.25, 2.0, 2.75])
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    assert latency(lambda: None, repeats=3) == 250


def test_latency_is_the_time_of_a_call_after_the_first():
    calls = []
    assert latency(lambda: calls.append(1), repeats=3) >= 0
    assert len(calls) == 4
