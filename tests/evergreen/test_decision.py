"""The decision: every wish against every state that a model can be in."""

import pandas as pd
import pytest

from evergreen import Policy
from evergreen.decision import Decision, State, decide

NOW = pd.Timestamp("2013-02-01", tz="UTC")
DAY = pd.Timedelta(days=1)
WEEKLY = Policy(every="7d", min_new_rows=100)
WISHES = ["demand", "schedule", "data", "drift", "performance"]
FEW = "99 newly labelled rows, at least 100 are asked for"
WAIT = "not due: trained 6 days ago, every 7 days"
YES = "the wish"  # the reason of a training is the wish itself

TABLE = {
    "first": (State(NOW, "", None, 0), dict.fromkeys(WISHES, "first training")),
    "first, with rows": (State(NOW, "", None, 1000), dict.fromkeys(WISHES, "first training")),
    "pending": (State(NOW, "", NOW, 0, pending=True), dict.fromkeys(WISHES, YES)),
    "nothing new": (State(NOW, "", NOW - 30 * DAY, 99), dict.fromkeys(WISHES, FEW)),
    "nothing new, young": (State(NOW, "", NOW - DAY, 99), dict.fromkeys(WISHES, FEW)),
    "young": (State(NOW, "", NOW - 6 * DAY, 100), dict.fromkeys(WISHES, YES) | {"schedule": WAIT}),
    "due": (State(NOW, "", NOW - 7 * DAY, 100), dict.fromkeys(WISHES, YES)),
}


@pytest.mark.parametrize("wish", WISHES)
@pytest.mark.parametrize("known", TABLE)
def test_a_wish_is_weighed(known, wish):
    state, answers = TABLE[known]
    asked = State(state.as_of, wish, state.last_trained, state.new_rows, state.pending)
    refused = answers[wish] in (FEW, WAIT)
    assert decide(asked, WEEKLY) == Decision(not refused, wish if answers[wish] == YES else answers[wish])


@pytest.mark.parametrize("wish", WISHES)
def test_without_a_rhythm_nothing_is_too_early(wish):
    assert decide(State(NOW, wish, NOW, 1), Policy()) == Decision(True, wish)


def test_a_rhythm_of_hours_is_told_in_hours():
    state = State(NOW, "schedule", NOW - pd.Timedelta(hours=3), 1000)
    assert decide(state, Policy(every="12h")).reason == "not due: trained 3 hours ago, every 12 hours"
