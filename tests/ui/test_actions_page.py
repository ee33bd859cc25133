"""The first page: it says that nothing waits only once everything was looked at."""

import threading
from dataclasses import replace
from datetime import UTC, datetime

import pandas as pd
import pytest

from evergreen.errors import LakeError, RunningError
from evergreen.lake import release_log
from evergreen.lifecycle import decision_log
from evergreen.lifecycle.decision import Decision, State
from evergreen.stores import Stores
from flows.runtime import runs, schedules
from flows.runtime.runs import Run, Troubled
from tests.ui.running_ui import Pages, forms, words
from ui.known import summary

pytestmark = pytest.mark.usefixtures("home")
FAILED = Run("1", "refresh", "toy", "Failed", "FAILED", "The source is gone.", "2026-11-30T10:00:00+00:00", "http://x")
CLEAR = "Nothing waits for a person"


@pytest.fixture
def server(monkeypatch):
    """A Prefect server that answers what a test sets."""
    monkeypatch.setattr(runs, "has_server", lambda: True)
    monkeypatch.setattr(schedules, "paused", dict)
    return lambda answer: monkeypatch.setattr(runs, "troubled", answer)


def test_while_failed_runs_are_read_nobody_is_told_that_nothing_waits(write_model, server):
    write_model()
    there = threading.Event()
    server(lambda: there.wait(60) and Troubled([FAILED]))
    pages = Pages()
    text = pages("/").text
    assert CLEAR not in text
    assert "Failed runs are being read" in text
    assert "data-soon" in text
    there.set()
    assert CLEAR not in pages.until("/", lambda text: "The source is gone." in text)


def test_a_server_that_does_not_answer_hides_no_failed_run(write_model, server):
    def down():
        raise RunningError("Prefect's server could not look for failed runs: connection refused.")

    write_model()
    server(down)
    text = words(Pages().until("/", lambda text: "are not known" in text))
    assert "Failed runs are not known: Prefect's server could not look for failed runs" in text
    assert CLEAR not in text


def test_releases_that_cannot_be_read_are_told(write_model, monkeypatch):
    def away(lake):
        raise LakeError("The bucket does not answer.")

    write_model()
    monkeypatch.setattr(release_log, "waiting", away)
    text = Pages().until("/", lambda text: "are not known" in text)
    assert "Releases that wait for approval are not known: The bucket does not answer." in text
    assert CLEAR not in text


def test_once_all_is_read_and_nothing_waits_the_page_says_so(write_model, server):
    write_model()
    server(lambda: Troubled([]))
    assert f"{CLEAR}: 1 model looked at" in words(Pages().until("/", lambda text: CLEAR in text))


def test_what_is_not_shown_of_a_fleet_in_trouble_is_counted(write_model, server):
    at = pd.Timestamp(datetime.now(UTC)).as_unit("us")
    for place in range(22):
        write_model(name=f"m{place:02d}")
        decision_log.record(Stores.open().lake, f"m{place:02d}", State(at, "", None, 0), Decision("alert", "x drifted"))
    server(lambda: Troubled([], unseen=7))
    text = Pages().until("/", lambda text: "7 more runs failed" in text and "2 more: <a" in text)
    assert text.count("x drifted") == 20
    assert "2 more: <a" in text
    assert '<span class="count">29</span>' in text


def test_a_request_that_has_lapsed_is_shown_without_the_buttons_that_answer_it(write_model, monkeypatch):
    write_model()
    usual, until = summary.of, "2026-01-01T00:00:00+00:00"
    monkeypatch.setattr(summary, "of", lambda stores, name: replace(usual(stores, name), pending="2", until=until))
    pages = Pages()
    text = words(pages("/").text)
    assert "version 2 was not answered by 2026-01-01 00:00 UTC, and the request has lapsed: train again" in text
    assert "Nothing waits" not in text
    assert {"/act/approve", "/act/refuse"}.isdisjoint(forms(pages("/").text))
