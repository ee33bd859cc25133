"""Alerts through Prefect's own blocks, to a receiver that is really there, or is not."""

import json
import logging

import pytest
from prefect import flow
from prefect.blocks.notifications import CustomWebhookNotificationBlock, MattermostWebhook

from tasks.support.notifications import alert


@pytest.fixture
def blocks(server, receiver) -> None:
    """Blocks as a user makes them: of a webhook, of an application that Apprise knows, of one that is broken."""
    port, _ = receiver
    for name in ("ops", "broken"):
        CustomWebhookNotificationBlock(
            name=name, url=f"http://127.0.0.1:{port}/{name}", json_data={"text": "{{subject}}: {{body}}"}
        ).save(name, overwrite=True)
    MattermostWebhook(hostname="127.0.0.1", port=port, token="secret", secure=False).save("chat", overwrite=True)


def tell() -> list[str]:
    return alert("no label came", "Since 3 days.", "airtime")


def test_an_alert_reaches_the_receiver_in_its_own_words(blocks, receiver, monkeypatch):
    monkeypatch.setenv("EVERGREEN_ALERTS", "custom-webhook/ops")
    assert tell() == ["custom-webhook/ops"]
    assert [json.loads(body) for body in receiver[1]] == [{"text": "airtime: no label came: Since 3 days."}]


@pytest.mark.long
@pytest.mark.parametrize("failing", ["custom-webhook/broken", "custom-webhook/nobody", "nonsense"])
def test_an_alert_that_fails_holds_up_neither_the_others_nor_the_run(blocks, receiver, monkeypatch, caplog, failing):
    monkeypatch.setenv("EVERGREEN_ALERTS", f"{failing}, mattermost-webhook/chat")
    with caplog.at_level(logging.WARNING):
        assert flow(tell)() == ["mattermost-webhook/chat"]
    assert "Since 3 days." in receiver[1][-1]
    assert f"did not go out through {failing}" in caplog.text


def test_with_nobody_to_tell_it_is_a_line_of_the_log(monkeypatch, caplog):
    monkeypatch.delenv("EVERGREEN_ALERTS", raising=False)
    with caplog.at_level(logging.WARNING):
        assert tell() == []
    assert "airtime: no label came. Since 3 days." in caplog.text
