"""Degradation: judged beyond chance and tolerance, at the rate of false alarms that is stated, and never by a NaN."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen import Gates, Monitoring
from evergreen.definition.metrics import named
from evergreen.evaluation.performance import Observed, Part, Score
from evergreen.monitoring.degradation import Decline, declines, degraded, estimated_degradation, widening
from evergreen.monitoring.estimation import past_error

MAE, AUC = named("mean_absolute_error"), named("roc_auc")
GATES, MONITORING = Gates(margin=0.01), Monitoring()


def seen(value=10.0, error=0.2, blocks=7, rows=700, slices=(), **changes):
    given = {"since": None, "until": None, "rows": rows, "labelled": 1.0, "mature": True, "finite": 1.0}
    return Observed(**given | changes, whole=Score(rows, blocks, value, error), slices=list(slices))


def judged(now, then=None, metric=MAE, **settings):
    return degraded(
        now, declines(metric, now, then or seen()), GATES, settings.pop("monitoring", MONITORING), **settings
    )


@pytest.mark.parametrize(
    ("now", "state"),
    [
        (seen(10.0), "holds"),
        (seen(9.0), "holds"),
        (seen(10.5), "holds"),
        (seen(12.5), "degraded"),
        (seen(12.5, error=3.0), "holds"),
        (seen(12.5, mature=False), "unknown"),
        (seen(12.5, rows=99), "unknown"),
        (seen(12.5, blocks=4), "unknown"),
        (seen(rows=0, blocks=0, value=math.nan), "unknown"),
        (seen(math.nan), "unknown"),
        (seen(12.5, error=math.nan), "unknown"),
        (seen(math.nan, finite=0.99), "degraded"),
        (seen(math.nan, finite=0.99, mature=False), "degraded"),
        (seen(math.inf), "unknown"),
    ],
    ids=[
        *["alike", "better", "worse by chance", "worse", "worse but who knows", "not mature", "few rows", "few blocks"],
        *["no rows", "no value", "no error", "predictions are no numbers", "also before labels come", "infinite"],
    ],
)
def test_what_follows_from_a_window(now, state):
    result = judged(now)
    assert result.state == state
    assert result.reason


@pytest.mark.parametrize("then", [seen(math.nan), seen(error=math.nan), seen(blocks=0), seen(blocks=1)])
def test_a_judging_that_is_not_known_holds_nothing(then):
    assert judged(seen(12.5), then).state == "unknown"


@pytest.mark.parametrize(
    ("metric", "value", "state"), [(AUC, 0.6, "degraded"), (AUC, 0.95, "holds"), (MAE, 0.6, "holds")]
)
def test_worse_is_what_the_metric_says(metric, value, state):
    assert judged(seen(value, error=0.01), seen(0.8, error=0.01), metric).state == state


@pytest.mark.parametrize(
    ("now", "suspicion", "suspected"),
    [
        (seen(12.6, error=3.0), 0.25, True),
        (seen(12.4, error=3.0), 0.25, False),
        (seen(12.6, error=3.0), None, False),
        (seen(12.6), 0.25, False),
        (seen(12.6, error=3.0, rows=99), 0.25, False),
        (seen(12.6, error=3.0, mature=False), 0.25, False),
        (seen(math.nan), 0.25, False),
    ],
    ids=["within chance", "too little", "nobody asks", "proven", "few rows", "not mature", "no value"],
)
def test_what_chance_may_explain_is_suspected_from_a_share_on(now, suspicion, suspected):
    assert bool(judged(now, suspicion=suspicion).suspected) == suspected


@pytest.mark.parametrize(
    ("metric", "estimated", "error", "past", "worse"),
    [
        (MAE, 11.0, 0.2, [], True),
        (MAE, 10.3, 0.2, [], False),
        (MAE, 9.0, 0.2, [], False),
        (MAE, 11.0, 0.2, [(10.0, 10.6)], False),
        (MAE, 10.09, 0.01, [], False),
        (MAE, math.nan, 0.2, [], False),
        (MAE, 11.0, math.nan, [], False),
        (AUC, 9.0, 0.2, [], True),
        (AUC, 11.0, 0.2, [], False),
    ],
    ids=[
        *["worse", "by chance", "better", "estimates were off as far", "tolerated", "no estimate", "no error"],
        *["a score falls", "a score rises"],
    ],
)
def test_an_estimate_is_worse_beyond_what_it_is_off_by(metric, estimated, error, past, worse):
    estimated_loss = estimated_degradation(metric, estimated, Score(700, 7, 10.0, error), past_error(past), GATES)
    assert bool(estimated_loss) == worse


def test_what_the_gates_tolerate_is_no_degradation():
    now = seen(12.5)
    parts = declines(MAE, now, seen())
    assert degraded(now, parts, Gates(margin=0.2), MONITORING).state == "holds"


def test_fewer_false_alarms_and_more_windows_ask_for_more_evidence():
    now = seen(11.7)
    assert judged(now).state == "degraded"
    assert judged(now, windows=20).state == "holds"
    assert judged(now, monitoring=Monitoring(false_alarms=0.05)).state == "holds"


def test_a_slice_is_told_beside_and_does_not_make_the_state():
    def sliced(value):
        return seen(
            slices=[Part("origin", "JFK", Score(300, 7, value, 0.2)), Part("origin", "EWR", Score(300, 7, 10, 0.2))]
        )

    result = judged(sliced(14.0), sliced(10.0))
    assert (result.state, result.slices) == ("holds", ["origin JFK"])
    assert judged(sliced(math.nan), sliced(10.0)).slices == []
    assert judged(sliced(14.0), seen()).slices == []  # the judging did not know it


@given(st.integers(2, 60), st.floats(0, 0.8))
def test_dependence_only_widens(blocks, neighbours):
    assert widening(blocks, neighbours) >= 1 - 1e-9
    assert widening(blocks, 0.0) == 1


@given(st.floats(0.001, 0.4), st.floats(-5, 5))
def test_surer_is_less(chance, worse):
    decline = Decline("", "", 10.0, 10.0 + worse, worse, 0.5, 12)
    assert decline.least(chance / 2) < decline.least(chance) < worse + 1e-9


def days(random, count, neighbours, spread=0.15):
    """Scores of days: their mean 1, weekends better, neighbours alike."""
    effects = np.empty(count)
    effect = random.normal()
    for day in range(count):
        effect = neighbours * effect + math.sqrt(1 - neighbours**2) * random.normal()
        effects[day] = effect
    return 1 + spread * effects - 0.05 * (np.arange(count) % 7 >= 5)


def window(scores):
    return seen(float(scores.mean()), float(scores.std(ddof=1) / math.sqrt(len(scores))), blocks=len(scores))


@pytest.mark.long
@pytest.mark.parametrize(("neighbours", "holdout"), [(0.0, 7), (0.0, 21), (0.3, 7), (0.3, 21)])
def test_a_steady_stream_is_called_degraded_at_most_as_often_as_is_stated(neighbours, holdout):
    # The mean number in a year of dependent checks is that of 365 checks apart, which needs fewer draws.
    random = np.random.default_rng(0)
    alarms, checks = 0, 4000
    for _ in range(checks):
        scores = days(random, holdout + 8, neighbours)
        alarms += judged(window(scores[-7:]), window(scores[:holdout])).state == "degraded"
    assert 365 * alarms / checks <= MONITORING.false_alarms


@pytest.mark.parametrize(("factor", "least"), [(1.3, 0.25), (1.6, 0.8), (2.0, 0.95)])
def test_a_real_decline_is_found_in_one_window(factor, least):
    random = np.random.default_rng(1)
    count = 0
    for _ in range(200):
        scores = days(random, 29, 0.3, spread=0.1)
        count += judged(window(factor * scores[22:]), window(scores[:21])).state == "degraded"
    assert count / 200 >= least


def test_a_reason_names_both_values():
    assert judged(seen(12.5)).reason.startswith("12.5 against a baseline of 10; worse by 2.5")
    assert judged(replace(seen(12.5), mature=False, labelled=0.31)).reason == (
        "labels are not mature: 31.0% of 700 rows are labelled"
    )
