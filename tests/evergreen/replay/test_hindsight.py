"""Training windows at every step, compared in hindsight."""

from datetime import timedelta

import pandas as pd
import pytest

from evergreen import Gates
from evergreen.evaluation.performance import Realised
from evergreen.replay import hindsight
from evergreen.replay.hindsight import WindowScores
from evergreen.replay.run import Plan

START = pd.Timestamp("2013-03-01", tz="UTC")
PLAN = Plan("toy", START, START + timedelta(weeks=3), pd.Timedelta(days=7))


def scored(**losses):
    """The windows at one step, by their mean absolute errors; `w28d` for one of 28 days."""
    named = {name.removeprefix("w"): loss for name, loss in losses.items()}
    return WindowScores(
        {name: Realised(10, loss, [[10 * loss, 10]], [START.isoformat()]) for name, loss in named.items()}, 1.0
    )


STEPS = [scored(all=3.0, w56d=2.0), scored(all=1.0, w56d=2.0, w28d=4.5), scored(all=3.0, w56d=2.5, w28d=1.0)]


@pytest.fixture
def model(toy):
    return toy(gates=Gates())


def values(run):
    return [step.scored.value for step in run.steps]


def test_one_window_is_best_over_all_steps_and_another_in_each(model):
    assert values(hindsight.best_window(model, PLAN, STEPS)) == [2.0, 2.0, 2.5]
    assert values(hindsight.each_window(model, PLAN, STEPS)) == [2.0, 1.0, 1.0]


def test_a_score_is_best_where_it_is_highest(toy):
    from evergreen.definition.metrics import mean_of

    model = toy(metric=mean_of("correct", lambda target, made: made, greater_is_better=True))
    assert values(hindsight.best_window(model, PLAN, STEPS)) == [2.0, 4.5, 1.0]
    assert values(hindsight.each_window(model, PLAN, STEPS)) == [3.0, 4.5, 3.0]


def test_a_window_that_cannot_be_fitted_is_the_next_longer_one(model):
    runs = hindsight.by_window(model, PLAN, STEPS)
    assert list(runs) == ["all", "56d", "28d"]
    assert values(runs["28d"]) == [2.0, 4.5, 1.0]
    assert [step.champion for step in runs["28d"].steps] == ["28d"] * 3


def test_a_step_in_which_nothing_can_be_trained_has_no_score(model):
    runs = hindsight.by_window(model, PLAN, [WindowScores({}, 0.0), *STEPS[1:]])
    assert runs["all"].steps[0].scored is None
    assert hindsight.each_window(model, PLAN, [WindowScores({}, 0.0), *STEPS[1:]]).steps[0].scored is None


def test_scores_are_read_as_they_were_written():
    assert WindowScores.parse(STEPS[1].dump()) == STEPS[1]
