"""`make security` of a team, `make audit` of the project: vulnerable, not vulnerable and not known are three things."""

import os
import re
import shutil
import subprocess

import pytest

from evergreen.project import CODE
from evergreen.scaffold import locks

STUB = """#!/bin/sh
for last; do :; done
cp "$last" asked.lock
cat said.txt >&2
exit {code}
"""
OF_A_TEAM = "evergreen/scaffold/repository/Makefile"
TARGETS = {"a team": (OF_A_TEAM, "security"), "the project": ("Makefile", "audit")}
FINE = "No known vulnerabilities found\n"
FOUND = "Found 2 known vulnerabilities in 1 package\nName Version ID Fix Versions\n"
MISSED = "Name Skip Reason\nsix Dependency not found on PyPI and could not be audited: six (1.17.0)\n"
AWAY = "ERROR:pip_audit._cli:Tip: your network may be blocking this service.\n"


@pytest.fixture(params=TARGETS)
def audited(request, tmp_path):
    """Run the target beside a pip-audit that says a text and ends with a code."""
    makefile, target = TARGETS[request.param]
    (tmp_path / OF_A_TEAM).parent.mkdir(parents=True)
    shutil.copy(CODE / OF_A_TEAM, tmp_path / OF_A_TEAM)  # which that of the project calls
    shutil.copy(CODE / makefile, tmp_path)
    own = (CODE / "requirements.lock").read_text()
    (tmp_path / "requirements.lock").write_text(own if makefile == "Makefile" else locks.team_lock("0.1.0", "ab" * 32))
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "installed").touch()
    stub = tmp_path / ".venv" / "bin" / "pip-audit"

    def run(said, code):
        stub.write_text(STUB.format(code=code))
        stub.chmod(0o755)
        (tmp_path / "said.txt").write_text(said)
        own = {name: value for name, value in os.environ.items() if name not in ("MAKELEVEL", "MAKEFLAGS")}
        return subprocess.run(["make", target], cwd=tmp_path, env=own, capture_output=True, text=True)

    return run


def error_of(done):
    """The code that the target ended with, which make prints first; it ends itself with 2."""
    return int(re.findall(r"\] Error (\d+)$", done.stderr, re.MULTILINE)[0])


def test_where_no_vulnerability_is_known_it_says_so(audited):
    done = audited(FINE, 0)
    assert (done.returncode, done.stdout) == (0, FINE)


@pytest.mark.parametrize("said", [FOUND, FOUND + MISSED])
def test_a_known_vulnerability_is_an_error_whatever_else_could_not_be_asked(audited, said):
    done = audited(said, 1)
    assert done.stdout == said
    assert error_of(done) == 1


@pytest.mark.parametrize(("said", "code"), [(FINE + MISSED, 0), (AWAY, 1), ("", 1)])
def test_what_could_not_be_asked_is_no_success(audited, said, code):
    done = audited(said, code)
    assert done.stderr.startswith("NOT CHECKED: ")
    assert error_of(done) == 3


def test_all_is_asked_for_but_evergreen_itself(audited, tmp_path):
    audited(FINE, 0)
    asked, lock = (
        re.findall(r"^([\w.-]+)==", (tmp_path / name).read_text(), re.MULTILINE)
        for name in ("asked.lock", "requirements.lock")
    )
    assert len(asked) > 100
    assert asked == [name for name in lock if name != "evergreen"]
