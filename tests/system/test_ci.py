"""`evergreen ci` in a repository of a team: which models a change affects, and what it does to them."""

import json
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from evergreen.definition import loader
from evergreen.experiments.revision import affected, revision
from evergreen.lake import audit_log
from evergreen.lake.delta_lake import DeltaLake
from evergreen.lake.lake import ROWS
from evergreen.settings import Settings
from evergreen.stores import Stores
from flows.ingest import ingest
from flows.refresh import refresh
from flows.runtime import change_check
from tests.command_line import called
from tests.conftest import CHECKOUT
from tests.repository import Repository
from tests.running_system import free_port

END = pd.Timestamp("2013-03-19", tz="UTC")
WORSE = """
from sklearn.dummy import DummyRegressor

model = model.model_copy(update={"estimator": DummyRegressor})
"""
HELPER = "from sklearn.linear_model import LinearRegression\n\n\ndef estimator():\n    return LinearRegression()\n"
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def repository(worlds, server):
    """A repository with two models, of which `toy` is in production; the other imports a module."""
    with worlds("toy") as write:
        write()
        ingest("toy", as_of=END)
        refresh("toy", as_of=END)
        models = Settings.read().models
        (models / "lib").mkdir()
        (models / "lib" / "linear.py").write_text(HELPER)
        other = (models / "toy.py").read_text().replace('name="toy"', 'name="other"')
        (models / "other.py").write_text(other + "\nfrom lib.linear import estimator\n")
        git("init", "--initial-branch=main", "--quiet")
        commit("two models")
        yield models


def git(*words):
    return Repository(Settings.read().models.parent).git(*words)


def commit(message):
    git("add", "models")
    git("commit", "--quiet", "--message", message)


@pytest.fixture
def branch(repository):
    """A branch whose commits and files are gone afterwards."""
    git("switch", "--quiet", "--force-create", "change", "main")
    yield repository
    git("reset", "--quiet", "--hard")
    git("clean", "--quiet", "--force", "models")
    git("switch", "--quiet", "main")


def check(*words):
    done = called("ci", "--as-of", "2013-03-19", "--json", *words)
    assert "Traceback" not in done.stderr
    return done, json.loads(done.stdout) if done.stdout else {}


def comment():
    return (Settings.read().home / "reports" / "ci.md").read_text()


def state():
    registry = Stores.open().registry
    versions = [(version.number, version.aliases, version.tags) for version in registry.versions("toy")]
    return versions, len(audit_log.read(Stores.open().lake, "toy"))


def test_a_change_of_no_model_says_so(branch):
    (branch.parent / "README.md").write_text("more")
    git("add", "README.md")
    git("commit", "--quiet", "--message", "words")
    done, found = check()
    assert (done.returncode, found["models"]) == (0, [])
    assert comment().startswith("<!-- evergreen ci -->\n## Evergreen: no model is affected")


def test_what_makes_a_model_worse_fails_and_leaves_production_as_it_is(branch):
    path, before = branch / "toy.py", state()
    path.write_text(path.read_text() + WORSE)
    done, found = check()
    assert done.returncode == 3, done.stderr
    (change,) = found["models"]
    assert (change["model"], change["kind"], change["reason"]) == ("toy", "changed", "toy.py changed")
    assert change["compared"]["variants"][0]["found"] == "worse"
    assert change["head"]["decision"] == "reject"
    assert change["base"]["decision"] != "reject"
    assert "| ❌ | toy | Worse than the base on production's history, beyond chance. |" in comment()
    assert state() == before


def test_head_is_judged_by_its_own_estimator_where_base_is_fitted_meanwhile(branch, monkeypatch):
    path, settings, usual = branch / "toy.py", Settings.read(), change_check.evaluate.fn
    path.write_text(path.read_text() + WORSE)
    there = revision("main", settings.models, settings.home / "experiments" / "revisions")
    check = change_check.Check(there, settings.models, settings.home / "experiments", END, 3)
    judged = partial(change_check.judged_alone, check, "toy", Stores.open().lake.version("toy"))
    sides = []

    def evaluated(stores, challenger):  # head's, between its fit and its evaluation
        with monkeypatch.context() as patch:
            patch.setattr(change_check.evaluate, "fn", usual)
            patch.setenv("EVERGREEN_MODELS", str(there.folder))
            sides.append(judged(str(there.folder)))
        return usual(stores, challenger)

    monkeypatch.setenv("EVERGREEN_MODELS", str(settings.models))
    monkeypatch.setattr(change_check.evaluate, "fn", evaluated)
    sides.append(judged(str(settings.models)))
    base, head = sides
    assert base.decision != "reject", base.reason
    assert head.decision == "reject", head.reason


