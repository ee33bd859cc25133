"""What is done from a page: by the same code as the commands, once, by the name of the person, and by nobody else."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pandas as pd
import pytest

from evergreen.lake import audit_log, release_log
from evergreen.lake.release_log import Entry, Request
from evergreen.lifecycle import decision_log
from evergreen.lifecycle.decision import Decision, State
from evergreen.lifecycle.status import status
from evergreen.locks import model_lock
from evergreen.settings import Settings
from evergreen.stores import Stores
from tests.prepared_homes import ingested
from tests.ui.running_ui import Pages, forms, words
from ui.site import Site

JANUARY = datetime(2013, 1, 29, tzinfo=UTC)
FAULTY = """
usual = rows


def faulty(since, until):
    found = usual(since, until)
    return found.assign(y=found["y"].where(found["id"] != "20130124-7", 1e6), side="<script>alert(1)</script>")


model = model.model_copy(update={"source": Call(function=faulty, start="2013-01-01", batch="7d")})
"""
MARKUP = '<b onclick="x">"why" & \u202eright to left\u202c \u05e9\u05dc\u05d5\u05dd'


@pytest.fixture
def held(home, server, write_model, begun):
    """A batch in quarantine."""
    write_model(FAULTY)
    begun(ingested, JANUARY)
    return next(entry.batch for entry in Stores.open().quarantine.entries("toy"))


def lines(act="quarantine"):
    found = [line for line in audit_log.read(Stores.open().lake, "toy") if line.act == act]
    return [(json.loads(line.detail).get("fate"), line.by) for line in found]


def state():
    return [entry.state for entry in Stores.open().quarantine.entries("toy")]


def test_a_batch_is_shown_with_its_faults_and_dropped_with_a_reason(held):
    pages = Pages()
    text = pages.until("/", lambda text: "Examples" in text)
    assert "column values to be between" in text
    assert "1000000.0" in text
    form = pages.form("/", "drop") | {"reason": f"\0 {MARKUP}\x07"}
    done = pages.send("drop", form)
    assert f"toy: {held} was dropped." in words(done.text)
    assert (state(), lines()[-1]) == (["dropped"], ("dropped", audit_log.person()))
    assert Stores.open().quarantine.entry("toy", held).note == MARKUP
    again = pages.send("drop", form)
    assert again.text.count("was dropped.") == done.text.count("was dropped.")
    other = pages.send("drop", form | {"token": "another-token-of-a-form"})
    assert "was dropped before" in other.text
    assert "<b onclick" not in other.text
    assert len([line for line in lines() if line[0] == "dropped"]) == 1


def test_a_batch_is_released_once_whatever_is_pressed_twice(held):
    pages = Pages()
    form = pages.form("/", "release") | {"reason": "checked by hand"}
    assert "was released: 350 rows new" in words(pages.send("release", form).text)
    for more in ({}, {"token": "another-token-of-a-form", "reason": "me too"}):
        pages.send("release", form | more)
    assert (state(), lines()) == (["released"], [("released", audit_log.person())])
    assert "was released before: checked by hand" in words(pages.send("drop", form | {"token": "x" * 20}).text)


def test_a_batch_that_still_breaks_its_contract_stays(held):
    pages = Pages()
    page = pages.send("retry", pages.form("/", "retry") | {"reason": "mended"})
    assert "still breaks its contract" in page.text
    assert state() == ["held"]


def test_what_another_process_works_on_is_told(held):
    pages = Pages()
    form = pages.form("/", "drop") | {"reason": "no"}
    with model_lock("toy", "ingest"):
        assert "another process already runs ingest" in pages.send("drop", form).text
    assert state() == ["held"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("changed", "status", "says"),
    [
        ({"reason": " "}, 400, "A reason is needed"),
        ({"reason": "x" * 10_000}, 400, "10,000 characters; at most 4,000"),
        ({"reason": "x" * 70_000}, 413, "more than 64,000 bytes"),
        ({"form": ""}, 403, "did not come from a page of this session"),
        ({"form": "0" * 64}, 403, "did not come from a page of this session"),
        ({"token": "short"}, 400, "incomplete"),
        ({"model": "../toy"}, 404, "There is no model"),
        ({"model": "nobody"}, 404, "There is no model"),
    ],
)
def test_a_form_that_is_not_as_it_stood_is_refused(held, changed, status, says):
    pages = Pages()
    answer = pages.send("drop", pages.form("/", "drop") | {"reason": "no"} | changed)
    assert (answer.status_code, says in words(answer.text)) == (status, True), words(answer.text)
    assert state() == ["held"]


def test_nothing_is_done_read_only_and_nothing_by_a_link(held):
    pages = Pages()
    form = pages.form("/", "drop") | {"reason": "no"}
    reading = Pages(Site(read_only=True))
    assert "<form" not in reading("/").text
    assert reading.send("drop", form).status_code == 403
    assert pages("/act/drop", params=form).status_code == 405
    assert pages("/act/nothing", "POST", data=form).status_code == 404
    assert pages("/act/drop", "POST", json=form).status_code == 415
    assert pages("/acts/never-asked-for-at-all").status_code == 404
    assert state() == ["held"]


@pytest.mark.usefixtures("home")
def test_an_alert_is_acknowledged_and_waits_for_nobody_until_another_one():
    lake, at = Stores.open().lake, pd.Timestamp(JANUARY)

    def alert(reason, day):
        state = State(as_of=at + pd.Timedelta(days=day), wish="", last_trained=None, new_rows=0)
        decision_log.record(lake, "toy", state, Decision("alert", reason))

    alert("data quality: x: 31% missing", 0)
    pages = Pages()
    assert "data quality: x: 31% missing" in pages("/").text
    assert '<span class="count">1</span>' in pages("/").text
    form = pages.form("/", "acknowledge") | {"reason": "known: the sensor"}
    assert "acknowledged: data quality" in pages.send("acknowledge", form).text
    again = pages.send("acknowledge", form | {"token": "of-the-second-person", "reason": "me too"})
    assert f"was acknowledged by {audit_log.person()}: known: the sensor" in again.text
    assert len(lines("acknowledgement")) == 1
    alert("data quality: x: 35% missing", 1)
    after = Pages()
    assert "/act/acknowledge" not in forms(after("/").text)
    assert 'class="count"' not in after("/").text
    assert (
        f"(acknowledged by {audit_log.person()}: known: the sensor)"
        in status(Stores.open(), pd.Timestamp.now("UTC"))[0].decided
    )
    alert("data quality: x: 35% missing; z: a new category", 2)
    assert "a new category" in Pages()("/").text


@pytest.fixture
def asked(home):
    """A release that waits for approval."""
    request = Request("2026-03-01T06:00:00.000000+00:00", "c0ffee" * 6 + "c0ff", "runner", ["toy"])
    release_log.ask(Settings.read().lake, request)
    return request


def test_a_release_is_approved_from_a_page_once_and_its_next_deploy_finds_that(asked):
    pages = Pages()
    text = words(pages.until("/", lambda text: "waits for approval" in text))
    assert "Release c0ffeec0ff runner deployed it" in text
    form = pages.form("/", "approve-release") | {"reason": MARKUP}
    assert "Release c0ffeec0ff was approved." in words(pages.send("approve-release", form).text)
    other = pages.send("approve-release", form | {"token": "another-token-of-a-form"})
    assert "waits for no approval" in other.text
    lake = Settings.read().lake
    assert [(each.by, each.reason) for each in release_log.approvals(lake)] == [(audit_log.person(), MARKUP)]
    assert (release_log.is_approved(lake, asked.commit), release_log.waiting(lake)) == (True, None)


def test_with_four_eyes_who_deploys_a_release_does_not_approve_it(asked, monkeypatch):
    monkeypatch.setenv("EVERGREEN_UI_FOUR_EYES", "1")
    later = replace(asked, at="2026-03-02T06:00:00.000000+00:00", commit="b" * 40, by=audit_log.person())
    release_log.ask(Settings.read().lake, later)
    pages = Pages()
    pages.until("/", lambda text: "bbbbbbbbbb" in text)
    form = pages.form("/", "approve-release") | {"reason": "mine"}
    assert "asks for two persons" in pages.send("approve-release", form).text
    assert release_log.approvals(Settings.read().lake) == []


def test_a_release_that_another_one_followed_waits_no_longer(asked):
    lake = Settings.read().lake
    release_log.ask(lake, replace(asked, at="2026-03-01T07:00:00.000000+00:00"))
    assert release_log.waiting(lake).at == asked.at, "it was asked for before"
    release_log.append(lake, Entry("2026-03-02T06:00:00.000000+00:00", "d" * 40, "deploy", "runner", ["toy"]))
    assert release_log.waiting(lake) is None
