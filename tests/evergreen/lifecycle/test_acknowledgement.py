"""An acknowledgement holds while each check raises the same, and no longer."""

import json

import pandas as pd
import pytest

from evergreen.errors import AlertError, BusyError
from evergreen.lake import audit_log
from evergreen.lake.lake import Bare
from evergreen.lifecycle import decision_log
from evergreen.lifecycle.acknowledgement import acknowledge, current
from evergreen.lifecycle.decision import Decision, State
from evergreen.locks import model_lock
from evergreen.stores import Stores

TOY = Bare("toy")
START = pd.Timestamp("2013-03-01", tz="UTC")
FAULT = "data quality: x: 31% missing, 0% in the reference"
SAME = "data quality: x: 35% missing, 0% in the reference"
OTHER = f"{FAULT}; z: a new category"


@pytest.fixture
def decided(home):
    """Log decisions, a day after each other."""
    lake = Stores.open().lake
    days = iter(range(100))

    def log(action, reason, wish=""):
        at = START + pd.Timedelta(days=next(days))
        state = State(as_of=at, wish=wish, last_trained=None, new_rows=0)
        decision_log.record(lake, "toy", state, Decision(action, reason))

    return log


def seen(by="Ada"):
    return acknowledge(Stores.open(), TOY, "known: the sensor", by, START)


def test_an_alert_is_acknowledged_once_with_a_reason_and_a_name(decided):
    decided("alert", FAULT)
    assert current(Stores.open().lake, TOY).by == ""
    assert seen().acknowledged == "acknowledged by Ada: known: the sensor"
    with pytest.raises(AlertError, match="The alert of toy was acknowledged by Ada: known: the sensor"):
        seen("Bo")
    (line,) = [line for line in audit_log.read(Stores.open().lake, "toy") if line.act == "acknowledgement"]
    assert (line.by, json.loads(line.detail)["alert"]) == ("Ada", FAULT)


@pytest.mark.parametrize(
    ("then", "holds"),
    [
        ([("alert", SAME)], True),
        ([("alert", SAME), ("alert", FAULT)], True),
        ([("nothing", "too few rows", "data")], True),
        ([("alert", SAME), ("nothing", "too few rows", "data")], True),
        ([("alert", OTHER)], False),
        ([("alert", OTHER), ("alert", FAULT)], False),
        ([("nothing", "all is well"), ("alert", FAULT)], False),
        ([("train", "drift"), ("alert", FAULT)], False),
    ],
)
def test_it_holds_until_another_alert_is_raised(decided, then, holds):
    decided("alert", FAULT)
    seen()
    for decision in then:
        decided(*decision)
    assert bool(current(Stores.open().lake, TOY).by) == holds
    if not holds:
        assert seen("Bo").by == "Bo"


def test_where_nothing_is_raised_there_is_nothing_to_acknowledge(decided):
    with pytest.raises(AlertError, match="toy has no alert"):
        seen()
    decided("alert", FAULT)
    decided("nothing", "all is well")
    with pytest.raises(AlertError, match="toy has no alert"):
        seen()


def test_two_persons_at_once_are_one(decided):
    decided("alert", FAULT)
    with model_lock("toy", "acknowledge"), pytest.raises(BusyError):
        seen()
    assert current(Stores.open().lake, TOY).by == ""
