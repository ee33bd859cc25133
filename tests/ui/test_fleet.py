"""What the UI knows of all models: read when somebody asks, again only where something changed, kept for bad times."""

import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from evergreen.errors import LakeError
from evergreen.lake import audit_log, state_format
from evergreen.lake.lake import AUDIT, ROWS
from evergreen.lifecycle import decision, decision_log
from evergreen.lifecycle.decision import Decision, State
from evergreen.lifecycle.status import status
from evergreen.settings import Settings
from evergreen.stores import Stores
from tests.running_service import JANUARY, promoted
from tests.ui.running_ui import Pages, words
from ui.known import activity as activities
from ui.known import fleet as fleets
from ui.known import summary
from ui.known.activity import Activity, Filter
from ui.known.fleet import Fleet
from ui.known.health import Level
from ui.known.summary import Summary
from ui.site import Site

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture(autouse=True)
def _no_rest(monkeypatch):
    monkeypatch.setattr(fleets, "FRESH", 0.0)
    monkeypatch.setattr(activities, "FRESH", 0.0)


@pytest.fixture
def read(monkeypatch):
    """The names of the models that are read, as they are."""
    found, usual = [], summary.of
    monkeypatch.setattr(summary, "of", lambda stores, name: (found.append(name), usual(stores, name))[1])
    return found


def test_only_what_changed_is_read_again(write_model, read):
    write_model()
    fleet = Fleet()
    fleet.known(60)
    fleet.known(60)
    assert read == ["toy"]
    write_model("\n# changed\n", name="toy")
    fleet.known(60)
    assert read == ["toy", "toy"]


def test_after_a_start_only_what_changed_meanwhile_is_read(write_model, read):
    write_model()
    write_model(name="twin")
    Fleet().known(60)
    version = promoted(JANUARY)
    read.clear()
    assert Fleet().known(60).find("toy").champion == version.number
    assert read == ["toy"]


def test_a_promotion_is_seen_by_the_next_request(write_model):
    write_model()
    fleet = Fleet()
    assert fleet.known(60).find("toy").champion == ""
    version = promoted(JANUARY)
    assert fleet.known(60).find("toy").champion == version.number


def test_a_model_without_a_file_that_still_answers_is_shown(write_model):
    path = write_model()
    promoted(JANUARY)
    path.unlink()
    (found,) = Fleet().known(60).summaries
    assert (found.health.level.name, found.champion) == ("BAD", "1")
    assert "retire" in found.health.reason or "does not exist" in found.health.reason


def test_without_a_request_nothing_is_read(write_model, read):
    write_model()
    Fleet()
    time.sleep(0.3)
    assert read == []


def test_while_the_stores_are_away_the_page_shows_what_it_last_knew_and_since_when(write_model):
    write_model()
    promoted(JANUARY)
    Fleet().known(60)

    def away() -> Stores:
        raise LakeError("The bucket does not answer.")

    site = Site(Fleet(open=away), open=away)
    text = Pages(site)("/models").text
    assert "The stores cannot be read now." in text
    assert "The bucket does not answer." in text
    assert "version 1 is champion" in text or "it has not been monitored yet" in text


def test_what_is_kept_in_another_form_is_read_anew(write_model):
    write_model()
    Fleet().known(60)
    fleets._file().write_text('{"at": "2026-01-01T00:00:00+00:00", "models": {"toy": ["", "{}"]}}')
    assert [found.name for found in Fleet().known(60).summaries] == ["toy"]


def alert(model, reason, by_hours=0.0):
    at = pd.Timestamp(datetime.now(UTC)).as_unit("us") + pd.Timedelta(hours=by_hours)
    decision_log.record(Stores.open().lake, model, State(at, "", None, 0), Decision("alert", reason))


def note(model):
    audit_log.write(Stores.open().lake, model, "decision", "nothing", pd.Timestamp.now("UTC"), detail={"reason": "r"})


def lake_folder():
    return Path(Settings.read().lake)


@pytest.mark.parametrize("there", ["gone", "an empty folder, as of a disk that is not mounted"])
def test_a_lake_that_is_gone_is_told_and_nothing_that_was_known_is_lost(write_model, there):
    write_model()
    alert("toy", "x drifted")
    note("toy")
    fleet, activity = Fleet(), Activity()
    fleet.known(60)
    activity.wait(60)
    lake_folder().rename(lake_folder().with_name("away"))
    if there != "gone":
        lake_folder().mkdir()
    for known in (fleet.known(60), Fleet().known(60)):
        assert "The lake holds nothing of the models whose rows it had" in known.problem
        assert known.find("toy").alert == "x drifted"
    activity.wait(60)
    assert "holds none of the audit logs that were known" in activity.state.problems[0]
    assert activity.page(Filter()).found == 1
    if there != "gone":
        lake_folder().rmdir()
    lake_folder().with_name("away").rename(lake_folder())
    assert fleet.known(60).problem == ""
    activity.wait(60)
    assert (activity.state.problems, activity.page(Filter()).found) == ((), 1)


def test_a_registry_that_is_gone_is_told_and_the_champion_stays_known(write_model):
    write_model()
    version = promoted(JANUARY)
    fleet = Fleet()
    assert fleet.known(60).find("toy").champion == version.number
    store = Settings.read().home / "mlflow.db"
    store.rename(store.with_name("away.db"))
    known = fleet.known(60)
    assert "holds no version of the models that it had" in known.problem
    assert known.find("toy").champion == version.number
    store.with_name("away.db").rename(store)
    assert fleet.known(60).problem == ""


