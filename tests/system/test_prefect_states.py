"""What Prefect shows of the loop: states, run names, events and artifacts, read back from its server."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey, FlowRunFilter, FlowRunFilterName
from prefect.events.filters import EventAnyResourceFilter, EventFilter, EventNameFilter

from evergreen.lifecycle.outcome import Outcome
from flows.ingest import ingest
from flows.refresh import refresh
from flows.train import train

MODEL = "two_words"  # a name that Prefect's own keys do not take as it is
OURS = FlowRunFilter(name=FlowRunFilterName(like_=MODEL))  # of all runs a server gives the first 200
MORNING = datetime(2013, 1, 22, tzinfo=UTC)
NEXT = datetime(2013, 1, 29, tzinfo=UTC)
LAST = datetime(2013, 2, 5, tzinfo=UTC)

FAULTY = """
def faulty(since, until):
    return rows(since, until).assign(y=1000.0)
model = model.model_copy(update={'source': Call(function=faulty, start='2013-01-01', batch='7d')})
"""
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def came(server: str, worlds: Any, worse: str) -> Iterator[dict[str, Any]]:
    """A promotion, a rejection, nothing to do and a quarantine, each as its caller gets it."""
    with worlds(MODEL) as write:
        write()
        promoted = refresh(MODEL, as_of=MORNING)
        idle = refresh(MODEL, as_of=MORNING)
        ingest(MODEL, as_of=NEXT)
        write(worse)
        rejected = train(MODEL, reason="drift 0.3", as_of=NEXT)
        write(FAULTY)
        batches = ingest(MODEL, as_of=LAST)
        yield {"promoted": promoted, "idle": idle, "rejected": rejected, "held": batches}


def runs() -> dict[str, list[tuple[str, str]]]:
    """Each run's name, with the names and the types of the states that runs of that name ended in."""
    states_by_name: dict[str, list[tuple[str, str]]] = {}
    with get_client(sync_client=True) as client:
        for run in client.read_flow_runs(flow_run_filter=OURS):
            states_by_name.setdefault(run.name, []).append((run.state_name, run.state_type.value))
    return {name: sorted(states) for name, states in states_by_name.items()}


def events(count: int) -> list[Any]:
    """What was told of the model, once that many events have reached the server."""
    name, model = EventNameFilter(prefix=["evergreen."]), EventAnyResourceFilter(id=[f"evergreen.model.{MODEL}"])
    with get_client(sync_client=True) as client:
        for _ in range(60):
            events_of_model = client.read_events(EventFilter(event=name, any_resource=model), limit=50).events
            if len(events_of_model) >= count:
                break
            time.sleep(0.5)
    return list(events_of_model)


def test_a_caller_gets_the_outcome_itself(came):
    assert [type(came[name]) for name in ("promoted", "idle", "rejected", "held")] == [Outcome, Outcome, Outcome, list]
    assert [came[name].decision for name in ("promoted", "idle", "rejected")] == ["promote", "none", "reject"]


def test_runs_are_named_by_model_reason_and_day_and_end_in_a_state_named_after_what_came_of_it(came):
    assert runs() == {
        f"{MODEL} · schedule · 2013-01-22": [  # two of the loop, and the training of one of them
            ("Nothing to do", "COMPLETED"),
            ("Promoted", "COMPLETED"),
            ("Promoted", "COMPLETED"),
        ],
        f"{MODEL} · ingest · 2013-01-22": [("Ingested", "COMPLETED"), ("Nothing to do", "COMPLETED")],
        f"{MODEL} · ingest · 2013-01-29": [("Ingested", "COMPLETED")],
        f"{MODEL} · drift 0.3 · 2013-01-29": [("Rejected", "COMPLETED")],
        f"{MODEL} · ingest · 2013-02-05": [("Quarantined", "COMPLETED")],
    }


def test_a_rejected_run_says_why_in_its_state(came):
    with get_client(sync_client=True) as client:
        (run,) = [
            run
            for run in client.read_flow_runs(flow_run_filter=OURS)
            if run.name == f"{MODEL} · drift 0.3 · 2013-01-29"
        ]
    assert run.state.message == came["rejected"].reason


def test_every_event_reaches_the_server(came):
    assert Counter(event.event for event in events(8)) == {
        "evergreen.data.ingested": 4,
        "evergreen.data.arrived": 1,  # of the ingest that no refresh called and that landed something
        "evergreen.data.quarantined": 1,
        "evergreen.model.promoted": 1,
        "evergreen.model.rejected": 1,
    }


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("data.ingested", {"model": MODEL, "rows": 350, "corrected": 0, "version": 3}),
        ("data.arrived", {"model": MODEL, "rows": 350}),
        ("data.quarantined", {"rows": 350}),
        ("model.promoted", {"version": "2", "replaces": None}),
        ("model.rejected", {"version": "3"}),
    ],
)
def test_an_event_carries_its_payload(came, name, payload):
    newest = next(event for event in events(8) if event.event == f"evergreen.{name}")
    assert {key: newest.payload[key] for key in payload} == payload


def test_an_event_of_quarantine_says_what_the_contract_found(came):
    newest = next(event for event in events(8) if event.event == "evergreen.data.quarantined")
    assert newest.payload["batch"] == came["held"][0].batch
    assert "y: column values to be between" in newest.payload["reasons"][0]


def test_the_verdict_is_a_table_in_prefect(came):
    with get_client(sync_client=True) as client:
        artifacts = client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=["verdict-two-words"]))
        )
    newest = max(artifacts, key=lambda artifact: artifact.created)
    outcomes = {row["gate"]: row["outcome"] for row in json.loads(newest.data)}
    assert newest.description.startswith(f"## {MODEL} version 3: reject")
    assert outcomes["not worse than the champion"] == "failed"
