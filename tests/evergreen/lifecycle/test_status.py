"""The status of a model in a line: what needs a person stands first, and hides nothing else."""

from types import SimpleNamespace

import pandas as pd
import pytest
from rich.console import Console

from cli.render import inspect
from evergreen.lifecycle import decision_log, status
from evergreen.lifecycle.approval import Approval
from evergreen.lifecycle.decision import Decision, State
from evergreen.stores import Stores

WAITING = Approval(SimpleNamespace(), "waiting", until="2013-03-09T00:00+00:00")
ALERT = "alert: the monitor failed: no rows"


@pytest.mark.parametrize(
    ("action", "pending", "told"),
    [
        ("alert", WAITING, [ALERT, "is pending approval"]),
        ("alert", None, [ALERT]),
        ("train", WAITING, ["is pending approval"]),
        ("train", None, ["train: the monitor failed"]),
    ],
)
def test_an_alert_and_a_version_that_awaits_approval_are_both_told(home, monkeypatch, action, pending, told):
    monkeypatch.setattr(status.loader, "names", lambda: ["toy"])
    monkeypatch.setattr(status, "pending_approval", lambda versions: pending)
    state = State(as_of=pd.Timestamp("2013-03-01", tz="UTC"), wish="", last_trained=None, new_rows=0)
    decision_log.record(Stores.open().lake, "toy", state, Decision(action, "the monitor failed: no rows"))
    parts = status.status(Stores.open(), pd.Timestamp("2013-03-02", tz="UTC"))[0].decided.split("; then ")
    assert [part for part, said in zip(told, parts, strict=True) if part in said] == told, parts


def test_a_note_on_the_model_file_hides_no_alert():
    row = status.Status("toy", note="broken: it does not run", decided=ALERT)
    with (console := Console(width=200)).capture() as shown:
        console.print(inspect.statuses([row]))
    assert f"broken: it does not run; {ALERT}" in shown.get()