def test_all_that_a_check_reads_is_of_the_version_that_was_pinned_at_its_start(branch, monkeypatch):
    path, settings, read = branch / "toy.py", Settings.read(), []
    path.write_text(path.read_text().replace("max_value=100", "max_value=90"))
    there = revision("main", settings.models, settings.home / "experiments" / "revisions")
    found = affected(there, settings.models)
    pinned = Stores.open().lake.version("toy")
    usual = DeltaLake.opened

    def opened(lake, model, table=ROWS, version=None):
        read.append((table, version))
        return usual(lake, model, table, version)

    monkeypatch.setattr(DeltaLake, "opened", opened)
    monkeypatch.setattr(change_check, "run", lambda experiment, _: read.append((ROWS, experiment.version)))
    monkeypatch.setattr(
        change_check, "_both_judged", lambda _, __, version, **___: (read.append((ROWS, version)), None)
    )
    check = change_check.Check(there, settings.models, settings.home / "experiments", END, 3)
    change_check.checked(check, found[0], None)
    assert len(read) > 5
    assert read.count((ROWS, None)) == 1  # which version is the newest
    assert set(read) == {(ROWS, None), (ROWS, pinned)}


@pytest.mark.slow
def test_what_makes_a_model_better_passes(branch):
    path = branch / "toy.py"
    path.write_text(path.read_text().replace('window="21d"', 'window="7d"'))
    done, found = check()
    assert done.returncode == 0, done.stderr
    assert found["models"][0]["verdict"] == "Better than the base on production's history, beyond chance."
    assert "| ✅ | toy |" in comment()


@pytest.fixture
def another_lock(branch):
    """A lock of packages that the base has not."""
    lock = branch.parent / "requirements.lock"
    lock.write_text("numpy==0.1\n")
    yield
    lock.unlink()


def test_a_changed_lock_lets_every_model_be_trained_anew_and_compares_no_files(another_lock):
    before = state()
    done, found = check("toy")
    assert done.returncode == 0, done.stderr
    (change,) = found["models"]
    assert (change["kind"], change["reason"]) == ("packages", "the lock of packages changed")
    assert (change["compared"], change["base"], change["head"]["decision"]) == (None, None, "promote")
    assert change["verdict"] == "Not compared with the base. What it trains passes production's gates."
    assert change["verdict"] in comment()
    assert state() == before


def test_two_changed_models_with_rows_are_each_compared_with_their_own_base(branch, monkeypatch, tmp_path):
    lake = tmp_path / "lake"
    shutil.copytree(Settings.read().lake, lake)
    monkeypatch.setenv("EVERGREEN_LAKE", str(lake))
    ingest("other", as_of=END)
    toy, other = branch / "toy.py", branch / "other.py"
    toy.write_text(toy.read_text() + WORSE)
    other.write_text(other.read_text().replace('window="21d"', 'window="14d"'))
    done, found = check("--periods", "3")
    assert done.returncode == 3, done.stderr
    changes = {change["model"]: change for change in found["models"]}
    assert {name: change["reason"] for name, change in changes.items()} == {
        "other": "other.py changed",
        "toy": "toy.py changed",
    }
    assert [len(change["compared"]["variants"]) for change in changes.values()] == [1, 1]
    assert (changes["toy"]["head"]["decision"], changes["toy"]["head"]["against"]) == ("reject", "2")
    assert (changes["other"]["head"]["decision"], changes["other"]["head"]["against"]) == ("promote", "")
    assert {change["base"]["decision"] for change in changes.values()} <= {"promote", "not enough evidence"}
    assert all(f"| {name} | " in comment() for name in changes)


def test_an_imported_module_affects_the_model_that_imports_it(branch):
    (branch / "lib" / "linear.py").write_text(HELPER + "\n\n# another word\n")
    done, found = check()
    (change,) = found["models"]
    assert (change["model"], change["reason"]) == ("other", "lib/linear.py changed")
    assert change["notes"] == ["other has no rows in the lake."]
    assert done.returncode == 5


def test_a_contract_that_production_breaks_and_what_callers_must_send_are_told(branch):
    path = branch / "toy.py"
    changed = path.read_text().replace("max_value=100", "max_value=11")
    path.write_text(changed.replace('features={"x": "number", "z": "number"}', 'features={"x": "number"}'))
    done, found = check("--periods", "3")
    assert done.returncode == 1
    (change,) = found["models"]
    assert "break the contract, so the next batch would be quarantined" in change["problems"][0]
    assert change["notes"] == ["Callers need not send `z` any more.", "The contract of the data changed."]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("this is no Python", "line 1"),
        ("raise SystemExit(3)", "does not run: SystemExit: 3"),
        ("model = 1", "defines no `model`"),
    ],
)
def test_a_file_that_does_not_load_is_told(branch, text, problem):
    (branch / "toy.py").write_text(text)
    done, found = check()
    assert done.returncode == 1
    assert problem in found["models"][0]["problems"][0]


