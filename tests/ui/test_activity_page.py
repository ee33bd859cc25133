"""The story of all models: newest first, filtered and paged, what answered when, and the proof of a log."""

from contextlib import suppress
from typing import get_args

import pandas as pd
import pytest
from deltalake import DeltaTable, write_deltalake

from evergreen.errors import LakeError
from evergreen.lake import audit_log
from evergreen.lake.audit_log import Line
from evergreen.lake.lake import AUDIT
from evergreen.settings import Settings
from evergreen.stores import Stores
from tests.ui.running_ui import Pages
from ui import story as story_of
from ui.known import activity
from ui.known.activity import Activity, Filter
from ui.site import Site

AT = pd.Timestamp("2026-03-01T06:00", tz="UTC")
MARKUP = "<script>alert(1)</script>"


@pytest.fixture(autouse=True)
def _no_rest(home, monkeypatch):
    monkeypatch.setattr(activity, "FRESH", 0.0)


def write(act, subject, model="toy", hours=0, by="", **detail):
    return audit_log.write(
        Stores.open().lake, model, act, subject, AT + pd.Timedelta(hours=hours), by=by, detail=detail
    )


@pytest.fixture
def story():
    """The acts of two models."""
    write("ingest", "b1", fate="landed", rows=350, until=AT.isoformat(), notes=[], source="files")
    write("verdict", "1", hours=1, decision="promote", reason="it beats the dummy", against="")
    write("promotion", "1", hours=2, judged="1", replaces="")
    write("promotion", "2", model="late", hours=3, judged="2", replaces="1")
    write("promotion", "2", hours=30, judged="2", replaces="1")
    write("rollback", "1", hours=40, by="ada", replaces="2", reason="complaints", moment="x")


def page_of(index, *wanted, **more):
    index.wait(60)
    return index.page(*wanted, **more)


def texts(lines):
    return [f"{line.model} {line.act} {line.subject}" for line in lines]


def test_lines_of_all_models_come_newest_first(story):
    found = page_of(Activity(), Filter())
    assert texts(found.lines) == [
        "toy rollback 1",
        "toy promotion 2",
        "late promotion 2",
        "toy promotion 1",
        "toy verdict 1",
        "toy ingest b1",
    ]


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (Filter(model="toy"), 5),
        (Filter(model="to"), 0),
        (Filter(like="TO"), 5),
        (Filter(act="promotion"), 3),
        (Filter(person="ada"), 1),
        (Filter(person=activity.SYSTEM), 5),
        (Filter(since=AT.to_pydatetime(), until=(AT + pd.Timedelta(hours=2)).to_pydatetime()), 2),
        (Filter(model="'; DROP TABLE lines; --"), 0),
    ],
)
def test_a_filter_is_met_by_every_line_that_is_shown(story, wanted, count):
    assert page_of(Activity(), wanted).found == count


def test_pages_hold_each_line_once_and_one_beyond_the_end_is_the_last(story):
    index = Activity()
    pages = [page_of(index, Filter(), page, size=4) for page in (1, 2, 9)]
    assert [(len(found.lines), found.page, found.pages) for found in pages] == [(4, 1, 2), (2, 2, 2), (2, 2, 2)]


def test_only_what_was_written_since_is_read(story, monkeypatch):
    index = Activity()
    page_of(index, Filter())
    read, usual = [], audit_log.read

    def noted(lake, name, **more):
        read.append((name, more))
        return usual(lake, name, **more)

    monkeypatch.setattr(audit_log, "read", noted)
    page_of(index, Filter())
    write("decision", "train", hours=50, reason="drift", wish="monitor")
    assert texts(page_of(index, Filter()).lines)[0] == "toy decision train"
    assert read == [("toy", {"first": 5})]
    assert page_of(Activity(), Filter()).found == 7  # a new process reads nothing
    assert len(read) == 1


def test_an_index_that_is_deleted_or_spoilt_is_made_anew(story):
    index = Activity()
    page_of(index, Filter())
    file = activity._place()
    file.unlink()
    assert page_of(index, Filter()).found == 6
    file.write_bytes(b"no database" * 1000)
    with suppress(LakeError):  # the first to come finds it spoilt: this request, or the reading that it begins
        page_of(index, Filter())
    assert page_of(index, Filter()).found == 6


def test_a_log_that_was_written_anew_replaces_what_the_index_held(story):
    index = Activity()
    page_of(index, Filter())
    table = DeltaTable(Stores.open().lake.uri("toy", AUDIT))
    rows = table.to_pandas()
    rows.loc[rows["number"] == 5, "hash"] = "0" * 64
    write_deltalake(table, rows[rows["number"] != 1], mode="overwrite")
    assert page_of(index, Filter(model="toy")).found == 4


def test_the_story_names_who_did_what_to_which_version_and_why(story):
    text = Pages()("/activity").text
    assert "ada rolled back" in text
    assert "complaints" in text
    assert 'href="/models/toy/versions/2"' in text
    assert 'href="/activity/late"' in text
    assert text.count('<li id="') == 6


