"""`evergreen init` and `evergreen upgrade`: what is written, what is left, and what a later release would change."""

import json
import re
import subprocess
import sys
import tomllib
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import pytest
import yaml
from packaging.requirements import Requirement

from evergreen import provenance
from evergreen.errors import ProjectError
from evergreen.project import CODE
from evergreen.scaffold import locks, team_repository
from evergreen.scaffold.draft import Choices
from evergreen.scaffold.reading.sample import source_of
from evergreen.scaffold.scaffold import scaffold
from evergreen.scaffold.team_repository import RECORD, changes, init, prefect_file, upgrade
from tests.installed_packages import needed
from tests.repository import Repository


@pytest.fixture
def folder(tmp_path):
    init(tmp_path / "team", example=True)
    return tmp_path / "team"


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_clones_own_prefect_yaml_is_the_template_for_its_two_models():
    assert (CODE / "prefect.yaml").read_text() == prefect_file(["airtime", "late"])


def test_a_repository_is_complete_and_no_mark_is_left_in_it(folder):
    assert {*contents(folder)} == {
        *team_repository._TEMPLATES,
        *team_repository._CI["github"],
        "requirements.lock",
        "models/demand.py",
        RECORD,
    }
    assert [path for path, text in contents(folder).items() if re.search(rb"@[a-z]+@", text)] == []
    written = tomllib.loads((folder / "pyproject.toml").read_text())
    requirement = Requirement(written["project"]["dependencies"][0])
    assert provenance.release() in requirement.specifier
    assert "0.2" not in requirement.specifier
    assert written["tool"]["evergreen"] == {}
    development = {Requirement(text).name: Requirement(text) for text in written["dependency-groups"]["dev"]}
    assert {*development} == {*locks.DEV}
    assert all(version(name) in requirement.specifier for name, requirement in development.items())
    plan = yaml.safe_load((folder / "prefect.yaml").read_text())
    assert [schedule["parameters"]["model"] for schedule in plan["deployments"][0]["schedules"]] == ["demand"]


@pytest.mark.parametrize(("ci", "files"), team_repository._CI.items())
def test_workflows_are_written_for_the_host_that_is_named_and_it_is_remembered(tmp_path, ci, files):
    folder = tmp_path / "team"
    init(folder, ci=ci)
    written = contents(folder)
    assert {path for path in written if path.startswith(".git") and path != ".gitignore"} == {*files}
    assert init(folder).written == []
    assert changes(folder) == []
    assert contents(folder) == written


def test_another_host_can_be_named_later_and_the_files_of_the_first_stay(folder):
    before = contents(folder)
    assert init(folder, ci="gitlab").written == [".gitlab-ci.yml"]
    assert before.keys() < contents(folder).keys()
    assert init(folder, ci="github").written == []


def test_a_record_of_before_is_one_of_github(folder):
    record = json.loads((folder / RECORD).read_text())
    record.pop("ci")
    for name in ("models", "deploy"):
        record["files"].pop(f".github/workflows/{name}.yml")
        (folder / ".github" / "workflows" / f"{name}.yml").unlink()
    (folder / ".github" / "workflows" / "deploy.yml").write_text("ours")
    (folder / RECORD).write_text(json.dumps(record))
    assert [(change.path, change.yours) for change in upgrade(folder)] == [
        (".github/workflows/models.yml", False),
        (".github/workflows/deploy.yml", True),
    ]
    assert (folder / ".github" / "workflows" / "deploy.yml").read_text() == "ours"


def test_without_a_model_nothing_is_scheduled(tmp_path):
    init(tmp_path / "team")
    plan = yaml.safe_load((tmp_path / "team" / "prefect.yaml").read_text())
    assert [deployment["schedules"] for deployment in plan["deployments"][:2]] == [[], []]
    assert list((tmp_path / "team" / "models").iterdir()) == []


def test_models_that_are_there_get_a_schedule(tmp_path):
    (tmp_path / "team" / "models").mkdir(parents=True)
    (tmp_path / "team" / "models" / "credit_risk.py").touch()
    init(tmp_path / "team")
    plan = yaml.safe_load((tmp_path / "team" / "prefect.yaml").read_text())
    assert plan["deployments"][0]["schedules"][0]["slug"] == "credit-risk-daily"


