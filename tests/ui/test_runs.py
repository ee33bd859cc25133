"""Flows that are asked for from a page: one run for a form, its end on the page, and what failed and waits."""

from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pandas as pd
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId
from prefect.states import Completed, Crashed, Failed, Late, Running

from evergreen.lake import audit_log
from evergreen.lifecycle.approval import starters
from evergreen.settings import FOUR_EYES
from evergreen.stores import Stores
from flows.approve import approve
from flows.refresh import refresh
from flows.runtime import connection, runs
from flows.runtime.deployments import register
from tests.prepared_homes import refreshed
from tests.ui.running_ui import Pages, forms, words
from ui.access.visitor import owner

JANUARY = datetime(2013, 1, 29, tzinfo=UTC)
OF_A_DEPLOYMENT = FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(is_null_=False))
ASKS = "\nmodel = model.model_copy(update={'policy': Policy(every='7d', approval='9999d')})\n"
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def deployed(server):
    """The deployments on the session's server; no worker takes their runs."""
    register()
    yield
    with get_client(sync_client=True) as client:
        for deployment in client.read_deployments():
            client.delete_deployment(deployment.id)


@pytest.fixture
def asking(home, write_model, begun, deployed):
    """A version that is pending approval."""
    write_model(ASKS)
    begun(refreshed, JANUARY)


@pytest.fixture
def waiting(home, deployed):
    """All runs of the deployments that were asked for; they are deleted in the end."""

    def found():
        with get_client(sync_client=True) as client:
            return client.read_flow_runs(flow_run_filter=OF_A_DEPLOYMENT)

    before = {run.id for run in found()}
    yield lambda: [run for run in found() if run.id not in before]
    with get_client(sync_client=True) as client:
        for run in found():
            client.delete_flow_run(run.id)


def end(run, state):
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run.id, state, force=True)


def test_an_approval_is_asked_for_once_and_its_page_shows_the_run_to_its_end(asking, waiting):
    pages = Pages()
    text = words(pages.until("/", lambda text: "Every gate" in text))
    for said in ("toy , version 2", "All", "gates passed", "By group: 2", "up", "down", "mean absolute error"):
        assert said in text, said
    form = pages.form("/", "approve") | {"reason": "looked at the slices"}
    pages.send("approve", form)
    path = f"/acts/{form['token']}"
    pages.until(path, lambda text: "It waits for a worker" in text)
    pages.send("approve", form)
    other = Pages()  # of another process, which remembers nothing
    other.send("approve", form)
    other.until(path, lambda text: "It waits for a worker" in text)
    (run,) = [run for run in waiting() if run.idempotency_key == form["token"]]
    assert run.parameters == {
        "model": "toy",
        "by": audit_log.person(),
        "reason": "looked at the slices",
        "approved": True,
        "version": "2",
    }
    end(run, Running())
    assert "data-soon" in pages.until(path, lambda text: "It runs." in text)
    outcome = approve(**run.parameters)
    end(run, Completed(name="Promoted", message=outcome.reason))
    text = pages.until(path, lambda text: "Promoted" in text)
    assert "toy@2 was approved by" in text
    assert "data-soon" not in text
    assert urlsplit(runs.find(form["token"]).page).path == f"/runs/flow-run/{run.id}"
    late = other.send("refuse", form | {"token": "the-second-person-s-form"})
    late = other.until("/acts/the-second-person-s-form", lambda text: "This was not done" in text)
    assert "toy@2 was approved by" in late
    assert not [run for run in waiting() if run.idempotency_key == "the-second-person-s-form"]


def test_a_training_is_recorded_by_the_name_of_who_asked_for_it(asking):
    refresh("toy", reason="demand new labels", as_of=JANUARY + timedelta(days=28), by="Ada")
    (line,) = [line for line in audit_log.read(Stores.open().lake, "toy") if line.act == "verdict" and line.by]
    version = Stores.open().registry.version("toy", line.subject)
    assert (line.by, version.reason, starters(Stores.open(), version, "")) == ("Ada", "demand new labels", ["Ada"])


