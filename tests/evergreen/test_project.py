"""The project: found from the working folder, or named; and nothing hides Evergreen's packages."""

import os
import subprocess
import sys

import pytest

from evergreen import project
from evergreen.errors import ProjectError
from evergreen.project import CODE
from evergreen.settings import Settings, embed

TABLE = "[project]\nname = 'mine'\n\n[tool.evergreen]\n"


@pytest.fixture
def team(tmp_path, monkeypatch):
    """A repository of a team, which is the working folder."""
    for name in ("EVERGREEN_PROJECT", "EVERGREEN_HOME", "EVERGREEN_MODELS"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "team"
    (folder / "models" / "lib").mkdir(parents=True)
    (folder / "pyproject.toml").write_text(TABLE)
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("below", [".", "models", "models/lib"])
def test_home_and_models_are_of_the_project_that_the_working_folder_is_in(team, monkeypatch, below):
    monkeypatch.chdir(team / below)
    settings = Settings.read()
    assert (settings.home, settings.models) == (team / ".evergreen", team / "models")


def test_the_nearest_project_counts_and_other_pyprojects_do_not(team, monkeypatch):
    (team / "models" / "pyproject.toml").write_text("[tool.ruff]\n")
    monkeypatch.chdir(team / "models")
    assert project.find() == team
    (team / "models" / "pyproject.toml").write_text(TABLE)
    assert project.find() == team / "models"


def test_outside_of_any_project_it_is_the_clone_and_without_a_clone_an_error_that_says_what_to_do(
    team, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert project.find() == CODE
    monkeypatch.setattr(project, "CODE", tmp_path / "site-packages")
    with pytest.raises(ProjectError, match=r"evergreen init PATH.*EVERGREEN_PROJECT.*EVERGREEN_HOME"):
        Settings.read()
    monkeypatch.setenv("EVERGREEN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("EVERGREEN_MODELS", str(tmp_path / "models"))
    assert Settings.read().home == tmp_path / "home"


def test_a_setting_names_the_project_and_child_processes_are_told_of_it(team, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "environ", dict(os.environ))
    embed()
    assert os.environ["EVERGREEN_PROJECT"] == str(team)
    monkeypatch.chdir(tmp_path)
    assert Settings.read().models == team / "models"
    os.environ["EVERGREEN_PROJECT"] = str(tmp_path / "nowhere")
    with pytest.raises(ProjectError, match="no folder"):
        project.find()


def test_what_another_user_has_put_above_the_working_folder_is_not_run(team, monkeypatch):
    monkeypatch.chdir(team / "models")
    owners = {team / "pyproject.toml": 4321}
    monkeypatch.setattr(project, "_owner", lambda file: owners.get(file, 0))
    assert project.find() == CODE


OWN = ["flows/__init__.py", "tasks/__init__.py", "cli.py", "serving/__init__.py"]


@pytest.fixture(params=OWN)
def shadow(request, team):
    """A package or module of the team's that has the name of one of Evergreen's."""
    path = team / request.param
    path.parent.mkdir(exist_ok=True)
    path.write_text("raise SystemExit('the wrong code')\n")
    return path


def _run(*words: str, path: str = "") -> "subprocess.CompletedProcess[str]":
    given = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [path, str(CODE)]))}
    given.pop("PYTHONSAFEPATH", None)
    return subprocess.run([sys.executable, *words], env=given, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("words", [("-m", "evergreen"), ("-P", "-m", "evergreen")], ids=["by its folder", "by a path"])
def test_a_folder_that_hides_a_package_is_named(team, shadow, words):
    done = _run(*words, "models", path=str(team) if "-P" in words else "")
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: {shadow} hides Evergreen's own package"), done.stderr


@pytest.mark.parametrize("name", ["flows", "tasks", "serving", "cli", "ui"])
def test_a_child_process_finds_evergreens_packages_though_its_working_folder_has_the_same_names(team, name):
    (team / name).mkdir()
    (team / name / "__init__.py").write_text("raise SystemExit('the wrong code')\n")
    child = (
        f"import os, subprocess, sys; os.chdir({str(team)!r}); subprocess.run([sys.executable, '-c', 'import {name}'])"
    )
    done = _run("-P", "-c", f"from evergreen.settings import embed; embed(); {child}")
    assert done.stderr == ""


def test_without_a_project_help_works_and_nothing_is_made(tmp_path, monkeypatch):
    code = "from evergreen import project; project.CODE = __import__('pathlib').Path({!r})\n{}"
    program = code.format(str(tmp_path), "from cli.main import main; main()")
    monkeypatch.chdir(tmp_path)
    for name in ("EVERGREEN_PROJECT", "EVERGREEN_HOME", "EVERGREEN_MODELS"):
        monkeypatch.delenv(name, raising=False)
    for words in (["--help"], ["--version"], ["ingest", "--help"], ["quarantine", "list", "--help"]):
        done = subprocess.run(
            [sys.executable, "-c", program, *words],
            env=os.environ | {"PYTHONPATH": str(CODE)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []
