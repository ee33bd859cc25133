"""`evergreen carry`: what it ends with. What it does is in tests/system/test_releases.py."""

from datetime import UTC, datetime

import pytest

from evergreen.exit_codes import Exit
from evergreen.lake.audit_log import person
from evergreen.lifecycle.outcome import Outcome
from tests.command_line import called
from tests.prepared_homes import ingested


@pytest.mark.parametrize(
    ("decision", "code"),
    [
        ("promote", Exit.DONE),
        ("reject", Exit.REJECTED),
        ("not enough evidence", Exit.UNDECIDED),
        ("waiting", Exit.WAITING),
    ],
)
def test_it_ends_as_a_training_does(home, server, begun, monkeypatch, decision, code):
    begun(ingested, datetime(2013, 1, 29, tzinfo=UTC))
    asked = []

    def run(*words, as_of, by):
        asked.append((*words, by))
        return Outcome("toy", decision, "a test")

    monkeypatch.setattr("flows.carry.carry", run)
    assert called("carry", "toy@3", "--from", "staging").returncode == code
    assert asked == [("toy", "staging", "3", person())]
