"""A team's own repository with Evergreen installed from a wheel: what is in it, and the whole loop from it."""

import json
import os
import subprocess
from pathlib import Path
from zipfile import ZipFile

import pytest

from evergreen.project import CODE
from tests.built_wheel import installed, wheel
from tests.conftest import SHARED


@pytest.fixture(scope="module")
def built():
    """A wheel of this code."""
    folder = SHARED / "wheel"
    folder.mkdir(exist_ok=True)
    return wheel(folder)


@pytest.fixture(scope="module")
def commands(built, tmp_path_factory):
    """The commands of an environment with that wheel."""
    return installed(built, tmp_path_factory.mktemp("installed") / "venv")


class Shell:
    """A user's shell: a home folder of its own, nothing set, and a working folder."""

    def __init__(self, commands: Path, home: Path) -> None:
        home.mkdir(exist_ok=True)
        self.commands, self.folder = commands, home
        self.environment = {"HOME": str(home), "PATH": f"{commands}:/usr/bin:/bin", "LANG": "C.UTF-8"}
        if "TMPDIR" in os.environ:
            self.environment["TMPDIR"] = os.environ["TMPDIR"]

    def run(self, command: str, *words: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
        words = (str(self.commands / command), *words)
        done = subprocess.run(words, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=600)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def evergreen(self, *words: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
        return self.run("evergreen", *words, code=code)


@pytest.fixture
def shell(commands, tmp_path):
    return Shell(commands, tmp_path / "home")


def test_the_wheel_holds_what_a_repository_is_made_of_and_nothing_else_at_its_top(built):
    names = ZipFile(built).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"cli", "evergreen", "flows", "serving", "tasks"}
    inside = {name.removeprefix("evergreen/scaffold/") for name in names}
    templates = CODE / "evergreen" / "scaffold"
    carried = {
        str(path.relative_to(templates))
        for folder in ("repository", "carried")
        for path in (templates / folder).rglob("*")
        if path.is_file()
    }
    assert len(carried) >= 11
    assert carried <= inside
    assert ZipFile(built).read("evergreen/scaffold/carried/airtime.txt") == (CODE / "models/airtime.py").read_bytes()
    assert "evergreen/reports/templates/model_page.html" in names


def test_outside_of_a_project_help_works_a_command_says_what_to_do_and_nothing_is_made(shell, commands):
    site = next((commands.parent / "lib").glob("python*/site-packages"))
    before = sorted(site.iterdir())
    for words in (["--help"], ["--version"], ["train", "--help"], ["init", "--help"]):
        shell.evergreen(*words)
    for words in (["models"], ["train", "airtime"], ["quarantine", "list"], ["deploy"], ["upgrade"], ["demo"]):
        assert "evergreen init PATH" in shell.evergreen(*words, code=1).stderr
    assert sorted(site.iterdir()) == before
    assert list(shell.folder.iterdir()) == []


def test_init_works_anywhere_and_the_repository_is_then_found_from_its_folders(shell):
    made = json.loads(shell.evergreen("init", "team", "--example", "--json").stdout)
    assert "models/demand.py" in made["written"]
    shell.folder /= "team/models"
    assert json.loads(shell.evergreen("models", "--json").stdout) == ["demand"]
    assert (shell.folder.parent / ".evergreen").is_dir()
    assert json.loads(shell.evergreen("upgrade", "--check", "--json").stdout) == []
    (shell.folder.parent / "Makefile").unlink()
    shell.evergreen("upgrade", "--check")  # what was deleted is not missed
