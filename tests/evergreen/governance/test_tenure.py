"""Which version answered when, from the acts of the audit log."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.governance.tenure import answered, tenures
from evergreen.lake.audit_log import Line

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)


def line(number, act, subject, hours, **detail):
    at = (BEGIN + timedelta(hours=hours)).isoformat()
    return Line("toy", number, at, at, act, subject, "", "", json.dumps(detail), "", "", "")


LOG = [
    line(1, "ingest", "b1", 0),
    line(2, "promotion", "1", 1),
    line(3, "challenge", "2", 2, answers="10% of the requests"),
    line(4, "promotion", "2", 4),
    line(5, "challenge", "3", 5, answers="in the shadow"),
    line(6, "rollback", "1", 6, reason="complaints"),
    line(7, "retirement", "1", 8, reason="no use", undone=False),
    line(8, "retirement", "1", 10, reason="a use", undone=True),
]


@pytest.mark.parametrize(
    ("hours", "version", "canary"),
    [
        (0.5, None, ""),
        (1, "1", ""),
        (3, "1", "2"),
        (4, "2", ""),
        (5.5, "2", ""),
        (6, "1", ""),
        (9, "", ""),
        (99, "1", ""),
    ],
)
def test_what_answered_is_the_version_of_the_last_act_before(hours, version, canary):
    found = answered("toy", LOG, BEGIN + timedelta(hours=hours))
    assert (found.tenure and found.tenure.version, found.canary) == (version, canary)


def test_a_tenure_says_until_when_and_by_which_act():
    found = tenures(LOG)
    assert [(tenure.version, tenure.act, tenure.line) for tenure in found] == [
        ("1", "promotion", 2),
        ("2", "promotion", 4),
        ("1", "rollback", 6),
        ("", "retirement", 7),
        ("1", "retirement", 8),
    ]
    assert [tenure.until for tenure in found] == [*(tenure.since for tenure in found[1:]), ""]
    assert found[2].reason == "complaints"


@given(st.lists(st.tuples(st.integers(0, 50), st.sampled_from("123")), max_size=12), st.integers(-5, 60))
def test_at_any_time_at_most_one_version_answers_and_in_the_end_the_last_of_the_log(acts, hours):
    found = tenures(line(place + 1, "promotion", version, at) for place, (at, version) in enumerate(acts))
    moment = BEGIN + timedelta(hours=hours)
    assert sum(tenure.holds(moment) for tenure in found) <= 1
    if acts and moment >= BEGIN + timedelta(hours=max(at for at, _ in acts)):
        assert [tenure.version for tenure in found if tenure.holds(moment)] == [acts[-1][1]]


def test_details_that_nobody_can_read_change_nothing():
    spoilt = Line("toy", 1, BEGIN.isoformat(), "", "promotion", "1", "", "", "{", "", "", "")
    assert tenures([spoilt])[0].version == "1"
