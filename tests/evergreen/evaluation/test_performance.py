"""Realised performance: predictions scored on mature labels, with intervals by block."""

import math
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student
from sklearn.linear_model import LinearRegression, LogisticRegression

from evergreen.definition.metrics import named
from evergreen.evaluation import bootstrap, performance
from evergreen.evaluation import evidence as evidences
from evergreen.evaluation.performance import Observed, Score, observed
from evergreen.ingestion import label_arrival
from evergreen.ingestion.label_arrival import ArrivalCurve
from evergreen.training import fitting

DAY = pd.Timedelta(days=1)
PINNED = [0.5366433502938092, 0.004422338450696509]


def classes_of(frame):
    return frame.assign(y=(frame["y"] > 0).astype("int64"))


@pytest.fixture
def numbers(toy, rows):
    model = toy(gates={"slice_rows": 50})
    frame = rows(days=14)
    return model, frame, 2 * frame["x"].to_numpy()


def test_the_score_and_its_interval_are_those_of_the_judging(numbers):
    model, frame, prediction = numbers
    target = frame["y"].to_numpy()
    there = evidences.compare(model, frame, target, {"challenger": prediction, "dummy": prediction}).challenger
    observation = observed(model, frame, prediction)
    assert (observation.whole.rows, observation.whole.blocks, observation.labelled, observation.mature) == (
        336,
        14,
        1.0,
        True,
    )
    mine = observation.whole.interval(0.95)
    assert [mine.value, mine.low, mine.high] == pytest.approx([there.value, there.low, there.high])
    again = Score.of(there, 0.95, rows=336, blocks=14)
    assert again.error == pytest.approx(observation.whole.error)


def test_exact_answers_on_a_seeded_stream(numbers):
    model, frame, prediction = numbers
    observation = observed(model, frame, prediction).whole
    assert [observation.value, observation.error] == pytest.approx(PINNED, rel=1e-9)