def test_a_new_and_a_removed_model_are_told(branch):
    (branch / "third.py").write_text((branch / "toy.py").read_text().replace('name="toy"', 'name="third"'))
    (branch / "toy.py").unlink()
    done, found = check()
    assert {change["model"]: change["kind"] for change in found["models"]} == {"third": "added", "toy": "removed"}
    assert done.returncode == 0


def test_a_model_that_was_renamed_is_a_new_one_beside_a_champion_that_stays(branch):
    (branch / "toy.py").rename(branch / "second.py")
    done, found = check()
    assert {change["model"]: change["kind"] for change in found["models"]} == {"second": "added", "toy": "removed"}
    assert done.returncode == 1  # it still calls itself by the name before
    path = branch / "second.py"
    path.write_text(path.read_text().replace('name="toy"', 'name="second"'))
    done, found = check()
    assert done.returncode == 0
    assert "| ✅ | second | New: there are no production rows to compare it on." in comment()
    assert "| ✅ | toy | Removed: its champion, if it has one, goes on answering" in comment()


def test_a_registry_that_does_not_answer_leaves_it_untold_and_the_comment_says_so(branch, monkeypatch):
    path, before = branch / "toy.py", state()
    path.write_text(path.read_text() + WORSE)
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        done, found = check()
    assert done.returncode == 5, done.stderr
    (change,) = found["models"]
    assert change["unread"].startswith("Cannot ")
    assert "| ❔ | toy | Cannot be told, as production could not be read: Cannot " in comment()
    assert state() == before


def test_rows_of_the_pinned_version_that_are_vacuumed_away_meanwhile_leave_it_untold(branch, monkeypatch, tmp_path):
    """Production erases rows, with their history, while CI compares."""
    path = branch / "toy.py"
    path.write_text(path.read_text() + WORSE)
    settings, lake = Settings.read(), tmp_path / "lake"
    shutil.copytree(settings.lake, lake)
    usual = change_check._compared

    def erased_meanwhile(*given):
        Stores.open().lake.erase(loader.load("toy"), ROWS, [{"side": "up"}])
        return usual(*given)

    with monkeypatch.context() as patch:
        patch.setenv("EVERGREEN_LAKE", str(lake))
        patch.setattr(change_check, "_compared", erased_meanwhile)
        done, found = check("--periods", "3")
    assert done.returncode == 5, done.stderr
    assert "Cannot be told, as production could not be read" in comment()
    assert found["models"][0]["unread"]


def test_a_column_that_is_not_stored_leaves_it_undecided(branch):
    path = branch / "toy.py"
    path.write_text(path.read_text().replace('"z": "number"}', '"z": "number", "w": "number"}'))
    done, found = check()
    assert done.returncode == 5
    assert "Callers must send `w`" in found["models"][0]["notes"][0]
    assert "The table of toy has no column w" in found["models"][0]["notes"][1]


def test_names_that_mean_something_in_markdown_do_nothing(branch):
    path = branch / "toy.py"
    name = '"<script>|`@team`"'
    path.write_text(path.read_text().replace('"z": "number"}', f'"z": "number", {name}: "number"}}'))
    check()
    assert "<script>" not in comment()
    assert "@team" not in comment()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--base", "nowhere"], "there is no commit 'nowhere' here; fetch it"),
        (["--base", "--output=x"], "there is no commit '--output=x' here"),
        (["unknown"], "There is no model 'unknown'"),
    ],
)
def test_what_cannot_be_compared_is_told(branch, words, message):
    done, _ = check(*words)
    assert done.returncode == 1
    assert message in done.stderr


def test_models_in_no_repository_are_told(home, tmp_path):
    done, _ = check()
    assert done.returncode == 1
    assert "it is in no git repository" in done.stderr


@pytest.mark.slow
def test_as_a_process_with_a_change_of_no_model_it_takes_seconds(branch):
    command = [sys.executable, "-m", "cli.main", "ci"]
    done = subprocess.run(command, cwd=CHECKOUT, env=dict(os.environ), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "No model is affected" in done.stdout
    assert shutil.which("git")
    assert Path(Settings.read().home / "reports" / "ci.md").is_file()