def test_with_four_eyes_who_requested_a_version_does_not_approve_it(asking, waiting, monkeypatch):
    monkeypatch.setenv(FOUR_EYES, "1")
    lake, me = Stores.open().lake, audit_log.person()
    audit_log.write(lake, "toy", "verdict", "1", pd.Timestamp(JANUARY), by="Bo", detail={"asked": "again"})
    pages = Pages()
    pages.until("/", lambda text: "Every gate" in text)
    form = pages.form("/", "approve") | {"reason": "fine"}
    audit_log.write(lake, "toy", "verdict", "1", pd.Timestamp(JANUARY), by=me, detail={"asked": "once more"})
    assert "asks for two persons: somebody else approves it" in words(pages.send("approve", form).text)
    others = Pages()
    text = words(others.until("/", lambda text: "Every gate" in text))
    assert f"Requested by {' , '.join(sorted(('Bo', me)))}" in text
    assert "You requested it: somebody else approves." in text
    assert "/act/refuse" in forms(others("/").text)
    assert "/act/approve" not in forms(others("/").text)


def test_the_picture_of_a_comparison_is_given_and_nothing_else(asking):
    pages = Pages()
    pages.until("/", lambda text: "Every gate" in text)
    assert pages("/pictures/toy/2/judged.png").content.startswith(b"\x89PNG")
    for path in ("/pictures/toy/2/model", "/pictures/toy/99/judged.png", "/pictures/no/2/judged.png"):
        assert pages(path).status_code in (404, 503), path


@pytest.mark.parametrize(
    ("states", "shown"),
    [
        ([Failed(message="Flow run encountered an exception: SourceError: no table")], "refresh failed no table"),
        ([Crashed(message="Its process ended without a report.")], "refresh failed Its process ended"),
        ([Failed(message="no"), Completed()], ""),
        ([Failed(message="no"), Completed(name="Busy")], "refresh failed no"),
        ([Late()], "refresh is overdue"),
    ],
)
def test_a_run_that_failed_waits_for_a_person_until_a_later_one_is_done(home, waiting, states, shown):
    for place, state in enumerate(states):
        run = runs.start("refresh", {"model": "toy", "reason": "schedule"}, f"a-key-of-{place}-{state.name}")
        with get_client(sync_client=True) as client:
            client.update_flow_run(run.id, name="toy · schedule · 2013-01-01")
        if state.name != "Late":
            end(run, Running())
        end(run, state)
    found = runs.troubled().runs
    assert bool(found) == bool(shown)
    pages = Pages()
    pages.site.waiting.failed(pages.site.fleet.known(60), 60)
    text = words(pages("/").text)
    assert shown in text
    assert ("Run again" in text) == bool(shown)


@pytest.mark.parametrize(
    ("failed", "later", "good"),
    [("ingest", "refresh", True), ("monitor", "refresh", False), ("train", "refresh", False)],
)
def test_a_refresh_makes_good_what_is_a_part_of_it(home, waiting, failed, later, good):
    for flow, state in ((failed, Failed()), (later, Completed())):
        run = runs.start(flow, {"model": "toy", "reason": "schedule"}, f"a-key-of-{flow}-after-{failed}")
        with get_client(sync_client=True) as client:
            client.update_flow_run(run.id, name="toy · schedule · 2013-01-01")
        end(run, Running())
        end(run, state)
    assert [run.flow for run in runs.troubled().runs] == ([] if good else [failed])


def test_all_failed_runs_are_counted(home, waiting, monkeypatch):
    monkeypatch.setattr(runs, "_MOST", 2)
    monkeypatch.setattr(runs, "_FAILED", 3)
    for flow in runs.LOOP:
        run = runs.start(flow, {"model": "toy", "reason": "schedule"}, f"a-key-of-{flow}-counted")
        end(run, Running())
        end(run, Failed())
    found = runs.troubled()
    assert (len(found.runs), found.unseen) == (3, 1)


def test_without_a_server_the_commands_are_shown(home, monkeypatch, asking):
    monkeypatch.setattr(connection, "current", lambda: ("", ""))
    pages = Pages()
    text = pages("/").text
    assert "evergreen up" in text
    assert "evergreen approve toy@2 --reason ..." in text
    assert 'action="/act/approve"' not in text
    assert "no Prefect server" in pages("/acts/never-asked-for-at-all").text


def test_a_server_that_is_away_is_told(home, monkeypatch):
    monkeypatch.setattr(connection, "current", lambda: ("http://127.0.0.1:9/api", ""))
    pages = Pages()
    form = {"form": "", "token": "a-token-of-a-form", "model": "toy"}
    pages.send("train", form | {"form": owner().form_token})
    assert "could not start a run" in pages.until("/acts/a-token-of-a-form", lambda text: "This was not done" in text)