def test_what_people_wrote_is_escaped_cut_and_still_there(story):
    write("rollback", "2", hours=60, by=MARKUP, replaces="1", reason=MARKUP + "ן" * 10_000, moment="y")
    pages = Pages()
    for path in ("/activity", "/activity?by=%3Cscript%3E", "/activity/toy", "/activity/toy/6"):
        page = pages(path)
        assert page.status_code == 200
        assert MARKUP not in page.text
        assert len(page.content) < 500_000
    assert "10025 characters" in pages("/activity").text


@pytest.mark.parametrize(
    ("at", "says"),
    [
        ("2026-03-01T07:30", "Before the first promotion"),
        ("2026-03-01T08:00", "Version 1</a>"),
        ("2026-03-02T12:00", "Version 2</a>"),
        ("2026-03-02T23:00:00+01:00", "Version 1</a>"),
    ],
)
def test_what_answered_at_a_time_is_told(story, at, says):
    page = Pages()("/activity/toy", params={"at": at})
    assert page.status_code == 200
    assert says in page.text
    assert page.text.count('class="chosen"') == (says != "Before the first promotion")


def test_a_model_that_was_promoted_very_often_has_a_page_that_can_be_read(home):
    times = [AT + pd.Timedelta(minutes=minute) for minute in range(1400)]
    lines = [
        Line("toy", place, at.isoformat(), "", "promotion", str(place), "", "", "{}", "", "", "")
        for place, at in enumerate(times, 1)
    ]
    pages = Pages()
    with pages.site.activity._connected() as index:
        index.executemany(activity._STORED, [activity._row("toy", line) for line in lines])
    page = pages("/activity/toy", params={"at": times[1].isoformat()})
    assert "1200 earlier ones" in page.text
    assert "Version 2</a>" in page.text
    assert len(page.content) < 500_000


def test_what_cannot_be_understood_of_a_request_is_said_and_left_out(story):
    pages = Pages()
    page = pages("/activity?since=yesterday&act=dance&page=many&until=9999-12-31")
    assert page.status_code == 422
    assert "is no time" in page.text
    assert "There is no act" in page.text
    assert page.text.count('<li id="') == 6
    assert pages("/activity/toy/99").status_code == 404
    assert pages("/activity/nobody").status_code == 404
    assert pages("/activity/..%2F..").status_code == 404


def test_the_proof_says_whether_the_log_is_whole(story):
    pages = Pages()
    whole = pages("/activity/toy/proof").text
    assert "The log is whole" in whole
    assert audit_log.read(Stores.open().lake, "toy")[-1].seal in whole
    table = DeltaTable(Stores.open().lake.uri("toy", AUDIT))
    rows = table.to_pandas()
    rows.loc[rows["number"] == 5, "by"] = "bob"
    write_deltalake(table, rows, mode="overwrite")
    assert "Line 5 (rollback of 1) was changed after it was written." in pages("/activity/toy/proof").text


def test_every_act_that_a_log_can_hold_has_a_sentence_and_a_name():
    assert set(story_of.KINDS) == set(get_args(audit_log.Act))
    assert set(story_of._SENTENCES) == set(story_of.KINDS)


@pytest.mark.parametrize("act", [*story_of.KINDS, "later"])
@pytest.mark.parametrize(
    "detail", ["{}", "{", "[]", '{"rows": 3, "reason": ["a", {"b": null}], "answers": 1, "fate": {}}']
)
def test_a_line_of_any_release_or_that_somebody_wrote_is_told(act, detail):
    told = story_of.told(Line("toy", 1, "2026", "", act, "7", "", "", detail, "", "", ""))
    assert told.text
    assert isinstance(told.why, str)


def test_a_home_without_any_act_says_so():
    page = Pages()("/activity")
    assert page.status_code == 200
    assert "Nothing was done yet" in page.text


def test_a_model_whose_file_was_deleted_keeps_its_story(story):
    page = Pages()("/activity/late")
    assert page.status_code == 200
    assert "promoted" in page.text


def test_while_the_stores_are_away_the_story_shows_what_it_last_knew(story):
    page_of(Activity(), Filter())

    def away() -> Stores:
        raise LakeError("The bucket does not answer.")

    site = Site(activity=Activity(open=away), open=away)
    pages = Pages(site)
    page = pages("/activity")
    assert page.status_code == 200
    assert "The bucket does not answer." in page.text
    assert page.text.count('<li id="') == 6
    assert pages("/activity/toy/proof").status_code == 503


def test_one_log_that_cannot_be_read_hides_no_other(story):
    for path in (Settings.read().home / "lake" / "late" / AUDIT / "_delta_log").glob("*.json"):
        path.write_text("{")
    index = Activity()
    assert {line.model for line in page_of(index, Filter()).lines} == {"toy"}
    assert len(index.state.problems) == 1
