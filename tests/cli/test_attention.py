"""`evergreen acknowledge`: it records who has seen the alert, once, and `status` says so."""

import json

import pandas as pd

from evergreen.exit_codes import Exit
from evergreen.lake import audit_log
from evergreen.lifecycle import decision_log
from evergreen.lifecycle.decision import Decision, State
from evergreen.stores import Stores
from tests.command_line import called


def test_an_alert_is_acknowledged_once(home):
    state = State(as_of=pd.Timestamp("2013-03-01", tz="UTC"), wish="", last_trained=None, new_rows=0)
    decision_log.record(Stores.open().lake, "toy", state, Decision("alert", "data quality: x: 31% missing"))
    done = called("acknowledge", "toy", "--reason", "the sensor", "--json")
    assert done.returncode == Exit.DONE, done.stderr
    assert json.loads(done.stdout) == {
        "model": "toy",
        "alert": "data quality: x: 31% missing",
        "raised": "2013-03-01T00:00:00+00:00",
        "by": audit_log.person(),
        "reason": "the sensor",
    }
    again = called("acknowledge", "toy", "--reason", "me too")
    assert (again.returncode, "was acknowledged by" in again.stderr) == (Exit.FAILED, True)
    assert "acknowledged by" in json.loads(called("status", "--json").stdout)[0]["decided"]