def spoil_quarantine():
    path = lake_folder() / "toy" / "quarantine" / "b1" / "entry.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"model": "to')
    return path


def spoil_decisions():
    path = lake_folder() / "toy" / "decisions" / "_delta_log" / f"{1:020}.json"
    path.write_text("{ not json\n")
    return path


@pytest.mark.parametrize("spoil", [spoil_quarantine, spoil_decisions])
def test_a_damaged_file_of_one_model_hides_no_other_model(write_model, spoil):
    write_model()
    write_model(name="twin")
    alert("toy", "x drifted")
    fleet = Fleet()
    fleet.known(60)
    path = spoil()
    alert("twin", "z drifted")
    known = fleet.known(60)
    assert known.problem == ""
    assert known.find("twin").alert == "z drifted"
    assert (known.find("toy").alert, known.find("toy").health.level) == ("x drifted", Level.BAD)
    assert known.find("toy").health.reason.startswith("stores: ")
    assert Fleet().known(60).find("toy").health.level == Level.BAD
    assert [line.note[:8] for line in status(Stores.open(), pd.Timestamp.now("UTC")) if line.model == "twin"] == [""]
    path.unlink()
    assert "stores" not in {finding.side for finding in fleet.known(60).find("toy").findings}


def test_a_fault_of_the_ui_itself_is_told(write_model, monkeypatch):
    write_model()
    fleet = Fleet()
    fleet.known(60)
    monkeypatch.setattr(fleets.model_files, "names", lambda: 1 / 0)
    assert fleet.known(60).problem.startswith("A fault of Evergreen itself, ZeroDivisionError")


def test_when_every_model_fails_the_stores_are_away(write_model, monkeypatch):
    def away(stores, name):
        raise LakeError("The bucket does not answer.")

    for name in ("toy", "twin", "third", "fourth", "fifth"):
        write_model(name=name)
    fleet = Fleet()
    fleet.known(60)
    monkeypatch.setattr(fleets, "lake_state", away)
    known = fleet.known(60)
    assert (known.problem, known.find("toy").health.level) == ("The bucket does not answer.", Level.UNKNOWN)


@pytest.mark.parametrize(
    ("reason", "level"),
    [("x drifted", Level.ATTENTION), (f"{decision.MONITOR_FAILED}: the source answers 500", Level.BAD)],
)
def test_a_model_with_an_alert_is_not_well(write_model, reason, level):
    write_model()
    alert("toy", reason)
    health = Fleet().known(60).find("toy").health
    assert (health.level, health.reason) == (level, reason)


NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "step", "told"),
    [
        (timedelta(hours=3), 3600.0, ""),
        (timedelta(days=2), 86400.0, ""),
        (timedelta(days=4), 86400.0, "the monitor has not looked since 2026-02-25 12:00 UTC; it used to look every 1d"),
        (timedelta(days=4), float("nan"), ""),
    ],
)
def test_a_check_that_did_not_come_is_missed_when_the_page_is_shown(since, step, told):
    found = Summary("toy", written=(NOW - since).isoformat(), step=step).at(NOW)
    assert [finding.reason for finding in found.findings] == [told] * bool(told)


@pytest.mark.parametrize(("retrained", "told"), [(False, 1), (True, 0)])
def test_a_request_that_has_lapsed_waits_for_no_answer(retrained, told):
    kept = Summary("toy", pending="2", until=NOW.isoformat(), retrained=retrained)
    assert kept.at(NOW - timedelta(minutes=1)).pending == "2"
    found = kept.at(NOW + timedelta(minutes=1))
    assert found.pending == ""
    assert sum("lapsed: train again" in finding.reason for finding in found.findings) == told


def test_a_lake_that_does_not_answer_is_asked_once_for_all_parts_of_a_page(write_model, monkeypatch):
    def hanging(lake):
        asked.append(lake)
        raise OSError("The bucket does not answer.")

    asked: list[str] = []
    write_model()
    Fleet().known(60)
    monkeypatch.setattr(state_format, "_opened", set())
    monkeypatch.setattr(state_format, "_away", {})
    monkeypatch.setattr(state_format, "_text", hanging)
    states = {fleets.state_of(Stores.open, "toy", (ROWS, AUDIT)) for _ in range(7)}  # the parts of a page
    assert (len(states), len(asked)) == (1, 1)


def test_while_a_lake_hangs_pages_show_what_was_known(write_model, monkeypatch):
    def hanging(lake):
        answers.wait(600)

    answers = threading.Event()
    write_model()
    version = promoted(JANUARY)
    pages = Pages()
    before = {path: pages.until(path, lambda text: "Reading" not in text) for path in ("/", "/models", "/models/toy")}
    monkeypatch.setattr(state_format, "_opened", set())
    monkeypatch.setattr(state_format, "_text", hanging)
    for path, text in before.items():
        assert words(text.partition("<main")[2])[:100] in words(pages(path).text.partition("<main")[2])
    assert f"version {version.number} is champion" in pages("/models/toy").text
    assert not answers.is_set()
    answers.set()
    pages.until("/models/toy", lambda text: "Reading" not in text)
