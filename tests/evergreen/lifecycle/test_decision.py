"""The decision: every wish against every state that a model can be in."""

import json
from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen import Policy
from evergreen.lifecycle.decision import Decision, State, decide, news

NOW = pd.Timestamp("2013-02-01", tz="UTC")
DAY = pd.Timedelta(days=1)
WEEKLY = Policy(every="7d", min_new_rows=100)
WISHES = ["demand", "schedule", "data", "drift", "performance"]
FEW = "99 newly labelled rows, at least 100 are required"
WAIT = "not due: trained 6 days ago, every 7 days"
YES = "the wish"  # the reason of a training is the wish itself

AUTOMATIC = ("data", "drift", "performance")
COOL = "cooling down: trained {} ago, again after {}"
YOUNG = {"schedule": "not due: trained 3 hours ago, every 7 days"}

TABLE = {
    "first": (State(NOW, "", None, 0), dict.fromkeys(WISHES, "first training")),
    "first, with rows": (State(NOW, "", None, 1000), dict.fromkeys(WISHES, "first training")),
    "pending": (State(NOW, "", NOW, 0, pending=True), dict.fromkeys(WISHES, YES)),
    "nothing new": (State(NOW, "", NOW - 30 * DAY, 99), dict.fromkeys(WISHES, FEW)),
    "nothing new, young": (State(NOW, "", NOW - DAY, 99), dict.fromkeys(WISHES, FEW)),
    "young": (State(NOW, "", NOW - 6 * DAY, 100), dict.fromkeys(WISHES, YES) | {"schedule": WAIT}),
    "due": (State(NOW, "", NOW - 7 * DAY, 100), dict.fromkeys(WISHES, YES)),
    "the last run was late": (State(NOW, "", NOW - 6.75 * DAY, 100), dict.fromkeys(WISHES, YES)),
    "just trained": (
        State(NOW, "", NOW - DAY / 8, 100),
        {"demand": YES} | YOUNG | dict.fromkeys(AUTOMATIC, COOL.format("3 hours", "24 hours")),
    ),
    "rejected once": (
        State(NOW, "", NOW - 36 * DAY / 24, 100, rejections=1),
        {"demand": YES, "schedule": "not due: trained 36 hours ago, every 7 days"}
        | dict.fromkeys(AUTOMATIC, COOL.format("36 hours", "2 days") + ", since 1 in a row promoted no version"),
    ),
    "rejected once, waited": (State(NOW, "", NOW - 7 * DAY, 100, rejections=1), dict.fromkeys(WISHES, YES)),
    "trained in the future": (State(NOW, "", NOW + 3650 * DAY, 100, rejections=1), dict.fromkeys(WISHES, YES)),
    "a training is running": (
        State(NOW, "", NOW - 9 * DAY, 100, running=True),
        dict.fromkeys(WISHES, "a training is running"),
    ),
}


@pytest.mark.parametrize("wish", WISHES)
@pytest.mark.parametrize("known", TABLE)
def test_a_wish_is_weighed(known, wish):
    state, answers = TABLE[known]
    decision = decide(replace(state, wish=wish), WEEKLY)
    trains = answers[wish] in (YES, "first training")
    assert decision == Decision("train" if trains else "nothing", wish if answers[wish] == YES else answers[wish])


@pytest.mark.parametrize("wish", WISHES)
def test_without_a_rhythm_nothing_is_too_early(wish):
    assert decide(State(NOW, wish, NOW, 1), Policy(cooldown="0h")) == Decision("train", wish)


@pytest.mark.parametrize("every", ["1h", "12h", "1d", "7d", "28d"])
def test_a_schedule_as_long_as_the_rhythm_trains_each_time_though_runs_start_late_and_no_shorter_one_does(every):
    policy = Policy(every=every)
    late = State(NOW, "schedule", NOW - policy.every + pd.Timedelta(seconds=90), 1000)
    assert decide(late, policy).train
    for shorter in (policy.every / 2, policy.every - DAY):
        if shorter > pd.Timedelta(0):
            assert not decide(replace(late, last_trained=NOW - shorter), policy).train