def test_slices_are_scored_apart_if_they_are_large(numbers):
    model, frame, prediction = numbers
    parts = {part.value: part.score for part in observed(model, frame, prediction).slices}
    assert parts["a"].value < 0.15 < 0.9 < parts["b"].value
    assert parts["a"].rows + parts["b"].rows == len(frame)
    strict = model.model_copy(update={"gates": model.gates.model_copy(update={"slice_rows": 200})})
    assert observed(strict, frame, prediction).slices == []
    least = model.model_copy(update={"gates": model.gates.model_copy(update={"slice_rows": len(frame) // 2})})
    assert len(observed(least, frame, prediction).slices) == 2


def test_labels_in_part_are_scored_as_they_are_and_told(numbers):
    model, frame, prediction = numbers
    part = frame.assign(y=frame["y"].where(frame.index % 4 != 0))
    observation = observed(model, part, prediction)
    labelled = frame.index % 4 != 0
    assert observation.labelled == pytest.approx(0.75)
    assert (observation.rows, observation.whole.rows) == (336, 252)
    assert (observation.since, observation.until) == ("2013-01-01T00:00:00+00:00", "2013-01-14T23:00:00+00:00")
    assert observation.whole.value == pytest.approx(
        model.metric.score(frame["y"].to_numpy()[labelled], prediction[labelled])
    )


@pytest.mark.parametrize(("days", "mature"), [(29, False), (31, True)])
def test_labels_that_are_not_mature_are_never_scored(numbers, days, mature):
    model, frame, prediction = numbers
    now = frame["at"].max() + days * DAY
    observation = observed(model, frame, prediction, arrival=ArrivalCurve.declared(timedelta(days=30)), as_of=now)
    assert observation.mature is mature
    assert math.isfinite(observation.whole.value) is mature
    assert bool(observation.slices) is mature
    assert observed(model, frame, prediction, arrival=ArrivalCurve.declared(timedelta(days=30))).mature


def test_classes_of_any_name_are_scored_by_their_place(toy, rows):
    model = toy(task="classification", target_kind="integer")
    frame = classes_of(rows(days=8))
    prediction = np.tile([0.4, 0.6], (len(frame), 1))
    named = frame.assign(y=frame["y"].map({0: 3, 1: 7}))
    assert observed(model, named, prediction, classes=np.array([3, 7])) == observed(model, frame, prediction)


def loans(seed=0, rows=4000):
    """Loans of 40 days: a default is known within days, that a loan was repaid only after 30 days."""
    random = np.random.default_rng(seed)
    at = pd.Timestamp("2013-01-01", tz="UTC") + pd.to_timedelta(np.sort(random.uniform(0, 40 * 24, rows)), unit="h")
    default = random.random(rows) < 0.2
    delay = np.where(default, random.uniform(1, 10, rows), random.uniform(28, 30, rows))
    known = at + pd.to_timedelta(delay, unit="D")
    return pd.DataFrame(
        {"id": np.arange(rows).astype(str), "at": at.as_unit("us"), "group": "a", "y": default * 1, "known": known}
    )


def test_defaults_that_are_known_sooner_than_repayments_are_not_scored_alone(toy):
    model = toy(task="classification", metric="accuracy", label_time="known", target_kind="integer")
    every = loans()
    said = np.tile([0.8, 0.2], (len(every), 1))  # right about the four in five who repay

    def look(day):
        now = pd.Timestamp("2013-01-01", tz="UTC") + day * DAY
        past = every[every["at"] < now]
        known = past.assign(y=past["y"].astype("Int64").where(past["known"] <= now))
        window = (known["at"] >= now - 40 * DAY).to_numpy()
        curve = label_arrival.of(model, known, now)
        classes = np.array([0, 1])
        return observed(
            model, known[window], said[: len(known)][window], classes=classes, arrival=curve, as_of=now
        ), known

    early, known_early = look(20)
    labelled = known_early[known_early["y"].notna()]
    assert (labelled["y"] == 0).mean() == 0  # all that is known by then are defaults: an accuracy of nought
    assert not early.mature
    assert math.isnan(early.whole.value)
    late, _ = look(75)
    assert late.mature
    assert late.whole.value == pytest.approx(0.8, abs=0.03)


def test_a_probability_that_is_no_number_is_told(toy, rows):
    model, frame = toy(task="classification", target_kind="integer"), classes_of(rows(days=8))
    prediction = np.tile([0.4, 0.6], (len(frame), 1))
    prediction[5] = np.nan
    observation = observed(model, frame, prediction, classes=np.array([0, 1]))
    assert observation.finite == pytest.approx(1 - 1 / len(frame))
    assert math.isnan(observation.whole.value)


def test_a_class_that_was_never_predicted_counts_as_impossible(toy, rows):
    model = toy(task="classification", metric="accuracy", target_kind="integer")
    frame = classes_of(rows(days=8))
    prediction = np.tile([0.4, 0.6], (len(frame), 1))
    known = observed(model, frame, prediction, classes=np.array([0, 1])).whole.value
    third = frame.assign(y=frame["y"].where(frame.index != 3, 2))
    assert known - 1 / len(frame) <= observed(model, third, prediction, classes=np.array([0, 1])).whole.value <= known


def test_no_rows_and_no_labels_are_unknown(numbers):
    model, frame, prediction = numbers
    for unknown in (
        observed(model, frame.head(0), prediction[:0]),
        observed(model, frame.assign(y=np.nan), prediction),
    ):
        assert math.isnan(unknown.whole.value)
        assert (unknown.whole.rows, unknown.whole.blocks) == (0, 0)
        assert Observed.parse(unknown.dump()).whole.rows == 0
        assert (unknown.since is None) == (unknown.until is None) == (unknown.rows == 0)


def test_what_was_observed_comes_back_from_json(numbers):
    model, frame, prediction = numbers
    observation = observed(model, frame, prediction)
    assert Observed.parse(observation.dump()) == observation


def test_the_evidence_of_a_judging_is_what_a_window_is_held_against(numbers):
    model, frame, prediction = numbers
    evidence = evidences.compare(
        model, frame, frame["y"].to_numpy(), {"challenger": prediction, "dummy": prediction}, looks=2
    )
    observation, there = Observed.judged(evidence), observed(model, frame, prediction)
    # The evidence has the interval of a third evaluation, and the error of any.
    assert observation.whole.error == pytest.approx(there.whole.error)
    assert replace(observation, whole=there.whole) == replace(there, slices=[])
    assert replace(observation.whole, error=there.whole.error) == there.whole


@pytest.mark.parametrize("blocks", [0, 1, 2, 7])
def test_an_interval_takes_two_blocks_and_students_t(blocks):
    interval = Score(rows=700, blocks=blocks, value=10.0, error=0.5).interval(0.9)
    again = Score.of(interval, 0.9, rows=700, blocks=blocks)
    reach = 0.5 * student.ppf(0.95, blocks - 1) if blocks > 1 else math.nan
    assert [interval.value, interval.low, interval.high] == pytest.approx([10, 10 - reach, 10 + reach], nan_ok=True)
    assert again.error == pytest.approx(0.5 if blocks > 1 else math.nan, nan_ok=True)


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_periods_of_a_version_add_up(toy, rows, task):
    frame = rows(days=20)
    if task == "classification":
        frame = classes_of(frame)
    options = {"task": task, "estimator": {"regression": LinearRegression, "classification": LogisticRegression}[task]}
    model = toy(**options)
    estimator = fitting.fit(model, frame.head(200))
    whole = performance.realised(model, estimator, frame)
    parts = [performance.realised(model, estimator, part) for part in (frame.head(240), frame.iloc[240:])]
    empty = performance.realised(model, estimator, frame.head(0))
    assert performance.total(model, [*parts, empty]) == pytest.approx(whole.value)
    assert performance.by_month(model, parts) == {"2013-01": pytest.approx(whole.value)}
    assert performance.gain(model, parts, parts).value == 0
    assert performance.interval(model, parts).value == pytest.approx(whole.value)
    assert (empty.rows, empty.sums, empty.blocks) == (0, [], [])
    assert math.isnan(empty.value)
    other = performance.realised(model, fitting.fit(model, frame.tail(240)), frame.iloc[240:])
    alone = performance.gain(model, parts[1:], [other])
    assert performance.gain(model, [None, empty, parts[1]], [parts[0], empty, other]) == alone
    assert performance.gain(model, parts, [None, other]) == alone
    assert math.isnan(performance.gain(model, [None, empty], [parts[0], empty]).value)


def test_intervals_of_periods_are_those_of_their_rows_at_the_gates_level(numbers):
    model, frame, _ = numbers
    fits = [fitting.fit(model, frame.head(rows)) for rows in (100, 300)]
    first, second = (performance.realised(model, fit, frame) for fit in fits)
    score = observed(model, frame, fitting.predict(model, fits[0], frame)).whole.interval(1 - model.gates.alpha)
    assert list(vars(performance.interval(model, [first])).values()) == pytest.approx(list(vars(score).values()))
    gains = {level: performance.gain(model, [second], [first], level) for level in (None, 0.95, 0.5)}
    assert gains[None] == gains[0.95]  # of an alpha of 0.05
    ratio = (gains[0.5].high - gains[0.5].value) / (gains[0.95].high - gains[0.95].value)
    assert ratio == pytest.approx(student.ppf(0.75, 13) / student.ppf(0.975, 13))


def test_periods_that_do_not_match_have_no_gain(numbers):
    model, frame, _ = numbers
    whole = performance.realised(model, fitting.fit(model, frame), frame)
    with pytest.raises(ValueError, match="zip"):
        performance.gain(model, [whole, whole], [whole])


def test_the_error_is_that_of_the_bootstrap():
    metric, sums = named("mean_absolute_error"), np.column_stack([np.arange(1.0, 8), np.ones(7)])
    drawn = bootstrap.weights(7, 1000, seed=0)
    score = Score.of(bootstrap.score_interval(metric, sums, drawn, 0.9), 0.9, rows=7, blocks=7)
    assert score.error == pytest.approx(metric.finish(drawn @ sums).std(ddof=1) * math.sqrt(7 / 6))


def test_a_class_that_was_never_seen_in_training_is_scored_as_missed(toy, rows):
    model = toy(task="classification", estimator=LogisticRegression)
    frame = classes_of(rows(days=14))
    estimator = fitting.fit(model, frame)
    later = frame.assign(y=frame["y"].mask(frame.index % 4 == 0, 7))
    realised = performance.realised(model, estimator, later)
    known = performance.realised(model, estimator, later[later["y"] < 7])
    assert (realised.rows, len(realised.blocks)) == (336, 14)
    assert known.value < realised.value < math.inf
