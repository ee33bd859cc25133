"""Approval: with a model that asks for leave nothing is promoted without it, and every answer is kept."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from prefect.client.orchestration import get_client
from prefect.exceptions import Pause
from prefect.flow_engine import run_flow

from cli import checks
from evergreen.definition.loader import load
from evergreen.errors import PromotionError
from evergreen.exit_codes import Exit
from evergreen.gates.judgement import newest_judgement
from evergreen.lake import audit_log
from evergreen.lifecycle import approval
from evergreen.lifecycle.status import status
from evergreen.settings import FOUR_EYES
from evergreen.stores import Stores
from flows.approve import approve
from flows.refresh import refresh
from flows.replay import replay
from flows.train import train
from tasks.promote import promote
from tests.prepared_homes import refreshed
from tests.running_system import NOW

ASKS = "\nmodel = model.model_copy(update={'policy': Policy(every='7d', approval='5d')})\n"
JANUARY = datetime(2013, 1, 29, tzinfo=UTC)
FEBRUARY = datetime(2013, 2, 26, tzinfo=UTC)
MARCH = datetime(2013, 3, 12, tzinfo=UTC)
DAY = timedelta(days=1)
pytestmark = pytest.mark.long


@pytest.fixture
def asking(home, write_model, begun):
    """A model that asks for leave, one version of which waits."""
    write_model(ASKS)
    return begun(refreshed, JANUARY)


def champion():
    version = Stores.open().registry.champion("toy")
    return version.number if version else None


def acts(act):
    return [line for line in audit_log.read(Stores.open().lake, "toy") if line.act == act]


def state(number):
    return approval.approval_of(Stores.open().registry.version("toy", number)).state


def test_what_passed_waits_and_is_champion_with_a_persons_leave(asking):
    assert (asking.decision, asking.champion, asking.moved, asking.code) == ("waiting", "2", False, Exit.WAITING)
    assert asking.reason.startswith("toy@2 is pending approval until 2013-02-03 00:00 UTC. All ")
    assert champion() is None
    assert (
        status(Stores.open(), pd.Timestamp(JANUARY))[0].decided
        == "toy@2 is pending approval until 2013-02-03 00:00 UTC"
    )
    lapsed = "toy@2 was not answered by 2013-02-03 00:00 UTC, and the request has lapsed"
    assert status(Stores.open(), pd.Timestamp.now("UTC"))[0].decided == lapsed

    again = train("toy", as_of=JANUARY)
    assert (again.decision, again.champion, again.moved) == ("waiting", "2", False)
    assert len(acts("approval")) == 1

    outcome = approve("toy", "looked at the slices", "Ada", as_of=JANUARY + DAY)
    assert (outcome.decision, outcome.champion, outcome.moved, outcome.code) == ("promote", "2", True, Exit.DONE)
    assert outcome.reason == "toy@2 was approved by Ada: looked at the slices."
    assert champion() == "2"
    assert [(line.by, line.subject) for line in acts("approval")] == [("", "2"), ("Ada", "2")]
    assert len(acts("promotion")) == 1

    same = approve("toy", "looked at the slices", "Ada", version="2", as_of=JANUARY + DAY)
    assert (same.champion, same.moved) == ("2", False)
    assert len(acts("approval")) == 2
    assert train("toy", as_of=JANUARY).decision == "none"

    other = approve("toy", "another reason", "Bo", version="2", as_of=JANUARY + DAY)
    assert other.reason == "toy@2 was approved by Ada: looked at the slices."
    with pytest.raises(PromotionError, match="toy@2 was approved by Ada: looked at the slices; it cannot be refused"):
        approve("toy", "changed my mind", "Bo", approved=False, version="2", as_of=JANUARY + DAY)
    assert (champion(), state("2"), len(acts("approval"))) == ("2", "approved", 2)


def test_what_was_refused_never_takes_over_by_this_verdict(asking):
    outcome = approve("toy", "not on a Friday", "Ada", approved=False, version="1", as_of=JANUARY + DAY)
    assert (outcome.decision, outcome.moved, outcome.code) == ("refused", False, Exit.DONE)
    assert champion() is None
    again = train("toy", as_of=JANUARY)
    assert (again.decision, again.reason) == ("none", "toy@2 was refused by Ada: not on a Friday.")
    with pytest.raises(PromotionError, match="toy@2 was refused by Ada: not on a Friday; there is no open request"):
        approve("toy", "changed my mind", "Ada", version="2", as_of=JANUARY + DAY)
    assert champion() is None


def test_a_question_lapses_and_a_new_training_asks_anew(asking):
    with pytest.raises(PromotionError, match="No version of toy is pending approval"):
        approve("toy", "too late", "Ada", as_of=JANUARY + 6 * DAY)
    with pytest.raises(PromotionError, match="was not answered by 2013-02-03 00:00 UTC, and the request has lapsed"):
        approve("toy", "too late", "Ada", version="2", as_of=JANUARY + 6 * DAY)
    assert champion() is None
    again = train("toy", as_of=JANUARY + 6 * DAY)
    assert again.decision == "waiting"
    assert "until 2013-02-09" in again.reason
    approve("toy", "in time", "Ada", as_of=JANUARY + 7 * DAY)
    assert champion() == again.champion


def test_a_newer_challenger_takes_the_place_of_one_that_waits(asking):
    outcome = refresh("toy", as_of=FEBRUARY)
    assert (outcome.decision, champion()) == ("waiting", None)
    assert (state("2"), state(outcome.champion)) == ("superseded", "waiting")
    with pytest.raises(PromotionError, match=f"toy@2 was superseded by version {outcome.champion}"):
        approve("toy", "the old one", "Ada", version="2", as_of=FEBRUARY)
    approve("toy", "the new one", "Ada", as_of=FEBRUARY)
    assert champion() == outcome.champion


def test_leave_counts_only_against_the_champion_that_was_judged_against(asking, write_model):
    approve("toy", "the first", "Ada", as_of=JANUARY)
    waiting = refresh("toy", as_of=FEBRUARY).champion
    write_model()  # asks nobody any more
    other = refresh("toy", as_of=MARCH).champion
    assert champion() == other
    write_model(ASKS)
    with pytest.raises(PromotionError, match="judged against version 2, but the champion is"):
        approve("toy", "late", "Ada", version=waiting, as_of=FEBRUARY)
    assert champion() == other
    assert state(waiting) == "waiting"


def test_no_way_to_promote_leads_past_the_question(asking):
    registry = Stores.open().registry
    version = registry.version("toy", "2")
    with pytest.raises(PromotionError, match="toy@2 is not approved"):
        promote.fn(Stores.open(), version, newest_judgement(registry, version), pd.Timestamp(JANUARY))
    assert champion() is None


@pytest.mark.parametrize(("reason", "by"), [("", "Ada"), ("good", " ")])
def test_an_answer_has_a_reason_and_a_name(asking, reason, by):
    with pytest.raises(PromotionError, match="needs a reason and a name"):
        approve("toy", reason, by)
    assert state("2") == "waiting"


def test_with_four_eyes_who_requested_a_version_does_not_approve_it(asking, monkeypatch):
    monkeypatch.setenv(FOUR_EYES, "1")
    audit_log.write(Stores.open().lake, "toy", "verdict", "1", pd.Timestamp(JANUARY), by="Ada", detail={"asked": "a"})
    with pytest.raises(PromotionError, match=r"toy@2 was requested by Ada, and EVERGREEN_UI_FOUR_EYES asks for two"):
        approve("toy", "good", "Ada", as_of=JANUARY)
    assert (state("2"), champion()) == ("waiting", None)
    assert not [line for line in acts("approval") if line.by]
    assert approve("toy", "good", "Bo", as_of=JANUARY).moved
    assert approve("toy", "good", "Ada", version="2", as_of=JANUARY).champion == "2"  # approved by another before


def test_with_four_eyes_who_asks_again_after_a_lapse_does_not_approve_it(asking, monkeypatch):
    monkeypatch.setenv(FOUR_EYES, "1")
    again = train("toy", as_of=JANUARY + 6 * DAY, by="Ada")
    assert (again.decision, again.champion) == ("waiting", "2")  # of the rows and the verdict of before
    with pytest.raises(PromotionError, match=r"toy@2 was requested by Ada"):
        approve("toy", "good", "Ada", as_of=JANUARY + 7 * DAY)
    assert approve("toy", "good", "Bo", as_of=JANUARY + 7 * DAY).moved


def test_with_four_eyes_who_requested_a_version_may_refuse_it(asking, monkeypatch):
    monkeypatch.setenv(FOUR_EYES, "1")
    audit_log.write(Stores.open().lake, "toy", "verdict", "1", pd.Timestamp(JANUARY), by="Ada", detail={"asked": "a"})
    approve("toy", "worse", "Ada", approved=False, as_of=JANUARY)
    assert state("2") == "refused"


def test_with_four_eyes_a_command_asks_who_the_shell_is_too(asking, monkeypatch):
    monkeypatch.setenv(FOUR_EYES, "1")
    me, stores = audit_log.person(), Stores.open()
    stores.registry.tag(stores.registry.version("toy", "2"), approval_until=pd.Timestamp("2100-01-01", tz="UTC"))
    audit_log.write(stores.lake, "toy", "verdict", "1", pd.Timestamp(JANUARY), by="Ada", detail={"asked": "a"})
    with pytest.raises(PromotionError, match="requested by Ada"):
        checks.request("toy", "2", "Ada")
    checks.request("toy", "2", me)
    checks.request("toy", "2", "Bo")
    audit_log.write(stores.lake, "toy", "verdict", "1", pd.Timestamp(JANUARY), by=me, detail={"asked": "b"})
    with pytest.raises(PromotionError, match=f"requested by {me}"):
        checks.request("toy", "2", "Bo")
    checks.request("toy", "2")  # to refuse it


def test_an_approval_that_died_before_the_promotion_is_finished(asking):
    registry = Stores.open().registry
    approval.record_answer(registry, registry.version("toy", "2"), True, "good", "Ada")
    assert champion() is None
    assert train("toy", as_of=JANUARY).moved
    assert champion() == "2"


def test_leave_for_one_verdict_is_none_for_another(asking):
    registry = Stores.open().registry
    approve("toy", "good", "Ada", as_of=JANUARY)
    version = registry.version("toy", "2")
    judged = newest_judgement(registry, version)
    approval.permit(load("toy"), version, judged)
    with pytest.raises(PromotionError, match="toy@2 is not approved"):
        approval.permit(load("toy"), version, replace(judged, version="9"))


def test_a_replay_asks_nobody(asking):
    refresh("toy", as_of=FEBRUARY)
    before = len(audit_log.read(Stores.open().lake, "toy"))
    replayed = replay("toy", policies="never,every-7d", step="7d")
    assert replayed.problems() == []
    assert len(audit_log.read(Stores.open().lake, "toy")) == before
    assert champion() is None


@pytest.fixture
def deployment():
    """The deployment `approve`, as a server knows it; the run that the trigger would start, and its engine."""
    with get_client(sync_client=True) as client:
        flow = client.create_flow(approve)
        yield client, client.create_deployment(flow, "approve", entrypoint="flows.approve.approve")


def begin(deployment, **given):
    client, number = deployment
    run = client.create_flow_run_from_deployment(number, parameters={"model": "toy", **given})
    return engine(client, run.id)


def engine(client, number):
    """Run a flow run as a worker's process would, as far as it comes."""
    with suppress(Pause):
        run_flow(approve, flow_run=client.read_flow_run(number), return_type="state")
    return client.read_flow_run(number)


