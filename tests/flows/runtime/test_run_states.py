"""What the caller of a flow gets, also where Prefect's server answers late."""

from datetime import UTC, datetime

import pytest
from prefect.client.base import PrefectHttpxSyncClient

from evergreen.errors import BusyError
from evergreen.locks import model_lock
from flows.ingest import ingest
from flows.refresh import refresh

JANUARY = datetime(2013, 1, 29, tzinfo=UTC)


@pytest.fixture
def late_server(server, monkeypatch):
    """A server that stores each state, and whose answer comes after the client has sent the state again."""
    send = PrefectHttpxSyncClient.send

    def twice(client, request, *args, **options):
        if request.url.path.endswith("/set_state"):
            send(client, request, *args, **options)
        return send(client, request, *args, **options)

    monkeypatch.setattr(PrefectHttpxSyncClient, "send", twice)


def test_the_outcome_of_a_flow_and_of_those_that_it_calls(home, late_server):
    outcome = refresh("toy", as_of=JANUARY)
    assert (outcome.model, outcome.decision, outcome.moved) == ("toy", "promote", True)


def test_that_another_process_is_at_work(home, late_server):
    with model_lock("toy", "ingest"), pytest.raises(BusyError, match="toy: another process already runs ingest"):
        ingest("toy", as_of=JANUARY)
