"""What is done from a page: by the same code as the commands, once, by the name of the person, and by nobody else."""

import json
from datetime import UTC, datetime

import pytest

from evergreen.lake import audit_log
from evergreen.locks import model_lock
from evergreen.stores import Stores
from tests.prepared_homes import ingested
from tests.ui.running_ui import Pages, words
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
