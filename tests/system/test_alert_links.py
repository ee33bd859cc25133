"""What an alert links to: the very page of the web UI, which shows the same and what can be done."""

import json
from datetime import UTC, datetime

import pytest
from prefect.blocks.notifications import CustomWebhookNotificationBlock

from evergreen import ui_address
from evergreen.errors import TrainingError
from flows.ingest import ingest
from flows.monitor import monitor
from flows.refresh import refresh
from tests.labels_that_end import LABELS_END
from tests.prepared_homes import refreshed
from tests.ui.running_ui import Pages, forms, words

BASE = "https://evergreen.example.org/ours"
JANUARY = datetime(2013, 1, 29, tzinfo=UTC)
RAISES = """
class Broken(LinearRegression):
    def fit(self, X, y):
        raise ValueError("no luck")


model = model.model_copy(update={"estimator": Broken})
"""
APPROVED = "\nmodel = model.model_copy(update={'policy': model.policy.model_copy(update={'approval': 9999 * DAY})})\n"
pytestmark = pytest.mark.long


@pytest.fixture
def link(server, receiver, monkeypatch):
    """Gives what the last alert says, and the path that it links to, by a webhook that is really there."""
    port, got = receiver
    text = {"text": "{{body}}"}
    block = CustomWebhookNotificationBlock(name="links", url=f"http://127.0.0.1:{port}", json_data=text)
    block.save("links", overwrite=True)
    monkeypatch.setenv("EVERGREEN_ALERTS", "custom-webhook/links")
    monkeypatch.setenv(ui_address.URL, f"{BASE}/")

    def last():
        said, _, address = json.loads(got[-1])["text"].rpartition("\n")
        assert address.startswith(f"{BASE}/")
        return said, address.removeprefix(BASE)

    return last


def test_an_alert_of_the_monitor_links_to_its_decision_where_it_can_be_acknowledged(write_model, link):
    write_model(LABELS_END)
    refresh("toy", as_of=JANUARY)
    ingest("toy", as_of=datetime(2013, 2, 12, tzinfo=UTC))
    monitor("toy", as_of=datetime(2013, 2, 12, tzinfo=UTC))
    said, path = link()
    pages = Pages()
    text = pages(path).text
    assert said in words(text)
    assert {"/act/acknowledge", "/act/monitor"} <= set(forms(text))
    pages.send("acknowledge", pages.form(path, "acknowledge") | {"reason": "the sensor was replaced"})
    after = pages.until(path, lambda text: "Acknowledged:" in text)
    assert "the sensor was replaced" in words(after)
    assert "/act/acknowledge" not in forms(after)
    monitor("toy", as_of=datetime(2013, 2, 13, tzinfo=UTC))
    assert pages(path).status_code == 200


def test_an_alert_on_a_trigger_links_to_its_decision(write_model, link, begun):
    begun(refreshed, JANUARY)
    write_model(RAISES)
    for number in (10, 11, 12):
        with pytest.raises(TrainingError, match="no luck"):
            refresh("toy", reason="drift x 0.3", as_of=datetime(2013, 2, number, tzinfo=UTC))
    refresh("toy", reason="drift x 0.3", as_of=datetime(2013, 2, 13, tzinfo=UTC))
    said, path = link()
    assert said.startswith("3 trainings in a row failed")
    text = words(Pages()(path).text)
    assert f"toy: decided to alert a person {said}" in text
    assert "on the trigger drift" in text


def test_a_version_that_waits_is_linked_with_its_buttons(write_model, link):
    write_model(APPROVED)
    refresh("toy", as_of=JANUARY)
    said, path = link()
    assert "evergreen approve toy@" in said
    page = Pages().until(path, lambda text: "The verdict" in text)
    assert "pending approval" in words(page)
    assert {"/act/approve", "/act/refuse"} <= set(forms(page))