def test_again_it_changes_nothing_writes_what_is_missing_and_leaves_what_was_changed(folder):
    before = contents(folder)
    assert init(folder).written == []
    assert contents(folder) == before
    (folder / "Makefile").unlink()
    (folder / "README.md").write_text("ours")
    again = init(folder)
    assert (again.written, again.left) == (["Makefile"], ["README.md"])
    assert contents(folder) == before | {"README.md": b"ours", RECORD: contents(folder)[RECORD]}


def test_the_example_can_be_asked_for_later(tmp_path):
    init(tmp_path / "team")
    assert init(tmp_path / "team", example=True).written == ["prefect.yaml", "models/demand.py"]


class _KilledError(BaseException):
    """Ends a process at a write."""


@contextmanager
def killed_at(number):
    """This block must reach the write of this number, where it ends."""
    write, count = team_repository.write, iter(range(99))

    def killing(path, text):
        if next(count) == number:
            raise _KilledError
        write(path, text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(team_repository, "write", killing)
        with pytest.raises(_KilledError):
            yield


WRITES = len(team_repository._TEMPLATES) + len(team_repository._CI["github"]) + 1 + 2  # the lock, and the record twice


@pytest.mark.parametrize("at", range(WRITES))
@pytest.mark.parametrize("then", [False, True], ids=["the same again", "with the example"])
def test_init_that_is_killed_at_a_write_goes_on_when_it_is_run_again(tmp_path, at, then):
    folder = tmp_path / "team"
    with killed_at(at):
        init(folder)
    assert init(folder, example=then).left == []
    init(tmp_path / "other" / "team", example=then)
    assert contents(folder) == contents(tmp_path / "other" / "team")


@pytest.mark.parametrize(("path", "refused"), [("Makefile", True), ("README.md", False), (".gitignore", False)])
def test_a_file_of_anothers_is_never_overwritten(tmp_path, path, refused):
    (tmp_path / path).write_text("theirs")
    if refused:
        with pytest.raises(ProjectError, match=f"{path}. Nothing was written"):
            init(tmp_path)
        assert contents(tmp_path) == {path: b"theirs"}
    else:
        assert init(tmp_path).left == [path]
        assert changes(tmp_path) == []
    assert (tmp_path / path).read_text() == "theirs"


def test_a_folder_in_the_place_of_a_file_is_told_before_anything_is_written(tmp_path):
    (tmp_path / "Makefile").mkdir()
    with pytest.raises(ProjectError, match=r"Makefile. Nothing was written"):
        init(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["Makefile"]


def test_a_path_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "team").touch()
    with pytest.raises(ProjectError, match="is a file"):
        init(tmp_path / "team")


@pytest.fixture
def newer(folder, monkeypatch):
    """The next release, which writes another Makefile and another README."""
    template = team_repository._template
    more = {"Makefile": "\n# new\n", "README.md": "\nNew.\n"}
    monkeypatch.setattr(team_repository, "_template", lambda name: template(name) + more.get(name, ""))
    return folder


def test_upgrade_lists_what_a_newer_release_writes_differently_and_writes_what_nobody_has_changed(newer):
    (newer / "README.md").write_text("ours")
    (newer / "prefect.yaml").write_text("ours too")  # which this release does not change
    (newer / "tests" / "test_models.py").unlink()
    assert [(change.path, change.yours) for change in changes(newer)] == [("Makefile", False), ("README.md", True)]
    assert "+# new" in changes(newer)[0].diff
    found = changes(newer)
    assert upgrade(newer) == found
    assert (newer / "Makefile").read_text().endswith("# new\n")
    assert (newer / "README.md").read_text() == "ours"
    assert changes(newer) == []


@pytest.mark.parametrize("at", range(3))  # the two files, and the record
def test_an_upgrade_that_is_killed_at_a_write_goes_on_when_it_is_run_again(newer, at):
    with killed_at(at):
        upgrade(newer)
    upgrade(newer)
    assert changes(newer) == []
    assert (newer / "Makefile").read_text().endswith("# new\n")


def test_a_file_that_only_a_newer_release_has_is_written(folder, monkeypatch):
    monkeypatch.setitem(team_repository._TEMPLATES, "tests/more.py", "test_models.txt")
    assert [change.path for change in upgrade(folder)] == ["tests/more.py"]
    assert (folder / "tests" / "more.py").is_file()


def test_another_release_asks_for_itself(folder, monkeypatch):
    monkeypatch.setattr(provenance, "release", lambda: "0.3.2")
    changed = {change.path: change.diff for change in changes(folder)}
    assert {*changed} == {"pyproject.toml", "requirements.lock"}
    assert '+  "evergreen>=0.3.2,<0.4"' in changed["pyproject.toml"]


def test_a_wheel_that_was_installed_otherwise_is_no_difference(folder, monkeypatch):
    monkeypatch.setattr(team_repository, "installed_wheel", lambda: "ab" * 32)
    assert changes(folder) == []


def test_what_init_has_not_made_cannot_be_upgraded(tmp_path):
    with pytest.raises(ProjectError, match="not made by `evergreen init`"):
        changes(tmp_path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda record: record[:-9], "the file: Invalid JSON"),
        (lambda record: "[]", "the file: Input should be"),
        (lambda record: '{"other": 1}', "evergreen: Field required"),
        (lambda record: record.replace('"github"', '"elsewhere"'), "ci: Input should be 'github', 'gitlab' or 'none'"),
        (lambda record: record.replace('"example": true', '"example": "so"'), "example: Input should be"),
    ],
)
def test_a_record_that_cannot_be_read_is_told(folder, change, says):
    (folder / RECORD).write_text(change((folder / RECORD).read_text()))
    with pytest.raises(ProjectError, match=f"cannot be read: {says}"):
        changes(folder)


