"""Which models a change affects: of a file of many, those whose rows changed, and all if the template did."""

import subprocess

import pytest

from evergreen.experiments.changes import parse
from evergreen.experiments.revision import affected, revision
from evergreen.experiments.source_change import diff
from evergreen.experiments.variant import Variant
from tests.evergreen.definition.test_each import ROWS, TEMPLATE, single


def git(folder, *words):
    subprocess.run(["git", "-c", "user.name=you", "-c", "user.email=you@x", *words], cwd=folder, check=True)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with a file of three models and one of one, all committed."""
    models = tmp_path / "project" / "models"
    models.mkdir(parents=True)
    monkeypatch.setenv("EVERGREEN_MODELS", str(models))
    (models / "stores.py").write_text(TEMPLATE)
    (models / "stores.csv").write_text(ROWS)
    (models / "good.py").write_text(single("good"))
    git(models.parent, "init", "-q", "-b", "main")
    git(models.parent, "add", "-A")
    git(models.parent, "commit", "-q", "-m", "first")
    return models


def found(models):
    base = revision("main", models, models.parent.parent / "revisions")
    return {each.model: (each.kind, each.reason) for each in affected(base, models)}


def test_nothing_is_affected_by_nothing(repository):
    assert found(repository) == {}


def test_a_changed_row_affects_its_model_alone(repository):
    (repository / "stores.csv").write_text(ROWS.replace("Oslo", "Kyiv"))
    assert found(repository) == {"stores_2": ("changed", "stores.csv changed")}


def test_rows_that_come_and_go_are_models_that_do(repository):
    (repository / "stores.csv").write_text("number,city\n1,Rome\n17,Lima\n18,Bern\n")
    assert {name: kind for name, (kind, _) in found(repository).items()} == {
        "stores_2": "removed",
        "stores_18": "added",
    }


def test_the_template_affects_all_of_its_models(repository):
    (repository / "stores.py").write_text(TEMPLATE.replace("Sales", "Visitors"))
    assert found(repository) == dict.fromkeys(["stores_1", "stores_17", "stores_2"], ("changed", "stores.py changed"))


def test_a_file_that_is_broken_now_is_told_once_and_removes_no_model(repository):
    (repository / "stores.py").write_text(TEMPLATE + "(")
    assert found(repository) == {"stores": ("broken", "its file cannot be read")}


def test_a_model_of_many_becomes_a_file_of_its_own(repository):
    (repository / "stores.csv").write_text(ROWS.replace("17,Lima\n", ""))
    (repository / "stores_17.py").write_text(single("stores_17"))
    assert found(repository) == {"stores_17": ("changed", "stores.csv, stores.py, stores_17.py changed")}


def test_variants_of_one_model_of_many(repository):
    own, other = Variant.own("stores_17"), Variant.of_settings("stores_17", "seed=7")
    assert (own.load().name, other.load().seed, own.load().seed) == ("stores_17", 7, 0)
    assert len({own.fingerprint, other.fingerprint, Variant.own("stores_2").fingerprint}) == 3
    beside = repository.parent / "other.py"
    beside.write_text(TEMPLATE.replace("Sales", "Visitors"))
    assert Variant.of_file("stores_17", beside).load().purpose == "Visitors in Lima."
    assert parse("seed=7")
    assert "seed" in diff(other)
