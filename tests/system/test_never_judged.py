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
ENOUGH, WIDENED, TOO_FEW = (WEEKS.format(f"min_rows={rows}") for rows in (100, 2000, 2700))
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
def test_performance_that_cannot_be_judged_is_told_once(write_model, told):
    write_model(TOO_FEW)
    refresh("toy", as_of=on(4, 1))
    ingest("toy", as_of=on(5, 26))
    assert [monitor("toy", as_of=on(*day)).action for day in ((4, 8), (5, 21))] == ["nothing"] * 2  # 43 days should do
    alerts = [monitor("toy", as_of=on(5, day)) for day in (22, 23)]
    assert [decision.action for decision in alerts] == ["alert"] * 2
    assert alerts[0].reason == (
        "not judged: performance, unknown for 44 days since 2013-04-08. 43 days should do (label delay 0 hours, window "
        "35 days and a margin). Found: 2,550 labelled rows in 8 blocks, at least 2700 and 5 are required, and at this "
        "rate enough come in 54 days"
    )
    assert told() == [f"toy: a person should look: {alerts[0].reason}"]
    assert status(Stores.open(), pd.Timestamp.now("UTC"))[0].decided == f"alert: {alerts[1].reason}"


def test_a_window_with_too_few_rows_is_widened_as_far_as_there_are_rows(write_model):
    write_model(WIDENED)
    refresh("toy", as_of=on(4, 1))
    ingest("toy", as_of=on(5, 21))
    monitor("toy", as_of=on(5, 9))
    assert (last().state, last().realised.whole.rows) == ("unknown", 1900)
    monitor("toy", as_of=on(5, 20))
    assert (last().state, last().realised.whole.rows) == ("holds", 2000)
    assert last().reason.endswith(", over 40 days since 35 days hold too few labels")


def test_a_window_of_one_block_is_widened_to_those_that_are_needed(write_model):
    write_model(ENOUGH)
    refresh("toy", as_of=on(4, 1))
    ingest("toy", as_of=on(5, 14))
    monitor("toy", as_of=on(5, 14))
    assert (last().state, last().realised.whole.blocks >= 5) == ("holds", True)
