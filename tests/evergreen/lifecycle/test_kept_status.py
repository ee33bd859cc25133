"""What status read is kept while nothing of a model has changed, and never longer."""

import json
import shutil

import pandas as pd
import pytest

from evergreen import files
from evergreen.definition import loader
from evergreen.ingestion.quarantine import Entry
from evergreen.lake import audit_log
from evergreen.lake.delta_lake import DeltaLake
from evergreen.lake.lake import INGEST
from evergreen.lifecycle import decision_log, kept_status, status
from evergreen.lifecycle.decision import Decision, State
from evergreen.registry import sqlite_reader
from evergreen.registry.version import CHALLENGER
from evergreen.stores import Stores
from tests.running_service import JANUARY, promoted

NOW = JANUARY[-1]


@pytest.fixture
def lived(home, worlds, monkeypatch):
    """A model with a champion and a decision; what was written a moment ago counts as settled."""
    monkeypatch.setattr(files, "_SETTLED", 0)
    with worlds("toy") as write:
        write()
        promoted(JANUARY)
        decide("nothing", "no drift")
        yield write


def decide(action, reason, day=0):
    at = NOW + pd.Timedelta(days=day)
    state = State(as_of=at, wish="", last_trained=None, new_rows=0)
    decision_log.record(Stores.open().lake, "toy", state, Decision(action, reason))


def looked():
    """The line of the model, and whether its tables were opened for it."""
    opened = []
    with pytest.MonkeyPatch.context() as patch:
        real = DeltaLake.watermark
        patch.setattr(DeltaLake, "watermark", lambda *given: opened.append(given) or real(*given))
        (line,) = status.status(Stores.open(), pd.Timestamp.now("UTC"))
    return line, bool(opened)


def test_a_model_that_has_not_changed_is_not_read_again(lived):
    first, opened = looked()
    assert (opened, first.champion, first.decided) == (True, "1", "nothing: no drift")
    assert looked() == (first, False)


def hold():
    entry = Entry("toy", "b1", *[NOW.isoformat()] * 3, rows=1, state="held", results=[])
    Stores.open().quarantine.hold(entry, pd.DataFrame({"x": [1.0]}), "<p>page</p>")


def land():
    model = loader.load("toy")
    rows = model.source.function(NOW, NOW + pd.Timedelta(days=1))
    Stores.open().lake.land(model, rows, "b1", NOW, app=INGEST, mark=NOW)


CHANGES = {
    "rows": land,
    "a batch in quarantine": hold,
    "a decision": lambda: decide("alert", "drift", 1),
    "an alias": lambda: Stores.open().registry.alias(Stores.open().registry.version("toy", "1"), CHALLENGER),
    "a tag": lambda: Stores.open().registry.tag(Stores.open().registry.version("toy", "1"), decision="reject"),
    "a version": lambda: promoted(JANUARY),
    "a line of the audit log": lambda: audit_log.write(Stores.open().lake, "toy", "note", "x", NOW),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_is_read_again_and_told(lived, change):
    looked()
    CHANGES[change]()
    found, opened = looked()
    assert opened
    kept_status.file().unlink()
    assert looked()[0] == found


def test_the_note_of_a_file_is_of_now(lived):
    looked()
    lived("1 / 0\n")
    assert "ZeroDivisionError" in looked()[0].note
    lived()
    assert looked()[0].note == ""


def test_a_change_of_this_moment_is_never_taken_for_settled(lived, monkeypatch):
    monkeypatch.setattr(files, "_SETTLED", 60_000_000_000)
    looked()
    assert looked()[1]


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"toy": 1}', '{"registry": "", "versions": {}, "models": {"toy": ["x", {"moon": 1}]}}']
)
def test_a_spoilt_file_is_as_none(lived, text):
    first, _ = looked()
    kept_status.file().write_text(text)
    assert looked() == (first, True)
    assert looked() == (first, False)
    assert list(json.loads(kept_status.file().read_text())["models"]) == ["toy"]


def test_what_another_release_kept_is_read_anew(lived, monkeypatch):
    first, _ = looked()
    monkeypatch.setattr(kept_status.provenance, "release", lambda: "99.0")
    assert looked() == (first, True)


def test_a_lake_that_shows_no_changes_is_read_each_time(lived, monkeypatch):
    looked()
    monkeypatch.setattr(DeltaLake, "uri", lambda *given, of=DeltaLake.uri: f"file://{of(*given)}")
    assert looked()[1]
    assert looked()[1]


def test_what_cannot_be_kept_is_no_error(lived):
    folder = kept_status.file().parent
    shutil.rmtree(folder, ignore_errors=True)
    folder.write_text("a file in the place of the folder")
    first, opened = looked()
    assert opened
    assert looked() == (first, True)


def test_of_a_registry_whose_changes_cannot_be_seen_every_model_is_read_each_time(lived, monkeypatch):
    looked()
    monkeypatch.setattr(type(Stores.open().registry), "fingerprints", lambda _: None)
    monkeypatch.setattr(kept_status.sqlite_reader, "files_of", lambda _: [])
    assert [looked()[1] for _ in range(3)] == [True] * 3


@pytest.mark.parametrize("uri", ["http://127.0.0.1:5000", "postgresql://ours/mlflow", "sqlite:///x.db?timeout=30"])
def test_only_a_store_of_files_shows_that_it_has_not_changed(uri):
    assert sqlite_reader.files_of(uri) == []
