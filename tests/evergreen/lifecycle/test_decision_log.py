"""The diary: who decided what, what stands of it, and what a person has heard already."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from evergreen.lake.delta_lake import DeltaLake
from evergreen.lake.lake import Bare, Lake
from evergreen.lifecycle import decision, decision_log
from evergreen.lifecycle.decision import Decision, State

NOW = pd.Timestamp("2013-03-01", tz="UTC")
STATE = State(as_of=NOW, wish="", last_trained=None, new_rows=0)
TOY = Bare("toy")
NULL, LATE = "x: 31% missing, 0% in the reference", "labels are overdue: 0% of the 350 rows from 2013-02-05 on have one"
DRIFT, WORSE = "(drift: x 0.31 over 0.04)", "(performance: 4.1 against a baseline of 2.1)"
FAILED = "3 trainings in a row failed; see their flow runs"
COOLING = "cooling down: trained {} ago, again after 4 days, since 2 in a row promoted no version"

Enter = Callable[..., Lake]


@pytest.fixture
def entered(tmp_path: Path) -> Enter:
    """Keep decisions of hours before now, given as hours, wish, action and reason."""

    def made(*past: tuple[int, str, str, str]) -> Lake:
        lake = DeltaLake(str(tmp_path))
        for hours, wish, action, reason in past:
            state = replace(STATE, as_of=NOW - pd.Timedelta(hours=hours), wish=wish)
            decision_log.record(lake, "toy", state, Decision(action, reason))
        return lake

    return made


FAR = "x: values far above the reference's range, by {} times its width"


def quality(*faults: str) -> str:
    return f"data quality: {'; '.join(faults)}"


@pytest.mark.parametrize(
    ("before", "now", "new"),
    [
        (quality(NULL), quality(NULL.replace("31%", "34%")), False),
        (quality(NULL), quality(LATE), True),
        (quality(NULL), quality(NULL, LATE), True),
        (quality(NULL, LATE), quality(LATE.replace("350 rows from 2013-02-05", "1,350 rows from 2013-02-06")), False),
        (quality(NULL.replace("x", "x1")), quality(NULL.replace("x", "x2")), True),
        (quality("no rows in the window"), quality("no rows in the window"), False),
        (quality(FAR.format("3e+06")), quality(FAR.format("1.5")), False),
        (quality(NULL), f"{COOLING.format('2 days')} {WORSE}", True),
        (f"{COOLING.format('2 days')} {WORSE}", f"{COOLING.format('36 hours')} {WORSE.replace('4.1', '4.3')}", False),
        (f"{COOLING.format('2 days')} {DRIFT}", f"{COOLING.format('2 days')} {WORSE}", True),
        (f"{FAILED} {DRIFT}", f"{FAILED.replace('3', '4')} {DRIFT.replace('0.31', '0.35')}", False),
        (FAILED, COOLING.format("2 days"), True),
        (f"{FAILED} (drift: x (left) 0.31 over 0.04)", f"{FAILED} (drift: x (right) 0.31 over 0.04)", False),
    ],
)
def test_an_alert_is_news_if_it_is_about_something_else_than_the_one_before(before, now, new):
    assert decision.news(Decision("alert", now), [before]) is new


@pytest.mark.parametrize(
    ("past", "wish", "told"),
    [
        ([], "", []),
        ([(2, "", "alert", "b"), (1, "", "nothing", "a")], "", ["a"]),
        ([(2, "", "alert", "b"), (1, "data", "nothing", "a")], "", ["b"]),
        ([(3, "drift x 0.3", "alert", "c"), (2, "schedule", "nothing", "b")], "drift x 0.4", ["c"]),
        ([(3, "drift x 0.3", "alert", "c"), (2, "drift x 0.3", "nothing", "b")], "drift x 0.4", ["b"]),
        ([(3, "drift x 0.3", "alert", "c"), (2, "schedule", "train", "b")], "drift x 0.4", ["b"]),
        ([(3, "data", "alert", "c"), (2, "", "alert", "b")], "data", ["b", "c"]),
        ([(0, "", "alert", "a")], "", []),
        ([(40, "", "alert", "old"), *((hours, "data", "nothing", "a") for hours in range(1, 25))], "", ["old"]),
    ],
    ids=["none", "last", "not asked by it", "another", "own", "tried since", "both", "the same moment", "long ago"],
)
def test_what_was_heard_is_the_last_of_a_monitor_and_for_a_flow_that_of_flows_too(entered, past, wish, told):
    lake = entered(*past)
    assert [entry.reason for entry in decision_log.already_notified(lake, TOY, replace(STATE, wish=wish))] == told


@pytest.mark.parametrize(
    ("past", "stands"),
    [
        ([], []),
        ([(2, "", "alert", "b"), (1, "schedule", "nothing", "a")], ["b"]),
        ([(2, "", "alert", "b"), (1, "schedule", "train", "a")], ["b", "a"]),
        ([(3, "", "alert", "c"), (2, "", "nothing", "b"), (1, "data", "nothing", "a")], ["a"]),
        ([(1, "", "alert", "a")], ["a"]),
        ([(2, "drift x 0.3", "alert", "b"), (1, "", "nothing", "a")], ["a"]),
        ([(30, "", "alert", "old"), *((hours, "data", "nothing", "a") for hours in range(1, 25))], ["old"]),
    ],
    ids=["none", "idle since", "trained since", "taken back", "newest", "of a flow", "long ago"],
)
def test_an_alert_of_the_monitor_stands_until_a_check_takes_it_back(entered, past, stands):
    assert [entry.reason for entry in decision_log.current(entered(*past), TOY)] == stands


def test_a_decision_is_read_as_it_was_recorded(entered):
    lake = entered((2, "drift: x 0.3", "train", "b"), (1, "", "alert", "a"))
    newest, before = decision_log.read(lake, TOY)
    assert (newest.model, newest.as_of, newest.asked) == ("toy", "2013-02-28T23:00:00+00:00", "monitor")
    assert (before.wish, before.action, before.reason, before.asked) == ("drift: x 0.3", "train", "b", "drift")
    assert before.state == json.loads(replace(STATE, as_of=NOW - pd.Timedelta(hours=2), wish="drift: x 0.3").dump())


@pytest.mark.parametrize(
    ("given", "reasons"),
    [
        ({}, ["a", "b", "c"]),
        ({"most": 2}, ["a", "b"]),
        ({"most": 1, "skip": 1}, ["b"]),
        ({"skip": 3}, []),
        ({"until": NOW - pd.Timedelta(hours=2)}, ["b", "c"]),
        ({"triggered": True}, ["b"]),
        ({"triggered": False}, ["a", "c"]),
        ({"until": NOW - pd.Timedelta(hours=2), "triggered": False}, ["c"]),
    ],
)
def test_the_newest_decisions_come_first_up_to_a_time_and_by_who_asked(entered, given, reasons):
    lake = entered((3, "", "nothing", "c"), (2, "data", "train", "b"), (1, "", "alert", "a"))
    assert [entry.reason for entry in decision_log.read(lake, TOY, **given)] == reasons


def test_one_decision_is_found_by_its_id(entered, tmp_path):
    lake = entered((2, "data", "train", "b"), (1, "", "alert", "a"))
    newest, before = decision_log.read(lake, TOY)
    assert decision_log.find(lake, TOY, before.id) == before
    assert newest.id != before.id
    assert decision_log.find(lake, TOY, "none") is None
    assert decision_log.find(DeltaLake(str(tmp_path / "empty")), TOY, before.id) is None


def test_what_was_decided_later_was_not_heard_before(entered):
    """As in a replay, or a run that repeats an earlier hour."""
    lake = entered((5, "", "alert", "e"), *((hours, "", "nothing", "later") for hours in (3, 2, 1)))
    past = replace(STATE, as_of=NOW - pd.Timedelta(hours=4))
    assert [entry.reason for entry in decision_log.already_notified(lake, TOY, past)] == ["e"]
