"""A team's own repository with Evergreen installed from a wheel: what is in it, and the whole loop from it."""

import hashlib
import json
import os
import subprocess
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from zipfile import ZipFile

import pytest

from evergreen.governance.environment import rebuilt
from evergreen.project import CODE
from evergreen.provenance import hash_of
from evergreen.registry.version import Version
from tests.built_wheel import installed, wheel
from tests.repository import git
from tests.running_service import ask
from tests.running_system import Up, free_port, started, until

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def built():
    """A wheel of this code."""
    return wheel()


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
    packages = {"cli", "evergreen", "flows", "serving", "tasks", "ui"}
    assert {top for top in tops if not top.endswith(".dist-info")} == packages
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
    told = shell.run("python", "-m", "flows.train", "airtime", code=1).stderr
    assert told.startswith("Error: ")
    assert "evergreen init PATH" in told
    assert sorted(site.iterdir()) == before
    assert list(shell.folder.iterdir()) == []


def test_init_works_anywhere_and_the_repository_is_then_found_from_its_folders(shell):
    made = json.loads(shell.evergreen("init", "team", "--example", "--json").stdout)
    assert "models/demand.py" in made["written"]
    shell.folder /= "team/models"
    assert json.loads(shell.evergreen("models", "--json").stdout) == ["demand"]
    assert (shell.folder.parent / ".evergreen").is_dir()
    shell.evergreen("--env", "staging", "models")
    assert (shell.folder.parent / ".evergreen" / "staging").is_dir()
    assert "production, staging" in shell.evergreen("--env", "stagin", "models", code=1).stderr
    assert json.loads(shell.evergreen("upgrade", "--check", "--json").stdout) == []
    (shell.folder.parent / "Makefile").unlink()
    shell.evergreen("upgrade", "--check")  # what was deleted is not missed


def test_what_an_earlier_release_wrote_is_listed_and_then_written_anew(shell):
    shell.evergreen("init", "team")
    shell.folder /= "team"
    record = json.loads((shell.folder / ".evergreen-files.json").read_text())
    record["files"]["Makefile"] = hashlib.sha256(b"of before\n").hexdigest()
    (shell.folder / "Makefile").write_text("of before\n")
    (shell.folder / ".evergreen-files.json").write_text(json.dumps(record))
    (change,) = json.loads(shell.evergreen("upgrade", "--check", "--json", code=7).stdout)
    assert (change["path"], change["yours"]) == ("Makefile", False)
    assert (shell.folder / "Makefile").read_text() == "of before\n"
    assert "Makefile: written" in shell.evergreen("upgrade").stdout
    assert "Nothing differs" in shell.evergreen("upgrade", "--check").stdout


class TeamUp(Up):
    """`evergreen up` in a team's repository."""

    def __init__(self, shell: Shell, served: int) -> None:
        self.home, self.port = shell.folder / ".evergreen", free_port()
        self.api, self.said = f"http://127.0.0.1:{self.port}/api", shell.folder.parent / "up.log"
        words = ["up", "--no-mlflow", "--no-ui", "--port", str(self.port), "--serve-port", str(served)]
        command = [str(shell.commands / "evergreen")]
        self.process = started(shell.environment, self.said, *words, command=command, folder=shell.folder)


@pytest.fixture
def team(shell):
    """A repository in git, whose folders have the names of Evergreen's packages."""
    shell.evergreen("init", "team", "--example")
    shell.folder /= "team"
    for name in ("cli", "flows", "serving", "tasks", "ui"):
        (shell.folder / name).mkdir()
        (shell.folder / name / "__init__.py").write_text(f"raise SystemExit('the {name} of the team')\n")
    for words in (["init"], ["add", "."], ["commit", "-m", "one"]):
        git(shell.folder, *words)
    return shell


def predicted(port, row):
    """What the service answers for a row; nothing until it does."""
    with suppress(OSError):
        status, answer = ask(f"http://127.0.0.1:{port}/models/demand/invocations", {"dataframe_records": [row]})
        return answer if status == 200 else None


@pytest.mark.slow
def test_the_whole_loop_from_a_repository_whose_folders_have_the_names_of_evergreens(team):
    team.run("pytest", "-q")
    (team.folder / ".gitignore").unlink()
    assert ".evergreen/" not in git(team.folder, "status", "--porcelain", "--untracked-files=all")
    git(team.folder, "checkout", ".gitignore")
    team.evergreen("ingest", "demand")
    team.evergreen("train", "demand")
    origin = json.loads(team.evergreen("lineage", "demand@1", "--json").stdout)
    assert (origin["commit"], origin["lock"]) == (
        git(team.folder, "rev-parse", "HEAD"),
        hash_of(team.folder / "requirements.lock"),
    )
    assert origin["evergreen"] == version("evergreen")
    team.evergreen("reproduce", "demand")
    assert "does not name evergreen" in team.evergreen("reproduce", "demand", "--exact", code=1).stderr
    served = free_port()
    system = TeamUp(team, served)
    try:
        system.wait()
        row = {"hour": 8, "weekday": 1, "temperature": 12.5, "rain": 0}
        answer = until(lambda: predicted(served, row), "an answer of the service")
        assert answer["model"] == "demand"
        system.run("refresh", model="demand", reason="demand by the test")
        assert system.ended("demand · demand")[0]["state_type"] == "COMPLETED"
    finally:
        system.stop()


@pytest.mark.slow
def test_an_environment_is_rebuilt_from_the_lock_of_a_teams_commit(built, home, tmp_path, monkeypatch):
    team = tmp_path / "team"
    (team / "flows").mkdir(parents=True)  # hides nothing
    (team / "flows" / "__init__.py").write_text("raise SystemExit('the flows of the team')\n")
    digest = hashlib.sha256(built.read_bytes()).hexdigest()
    (team / "requirements.lock").write_text(f"evergreen=={version('evergreen')} --hash=sha256:{digest}\n")
    git(team, "init")
    git(team, "add", ".")
    git(team, "commit", "-m", "one")
    monkeypatch.setenv("EVERGREEN_PROJECT", str(team))
    monkeypatch.setenv("PIP_FIND_LINKS", str(built.parent))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    lock = hash_of(team / "requirements.lock")
    place = rebuilt(Version("demand", "1", "run", "", {"commit": git(team, "rev-parse", "HEAD"), "lock": lock}))
    assert (place.code, place.exact) == (None, True)
    assert (place.project / "requirements.lock").is_file()
    found = "import importlib.util; print(importlib.util.find_spec('flows').origin)"
    done = subprocess.run([place.python, "-P", "-c", found], cwd=place.project, env={}, capture_output=True, text=True)
    assert done.stdout.startswith(str(place.project / ".venv")), done.stderr