def test_a_rhythm_of_hours_is_told_in_hours():
    state = State(NOW, "schedule", NOW - pd.Timedelta(hours=3), 1000)
    assert decide(state, Policy(every="12h")).reason == "not due: trained 3 hours ago, every 12 hours"


CALM = State(NOW, "", NOW - 20 * DAY, 1000, champion="3")
DRIFT, WORSE, BAD = ("x 0.31 of 0.1",), "mae 9.1 against 7.0", ("x: 40 % missing",)

SEEN = {
    "estimates are not trusted": ({"foreseen": "9.1"}, "nothing", "no drift, no loss of performance"),
    "all quiet": ({}, "nothing", "no drift, no loss of performance"),
    "no champion": ({"champion": "", "drift": DRIFT}, "nothing", "there is no champion yet"),
    "drift": ({"drift": DRIFT}, "train", "drift: x 0.31 of 0.1"),
    "worse": ({"performance": WORSE}, "train", "performance: mae 9.1 against 7.0"),
    "worse and drift": ({"performance": WORSE, "drift": DRIFT}, "train", "performance: mae 9.1 against 7.0"),
    "bad data": ({"quality": BAD}, "alert", "data quality: x: 40 % missing"),
    "drift of two columns": ({"drift": (*DRIFT, "y 0.2 of 0.1")}, "train", "drift: x 0.31 of 0.1; y 0.2 of 0.1"),
    "bad data, and nothing new to train on": (
        {"quality": BAD, "drift": ("x",), "new_rows": 0},
        "alert",
        "data quality: x: 40 % missing",
    ),
    "not judged, and nothing new to train on": (
        {"unjudged": ("performance, unknown for 45 days",), "drift": ("x",), "new_rows": 0},
        "alert",
        "not judged: performance, unknown for 45 days",
    ),
    "two faults": ({"quality": (*BAD, "late")}, "alert", "data quality: x: 40 % missing; late"),
    "not judged": (
        {"unjudged": ("performance, unknown for 45 days", "drift, unknown for 90 days")},
        "alert",
        "not judged: performance, unknown for 45 days; not judged: drift, unknown for 90 days",
    ),
    "bad data, and not judged": (
        {"quality": BAD, "unjudged": ("performance, unknown for 45 days",)},
        "alert",
        "data quality: x: 40 % missing; not judged: performance, unknown for 45 days",
    ),
    "worse, and drift not judged": (
        {"performance": WORSE, "unjudged": ("drift, unknown for 90 days",)},
        "train",
        "performance: mae 9.1 against 7.0",
    ),
    "drift without new labels": (
        {"drift": DRIFT, "new_rows": 0},
        "nothing",
        "0 newly labelled rows, at least 1 are required (drift: x 0.31 of 0.1)",
    ),
    "rejected once": (
        {"drift": DRIFT, "rejections": 1, "last_trained": NOW - DAY},
        "nothing",
        "cooling down: trained 24 hours ago, again after 2 days, since 1 in a row promoted no version"
        " (drift: x 0.31 of 0.1)",
    ),
    "rejected twice": (
        {"drift": DRIFT, "rejections": 2, "last_trained": NOW - 3 * DAY},
        "alert",
        "cooling down: trained 3 days ago, again after 4 days, since 2 in a row promoted no version"
        " (drift: x 0.31 of 0.1)",
    ),
    "waited as long as six rejections ask": (
        {"drift": DRIFT, "rejections": 9, "last_trained": NOW - 64 * DAY},
        "train",
        "drift: x 0.31 of 0.1",
    ),
    "rejected again and again": (
        {"drift": DRIFT, "rejections": 9, "last_trained": NOW - 63 * DAY},
        "alert",
        "cooling down: trained 63 days ago, again after 64 days, since 9 in a row promoted no version"
        " (drift: x 0.31 of 0.1)",
    ),
    "two trainings failed": ({"drift": DRIFT, "failures": 2}, "train", "drift: x 0.31 of 0.1"),
    "trainings fail": (
        {"drift": DRIFT, "failures": 3},
        "alert",
        "3 trainings in a row failed; see their flow runs (drift: x 0.31 of 0.1)",
    ),
    "the one before was better": (
        {"predecessor": "+1.2 [0.3, 2.1]", "performance": WORSE},
        "roll back",
        "the version before the champion does better: +1.2 [0.3, 2.1]",
    ),
}