@pytest.fixture
def asking_now(home, write_model, begun):
    write_model(NOW + ASKS)
    return begun(refresh, "toy")


def test_a_run_without_an_answer_is_suspended_until_it_is_resumed_with_one(asking_now, deployment):
    client, _ = deployment
    run = begin(deployment, version="2")
    assert (run.state_name, champion()) == ("Suspended", None)
    assert 4.9 * DAY < run.state.state_details.pause_timeout - datetime.now(UTC) <= 5 * DAY
    keys = run.state.state_details.run_input_keyset
    description = client.read_flow_run_input(run.id, keys["description"])
    assert "toy@2 is pending approval until" in description
    assert "- calibration, passed: " in description

    refused = client.resume_flow_run(run.id, run_input={"approved": True, "reason": "", "by": "Ada"})
    assert refused.status == "REJECT"
    client.resume_flow_run(run.id, run_input={"approved": True, "reason": "good", "by": "Ada"})
    assert (engine(client, run.id).state_name, champion()) == ("Promoted", "2")
    assert [(line.by, line.subject) for line in acts("approval")] == [("", "2"), ("Ada", "2")]


def test_a_suspended_run_can_refuse(asking_now, deployment):
    client, _ = deployment
    run = begin(deployment, version="2")
    client.resume_flow_run(run.id, run_input={"approved": False, "reason": "holidays", "by": "Ada"})
    assert (engine(client, run.id).state_name, champion(), state("2")) == ("Refused", None, "refused")


def test_a_suspended_run_ends_when_the_answer_is_given_elsewhere(asking_now, deployment):
    client, _ = deployment
    run = begin(deployment, version="2")
    approve("toy", "good", "Ada")
    ended = client.read_flow_run(run.id)
    assert (ended.state_name, ended.state.message) == ("Answered", "toy@2 was approved by Ada: good.")
    late = begin(deployment, version="2")
    assert (late.state_name, late.state.message) == ("Nothing to answer", "toy@2 was approved by Ada: good.")
    assert begin(deployment).state_name == "Nothing to answer"
