"""What a command that takes longer says it is doing: each step, or each of its subjects."""

from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from cli.main import app
from cli.parameters import _words
from flows.runtime import progress
from tests.toy import TURN, day_of


@pytest.fixture
def steps(home, write_model, monkeypatch):
    """Run a command here; the steps that it showed."""
    write_model()
    said = []
    monkeypatch.setattr(progress, "doing", said.append)

    def run(*words):
        CliRunner().invoke(app, [*words])
        return said

    return run


def test_each_model_is_named_by_what_looks_at_all_of_them(steps):
    assert steps("audit", "--verify") == ["toy, 1 of 1"]
    assert steps("doctor")[1:] == ["toy, 1 of 1"]


def test_each_version_is_named_that_is_trained_again(steps, monkeypatch):
    found = SimpleNamespace(same=True, model="toy", version="1", environment=[], findings=[], first="")
    monkeypatch.setattr("evergreen.governance.reproduction.reproduce", lambda *_: found)
    assert steps("reproduce", "toy@1", "toy@2", "--json") == [
        "training toy@1 again, 1 of 2",
        "training toy@2 again, 2 of 2",
    ]


def test_the_steps_of_an_erasure_a_judgement_and_a_draft_are_named(steps, tmp_path):
    day_of(TURN).to_csv(tmp_path / "rows.csv", index=False)
    assert steps("gate", "toy") == ["judging version challenger on its holdout"]
    assert steps("new", "other", "--from", str(tmp_path / "rows.csv"))[1:] == [
        "reading the table and drafting the model file"
    ]
    assert steps("erase", "--model", "toy", "--key", "1", "--reason", "r", "--yes")[2:] == [
        "waiting for what works on the model",
        "moving what the service has logged into the lake",
        "erasing rows from tables, quarantine and versions",
    ]


def test_a_command_is_named_by_its_first_word_in_a_list_too():
    assert list(_words(["toy@1", "toy@2"], False, None, "x")) == ["toy@1", "toy@2", "x"]
