"""A window of a week that holds one block of a week, of which five are needed: judged over five; what lacks is told."""

import json
from datetime import UTC, datetime

import pandas as pd
import pytest
from prefect.blocks.notifications import CustomWebhookNotificationBlock

from evergreen.definition import loader
from evergreen.lifecycle.status import status
from evergreen.monitoring import observation
from evergreen.stores import Stores
from flows.ingest import ingest
from flows.monitor import monitor
from flows.refresh import refresh

WEEKS = """
TURN = pd.Timestamp("2014-01-01", tz="UTC")
training, gates = Training(holdout="56d"), Gates(block="7d", {}, resamples=200)
model = model.model_copy(update={{"training": training, "gates": gates, "policy": Policy(every="90d")}})
"""
ENOUGH, TOO_FEW = WEEKS.format("min_rows=100"), WEEKS.format("min_rows=2000")
pytestmark = pytest.mark.long


def on(month: int, day: int) -> datetime:
    return datetime(2013, month, day, tzinfo=UTC)


def last() -> observation.Observation:
    return observation.read(Stores.open().lake, loader.load("toy"))[-1]


@pytest.fixture
def told(server, receiver, monkeypatch):
    """What a person is told, by a webhook that is really there."""
    port, got = receiver
    text = {"text": "{{subject}}: {{body}}"}
    block = CustomWebhookNotificationBlock(name="unjudged", url=f"http://127.0.0.1:{port}", json_data=text)
    block.save("unjudged", overwrite=True)
    monkeypatch.setenv("EVERGREEN_ALERTS", "custom-webhook/unjudged")
    return lambda: [json.loads(body)["text"] for body in got]


@pytest.mark.slow
def test_performance_that_cannot_be_judged_is_told_once_until_it_can(write_model, told):
    write_model(TOO_FEW)
    refresh("toy", as_of=on(4, 1))
    ingest("toy", as_of=on(5, 26))
    assert [monitor("toy", as_of=on(*day)).action for day in ((4, 8), (5, 21))] == ["nothing"] * 2  # 43 days should do
    alerts = [monitor("toy", as_of=on(5, day)) for day in (22, 23)]
    assert [decision.action for decision in alerts] == ["alert"] * 2
    assert alerts[0].reason == (
        "not judged: performance, unknown for 44 days since 2013-04-08. 43 days should do (label delay 0 hours, window "
        "35 days and a margin). Found: 1,750 labelled rows in 6 blocks, at least 2000 and 5 are required. To change: "
        'monitoring=Monitoring(performance="40d"),'
    )
    assert told() == [f"toy: a person should look: {alerts[0].reason}"]
    assert status(Stores.open(), pd.Timestamp.now("UTC"))[0].decided == f"alert: {alerts[1].reason}"

    write_model(
        TOO_FEW + "from evergreen import Monitoring\nmodel = model.model_copy(update={'monitoring': "
        'Monitoring(performance="40d")})\n'
    )
    assert monitor("toy", as_of=on(5, 25)).action == "nothing"
    assert (last().state, last().unjudged, len(told())) == ("holds", [], 1)


def test_a_window_of_one_block_is_widened_to_those_that_are_needed(write_model):
    write_model(ENOUGH)
    refresh("toy", as_of=on(4, 1))
    ingest("toy", as_of=on(5, 14))
    monitor("toy", as_of=on(5, 14))
    assert (last().state, last().realised.whole.blocks >= 5) == ("holds", True)
