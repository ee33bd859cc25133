"""What moved between training rows and holdout: which columns, by how much, when, and nothing that is private."""

import numpy as np
import pandas as pd
import pytest

from evergreen import Serving, TimePart
from evergreen.drift.movement import Movement, change_point, movements

TURN = pd.Timestamp("2013-01-25", tz="UTC")


@pytest.fixture
def turned(rows):
    """Sixty days, the last ten held out: y is 5 more since the turn, and most rows are of group b."""
    frame = rows(60)
    later = frame["at"] >= TURN
    frame["y"] += 5 * later
    frame.loc[later & (np.arange(len(frame)) % 4 > 0), "group"] = "b"
    edge = pd.Timestamp("2013-02-20", tz="UTC")
    return frame[frame["at"] < edge], frame[frame["at"] >= edge]


WITH_GROUP = {"features": {"x": "number", "group": "category"}, "extra": {}}


def test_the_columns_that_moved_come_first_with_what_they_hold_and_when_they_changed(toy, turned):
    found = movements(toy(**WITH_GROUP), *turned)
    assert [movement.column for movement in found] == ["y", "group", "x"]
    target, group, other = found
    assert (target.changed, group.changed) == ("2013-01-25", "2013-01-25")
    assert [target.before, target.after] == [f"mean {part['y'].mean():.3g}" for part in turned]
    assert [group.before, group.after] == [f"{(part['group'] == 'b').mean():.0%} b" for part in turned]
    assert target.distance > group.distance > 0.1 > other.distance


def test_a_column_that_did_not_move_lies_under_its_threshold(toy, rows):
    frame = rows(60)
    (target, feature) = movements(toy(), frame[:1200], frame[1200:])
    for movement in (target, feature):
        assert movement.distance < movement.threshold < 1
        assert f"distance {movement.distance:.3f} under {movement.threshold:.3f}" in movement.phrase


def test_no_value_of_a_private_column_or_a_key_is_given(toy, turned):
    private = toy(**WITH_GROUP, serving=Serving(private={"group": "hash"}))
    shown = {movement.column: (movement.before, movement.after) for movement in movements(private, *turned)}
    assert shown["group"] == ("", "")
    assert shown["y"] != ("", "")


def test_what_follows_from_the_time_is_left_out(toy, turned):
    hour = {"features": {"x": "number", "hour": "number"}, "parsing": {"hour": TimePart(part="hour", column="at")}}
    frames = [frame.assign(hour=number) for number, frame in enumerate(turned)]
    assert [movement.column for movement in movements(toy(**hour), *frames)] == ["y", "x"]


@pytest.mark.parametrize("held_out", [1, 5, 12])
def test_holdouts_within_one_unit_are_compared_too(toy, rows, held_out):
    frame = rows(1)
    found = movements(toy(), frame[:-held_out], frame[-held_out:])
    assert {movement.changed for movement in found} == {"2013-01-01"}


def test_gaps_belong_to_data_quality(toy, turned):
    train, holdout = turned
    holdout = holdout.assign(x=np.where(np.arange(len(holdout)) % 2, holdout["x"], np.nan))
    assert movements(toy(), train, holdout)[-1].column == "x"


def test_classes_are_counted_one_by_one(toy, turned):
    frames = [frame.assign(y=(frame["y"] > 3).astype(int)) for frame in turned]
    target = movements(toy(task="classification", target_kind="integer"), *frames)[0]
    assert (target.column, target.changed) == ("y", "2013-01-25")


def test_the_change_point_parts_the_counts_where_they_differ_most():
    counts = np.array([[30, 10]] * 7 + [[11, 29]] * 13)
    assert change_point(counts) == 7
    assert change_point(np.array([[5, 0], [0, 5]])) == 1


def test_a_threshold_that_no_distance_reaches_is_not_shown():
    assert Movement("x", 0.5, float("inf"), "2013-01-25").phrase == "x: distance 0.500; it changed most on 2013-01-25"
    assert Movement("x", 0.5, 2.5, "2013-01-25").phrase == "x: distance 0.500; it changed most on 2013-01-25"