def test_the_lock_names_all_that_evergreen_and_the_checks_need_with_hashes_and_nothing_of_its_development():
    lock = locks.team_lock("0.1.0", "ab" * 32)
    lines = [line.rstrip("\\ ") for line in lock.splitlines() if re.match(r"[\w.-]+==", line)]
    entries = [Requirement(line) for line in lines]
    here = {entry.name for entry in entries if entry.marker is None or entry.marker.evaluate()}
    assert set().union(*map(needed, ["evergreen", *locks.DEV])) - {"evergreen"} <= here
    assert len(entries) > len({entry.name for entry in entries})  # one for each version of Python
    assert not {"zizmor", "mkdocs-material", "selenium"} & {entry.name for entry in entries}
    assert "evergreen==0.1.0 \\\n    --hash=sha256:abab" in lock
    assert len(re.findall(r"^[\w.-]+==(?=[^\n]*\\\n +--hash)", lock, re.MULTILINE)) == len(entries)


def test_a_lock_names_evergreen_only_where_the_hash_of_its_wheel_is_known():
    assert "\nevergreen==" not in locks.team_lock("0.1.0", "")


@pytest.fixture
def making(folder):
    """Run a word of make in the repository, with the packages of this environment in the place of its own."""
    (folder / ".venv").mkdir()
    (folder / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    (folder / ".venv" / "installed").touch()

    def make(word):
        environ = Repository(folder).environ()
        done = subprocess.run(["make", word], cwd=folder, env=environ, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    return make


@pytest.mark.long
def test_what_init_and_new_write_passes_lint_and_types_and_a_fault_does_not(folder, making, tmp_path, monkeypatch):
    monkeypatch.setenv("EVERGREEN_MODELS", str(folder / "models"))
    days = pd.date_range("2026-01-01", periods=90)
    pd.DataFrame({"at": days, "group": [*"abc"] * 30, "paid": days.day / 7}).to_csv(tmp_path / "paid.csv", index=False)
    scaffold("paid", source_of(str(tmp_path / "paid.csv")), Choices())
    code, said = making("check")
    assert code == 0, said
    faulty = folder / "models" / "faulty.py"
    faulty.write_text("import json\n")
    assert "F401" in making("check")[1]
    faulty.write_text("def half(number: int) -> int:\n    return number / 2\n")
    assert 'Incompatible return value type (got "float", expected "int")' in making("check")[1]


@pytest.mark.long
def test_without_a_model_there_is_nothing_to_find(folder, making):
    (folder / "models" / "demand.py").unlink()
    assert making("check")[0] == 0


@pytest.mark.long
def test_long_tests_are_left_to_the_night(folder, making):
    (folder / "tests" / "test_models.py").unlink()
    (folder / "tests" / "test_ours.py").write_text(OURS)
    code, said = making("test")
    assert (code, "1 passed" in said) == (0, True), said
    code, said = making("test-all")
    assert (code, "2 passed" in said) == (0, True), said


OURS = """
import pytest


def test_one():
    pass


@pytest.mark.long
def test_two():
    pass
"""
