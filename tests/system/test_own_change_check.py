"""`make ci`, which the project's own workflow runs: the example models of a change against champions of its base."""

import os
import shutil
import subprocess

import pytest

from evergreen.project import CODE
from tests.repository import Repository

STUB = """#!/bin/sh
echo "$* $(cat "$EVERGREEN_MODELS/a.py" 2>/dev/null)" >> calls
[ "$1" != ci ] || [ -e .evergreen/ci/base ] || exit {affected}
[ "$1" != ci ] || [ ! -e .evergreen/ci/base ] || exit {verdict}
"""
AT = "--as-of 2013-12-30"


@pytest.fixture
def branch(tmp_path):
    """A branch that changes one model and has a further one; main has gone on since."""
    repository = Repository(tmp_path / "clone")
    repository.git("init", "--quiet", "--initial-branch=main")
    models = repository.folder / "models"
    models.mkdir()
    (models / "a.py").write_text("base")
    repository.commit()
    repository.git("switch", "--quiet", "--create", "change")
    (models / "a.py").write_text("head")
    (models / "b.py").write_text("new")
    repository.commit()
    repository.git("switch", "--quiet", "main")
    (models / "a.py").write_text("later")
    repository.commit()
    repository.git("switch", "--quiet", "change")
    shutil.copy(CODE / "Makefile", repository.folder)
    for name in ("requirements.lock", "pyproject.toml"):
        (repository.folder / name).touch()
    (repository.folder / ".venv" / "bin").mkdir(parents=True)
    (repository.folder / ".venv" / "installed").touch()
    return repository.folder


def made(folder, affected, verdict):
    """What `make ci` ends with, and the commands that it ran; the models that they had, if others than the tree's."""
    stub = folder / ".venv" / "bin" / "evergreen"
    stub.write_text(STUB.format(affected=affected, verdict=verdict))
    stub.chmod(0o755)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("EVERGREEN_")}
    done = subprocess.run(["make", "ci"], cwd=folder, env=environ, capture_output=True, text=True)
    return done.returncode, [line.strip() for line in (folder / "calls").read_text().splitlines()]


def test_a_change_that_affects_no_model_is_told_at_once(branch):
    assert made(branch, affected=0, verdict=9) == (0, [f"ci --base main {AT}"])


@pytest.mark.parametrize(("verdict", "code"), [(0, 0), (3, 2)])
def test_else_the_models_of_the_base_are_trained_and_the_change_is_judged_beside_them(branch, verdict, code):
    trained = [f"{word} a {AT} base" for word in ("ingest", "train")]
    assert made(branch, affected=5, verdict=verdict) == (
        code,
        [f"ci --base main {AT}", *trained, f"ci --base main {AT}"],
    )