@pytest.mark.parametrize("case", SEEN)
def test_what_a_monitor_sees_is_weighed(case):
    changes, action, reason = SEEN[case]
    assert decide(replace(CALM, **changes), Policy()) == Decision(action, reason)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, ""),
        ({"drift": DRIFT, "new_rows": 0}, "Drift"),
        ({"drift": DRIFT, "performance": WORSE, "running": True}, "A loss of performance"),
        ({"foreseen": "9.1"}, "An estimated loss of performance"),
        ({"quality": BAD}, "A fault of the data"),
    ],
)
def test_what_was_found_is_kept_whatever_is_done_about_it(changes, found):
    assert decide(replace(CALM, **changes), Policy()).found == found


@pytest.mark.parametrize("performance", ["", WORSE])
def test_what_labels_tell_weighs_more_than_an_estimate(performance):
    state = replace(CALM, performance=performance, foreseen="estimated 9.1")
    assert decide(state, Policy(estimated=True)).reason == f"performance: {performance or 'estimated 9.1'}"


STATES = st.builds(
    State,
    as_of=st.just(NOW),
    wish=st.sampled_from(["", *WISHES, "drift: x", "performance: y"]),
    last_trained=st.none() | st.integers(0, 400).map(lambda days: NOW - days * DAY),
    new_rows=st.integers(0, 500),
    pending=st.booleans(),
    rejections=st.integers(0, 12),
    failures=st.integers(0, 5),
    running=st.booleans(),
    champion=st.sampled_from(["", "3"]),
    drift=st.sampled_from([(), DRIFT]),
    performance=st.sampled_from(["", WORSE]),
    quality=st.sampled_from([(), BAD]),
)


@given(STATES)
def test_bad_data_alone_never_trains_and_never_keeps_a_training_back(state):
    clean = decide(replace(state, quality=()), WEEKLY)
    decision = decide(replace(state, quality=BAD), WEEKLY)
    assert decision.train == clean.train


@given(STATES)
def test_nobody_trains_twice_on_the_same_rows(state):
    after = replace(state, last_trained=state.as_of, new_rows=0, pending=False)
    assert not decide(after, WEEKLY).train


@given(STATES, st.integers(0, 400))
def test_one_who_would_train_now_would_train_later_too(state, days):
    """Waiting ends: with time, and with nothing else changed, no wish is turned down that was granted."""
    if decide(state, WEEKLY).train:
        assert decide(replace(state, as_of=state.as_of + days * DAY), WEEKLY).train


NOT_JUDGED = "not judged: performance, unknown for {} since 2013-02-05. Found: {}"
FEW, NO_DELAY = "30 labelled rows in 3 blocks, at least 100 and 5 are required", "the label delay is not known yet"


@pytest.mark.parametrize(
    ("reason", "new"),
    [
        (NOT_JUDGED.format("46 days", FEW), False),
        (NOT_JUDGED.format("46 days", NO_DELAY), False),
        (f"{NOT_JUDGED.format('46 days', FEW)}; not judged: drift, unknown for 90 days", True),
        (f"data quality: x: 31% missing; {NOT_JUDGED.format('46 days', FEW)}", True),
    ],
)
def test_what_is_not_judged_is_told_once_whatever_is_missing_today(reason, new):
    assert news(Decision("alert", reason), [NOT_JUDGED.format("45 days", FEW)]) is new


def test_a_data_fault_that_ends_leaves_what_is_not_judged_no_news():
    both = f"data quality: x: 31% missing; {NOT_JUDGED.format('45 days', FEW)}"
    assert not news(Decision("alert", NOT_JUDGED.format("46 days", FEW)), [both])


def test_a_state_is_kept_as_json():
    stored = json.loads(replace(CALM, drift=DRIFT).dump())
    assert (stored["as_of"], stored["drift"], stored["champion_age"]) == (str(NOW), list(DRIFT), None)
