"""Every file in models/ is what a user copies: short, complete, honest, and free of the machinery."""

import ast
from pathlib import Path

import pytest
from sklearn.base import clone

from evergreen import Model
from evergreen.definition import loader

CHECKOUT = Path(__file__).resolve().parent.parent
FILES = sorted(path for path in (CHECKOUT / "models").glob("*.py") if path.stem[0] != "_")
AFTER_THE_FACT = {"dep_time", "dep_delay", "arr_time", "arr_delay"}  # known only once the flight has left
MACHINERY = {"prefect", "mlflow", "deltalake", "great_expectations", "tasks", "flows", "cli", "serving", "ui"}

every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


@pytest.fixture
def definition(path: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    monkeypatch.setenv("EVERGREEN_MODELS", str(path.parent))
    return loader.load(path.stem)


def test_the_worked_examples_are_among_them() -> None:
    assert {"airtime", "late"} <= {path.stem for path in FILES}


@every_file
def test_a_file_is_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 80


@every_file
def test_a_file_begins_with_a_sentence_and_needs_no_machinery(path: Path) -> None:
    tree = ast.parse(path.read_text())
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    named = {alias.name for node in imports if isinstance(node, ast.Import) for alias in node.names}
    named |= {str(node.module) for node in imports if isinstance(node, ast.ImportFrom)}
    assert ast.get_docstring(tree)
    assert named
    assert not {name.split(".")[0] for name in named} & MACHINERY


@every_file
def test_a_definition_says_what_for_who_and_what_is_checked(definition: Model) -> None:
    stated = {"purpose": definition.purpose, "owner": definition.owner}
    stated |= {"contract": definition.contract, "slices": definition.slices}
    assert [part for part, value in stated.items() if not value] == []


@every_file
def test_nothing_known_only_afterwards_is_a_feature(definition: Model) -> None:
    assert not set(definition.features) & (AFTER_THE_FACT | {definition.target, *definition.key})


@every_file
def test_the_estimator_can_be_made_anew_and_cloned(definition: Model) -> None:
    estimator, again = definition.estimator(), definition.estimator()
    assert estimator is not again
    assert type(clone(estimator)) is type(estimator)
