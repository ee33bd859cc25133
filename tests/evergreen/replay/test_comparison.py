"""The answer of a replay: figures of each policy, who was wrong, and which one to take."""

import math
import re
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from evergreen import Gates
from evergreen import Training as How
from evergreen.evaluation.bootstrap import Interval
from evergreen.evaluation.performance import Realised
from evergreen.replay import comparison
from evergreen.replay.hindsight import BEST_WINDOW
from evergreen.replay.policies import ORACLE
from evergreen.replay.run import Plan, PolicyRun, PolicyTraining, Step, earliest

START = pd.Timestamp("2013-03-01", tz="UTC")
WEEKS = 12
PLAN = Plan("toy", START, START + timedelta(weeks=WEEKS), pd.Timedelta(days=7))
ROWS = 50


def realised(error, step):
    """A week whose mean absolute error is about this, a little more or less by day."""
    noise = np.random.default_rng(step).normal(scale=0.05, size=7)
    sums = [[ROWS * (error + day), ROWS] for day in noise]
    blocks = [(PLAN.step_starts[step] + timedelta(days=day, hours=3)).isoformat() for day in range(7)]
    return Realised(7 * ROWS, error + float(noise.mean()), sums, blocks)


def walk(name, errors, trainings=(), seconds=10.0, **more):
    steps = [
        Step(at.isoformat(), str(place // 4), "nothing", "", None if math.isnan(error) else realised(error, place))
        for place, (at, error) in enumerate(zip(PLAN.step_starts, errors, strict=True))
    ]
    return PolicyRun(name, steps, list(trainings), seconds=seconds, **more)


def training(step=1, wish="schedule", decision="promote", moved=True, gain=(1.0, 0.5, 1.5)):
    return PolicyTraining(step, wish, "1", "2", decision, moved, Interval(*gain))


@pytest.fixture
def model(toy):
    return toy(gates=Gates(floor=5.0, margin=0.1))


def answered(model, *walks, **more):
    lines = {walk.name: "" if walk.name in (ORACLE, "mine") else f"lines of {walk.name}" for walk in walks}
    return comparison.compare(model, PLAN, walks, lines, **more)


NEVER = walk("never", [2.0] * 4 + [6.0] * 8, seconds=1)
BEST = walk(ORACLE, [2.0] * 5 + [2.2] * 7, seconds=100)


def test_the_figures_of_a_policy(model):
    trainings = [
        training(),
        training(2, "drift", "reject", moved=False, gain=(0.0, -0.3, 0.3)),
        training(3, "performance", "comeback", gain=(-1.0, -1.5, -0.5)),
        training(4, "performance", "not enough evidence", moved=False),
        training(5, "schedule", "failed: it raised", moved=False),
    ]
    own = walk("own", [2.0] * 4 + [6.0] + [2.5] * 7, trainings, rollbacks=1)
    result = answered(model, NEVER, own, BEST, price=36.0, changed=START + timedelta(weeks=4)).result("own")
    assert result.mean == pytest.approx(sum([2.0] * 4 + [6.0] + [2.5] * 7) / 12, abs=0.02)
    assert result.low < result.mean < result.high
    assert result.over_never.value == pytest.approx(3.5 * 7 / 12, abs=1e-9)
    assert result.regret.value == pytest.approx((4 + 0.3 * 7) / 12, abs=1e-9)
    assert result.gain_share == pytest.approx(3.5 * 7 / (4 + 3.8 * 7))
    assert result.worst_week == pytest.approx(6.0, abs=0.1)
    assert result.worst_week_ratio == pytest.approx(6 / 2.2, rel=0.05)
    assert result.days_below_floor == 7
    counts = (
        result.trainings,
        result.promotions,
        result.rejections,
        result.undecided,
        result.comebacks,
        result.failures,
    )
    assert counts == (5, 1, 1, 1, 1, 1)
    assert (result.rollbacks, result.wrong_promotions, result.alarms, result.false_alarms) == (1, 1, 3, 2)
    assert (result.cpu_seconds, result.money) == (10.0, 0.1)
    assert result.moves == [PLAN.step_starts[4].isoformat(), PLAN.step_starts[8].isoformat()]
    assert len(result.series) == WEEKS


@pytest.mark.parametrize(
    ("errors", "days"),
    [
        ([2.0] * 5 + [2.2] * 7, 0),
        ([2.0] * 4 + [6.0] * 2 + [2.3] * 6, 14),
        ([2.0] * 4 + [6.0, 2.2, 6.0, 2.2] + [2.2] * 4, 21),  # once is chance
        ([2.0] * 4 + [6.0] * 8, None),
    ],
)
def test_recovery_is_told_from_a_known_change_on(model, errors, days):
    comparison = answered(model, walk("own", errors), BEST, changed=START + timedelta(weeks=4))
    assert comparison.result("own").recovery_days == days
    assert answered(model, walk("own", errors), BEST).result("own").recovery_days is None


def test_no_share_of_a_gain_that_there_is_not(model):
    comparison = answered(model, NEVER, walk("own", [2.0] * 12), walk(ORACLE, [2.0] * 4 + [6.0] * 8))
    assert comparison.result("own").gain_share is None


def test_a_step_that_was_not_answered_is_told_and_compared_with_nobody(model):
    own = walk("own", [2.0] * 11 + [math.nan])
    result = answered(model, own, BEST).result("own")
    assert (result.unanswered, len(result.series)) == (1, 11)
    assert result.regret.value == pytest.approx(-0.2 * 6 / 11, abs=1e-9)


def test_a_policy_that_ended_early_is_compared_with_nobody(model):
    broken = PolicyRun("mine", NEVER.steps[:3], problem="The policy mine raised.")
    comparison = answered(model, NEVER, broken, BEST)
    assert (comparison.result("mine").problem, math.isnan(comparison.result("mine").mean)) == (
        "The policy mine raised.",
        True,
    )
    assert comparison.recommended == "never"


@pytest.mark.parametrize(
    ("others", "chosen"),
    [
        ([walk("a", [2.0] * 12, seconds=50), walk("b", [2.1] * 12, seconds=20)], "b"),  # within a tenth, and cheaper
        ([walk("a", [2.0] * 12, seconds=50), walk("b", [2.6] * 12, seconds=20)], "a"),
        ([walk("a", [2.0] * 12, seconds=20), walk("b", [2.1] * 12, seconds=50)], "a"),
        ([walk("a", [9.0] * 12, seconds=1)], "never"),
    ],
)
def test_the_cheapest_that_is_proven_to_be_as_good_is_recommended(model, others, chosen):
    comparison = answered(model, NEVER, *others, BEST)
    assert comparison.recommended == chosen
    assert chosen in comparison.reason


@pytest.mark.parametrize(
    "better", [walk("mine", [1.0] * 12), walk(ORACLE, [1.0] * 12), walk("a", [1.0] * 11 + [math.nan])]
)
def test_what_no_file_can_say_or_did_not_answer_is_not_recommended(model, better):
    assert answered(model, walk("b", [2.0] * 12), better).recommended == "b"
    assert answered(model, better).recommended == ""


def test_what_is_too_noisy_to_be_proven_is_not_recommended(model):
    wild = walk("b", [0.3, 4.0] * 6, seconds=1)  # a little worse on average, and nobody can tell
    assert answered(model, walk("a", [2.0] * 12, seconds=50), wild, BEST).recommended == "a"


def test_a_score_that_should_be_high_is_turned_round(toy):
    from evergreen.definition.metrics import mean_of

    correct = mean_of("correct", lambda target, made: made, greater_is_better=True)
    model = toy(metric=correct, gates=Gates(floor=0.5))
    good, bad = walk("good", [0.9] * 12), walk("never", [0.9] * 6 + [0.2] * 6)
    comparison = answered(model, good, bad, walk(ORACLE, [0.95] * 12))
    assert comparison.recommended == "good"
    assert comparison.result("never").days_below_floor == 42
    assert comparison.result("never").worst_week == pytest.approx(0.2, abs=0.1)
    assert comparison.result("never").worst_week_ratio > 3


def test_each_training_says_whether_it_was_right_and_when_it_was_taken_back(model):
    trainings = [
        training(1),
        training(4, "drift", gain=(-1.0, -1.5, -0.5)),
        training(9, "performance", "reject", moved=False, gain=(0.1, -0.2, 0.4)),
    ]
    own = walk("own", [2.0] * 12, trainings)  # whose champion changes at steps 4 and 8
    steps = [replace(step, action="roll back") if place == 8 else step for place, step in enumerate(own.steps)]
    asked = answered(model, NEVER, replace(own, steps=steps)).result("own").asked
    at = [start.isoformat() for start in PLAN.step_starts]
    assert [(one.at, one.trigger, one.moved, one.found, one.until, one.taken_back) for one in asked] == [
        (at[1], "schedule", True, "better", at[4], False),
        (at[4], "drift", True, "worse", at[8], True),
        (at[9], "performance", False, "not told apart", "", False),
    ]


def test_a_policy_is_held_against_those_that_know_the_future(model):
    knowing = walk(BEST_WINDOW, [1.0] * 12)
    found = answered(model, NEVER, walk("own", [2.0] * 12), knowing, BEST)
    there = found.result("own").against[BEST_WINDOW]
    assert found.knowing == [BEST_WINDOW]
    assert there.regret.value == pytest.approx(1.0)
    assert there.share == pytest.approx((4 * 0 + 8 * 4) / (4 * 1 + 8 * 5))
    assert answered(model, NEVER, BEST).result("never").against == {}


@pytest.mark.parametrize(
    ("window", "errors", "line", "said"),
    [
        ("28d", [1.0] * 12, 'Training(window="auto")', "56d was best .* ahead of the model file's. The record finds"),
        ("auto", [1.0] * 12, "", "56d was best .* ahead of the model file's, which is chosen by the record"),
        ("28d", [2.0] * 5 + [2.2] * 7, "", "not told apart from the model file's"),
    ],
)
def test_the_windows_say_something_about_the_model_file(toy, window, errors, line, said):
    model = toy(training=How(window=window, holdout="7d"))
    windows = {"all": walk("all", [5.0] * 12), "56d": walk("56d", errors)}
    found = answered(model, NEVER, BEST, windows=windows)
    assert [one.name for one in found.windows] == ["all", "56d"]
    assert re.search(said, found.window_advice)
    assert found.window_lines == line
    assert answered(model, NEVER, BEST).window_advice == ""


def test_a_walk_is_read_as_it_was_written():
    own = walk("own", [2.0] * 11 + [math.nan], [training(gain=(1.0, math.nan, math.nan))])
    assert PolicyRun.parse(own.dump()).dump() == own.dump()


def test_the_first_training_has_its_window_and_holdout_behind_it(toy):
    first = pd.Timestamp("2013-01-01 10:00", tz="UTC")
    assert earliest(toy(training=How(window="21d", holdout="7d")), first) == pd.Timestamp("2013-01-30", tz="UTC")
    assert earliest(toy(training=How(holdout="7d")), first) == pd.Timestamp("2013-02-06", tz="UTC")
