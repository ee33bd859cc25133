"""`make security` of a team, `make audit` of the project: vulnerable, not vulnerable and not known are three things."""

import os
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
MAKEFILES = [(CODE / "evergreen" / "scaffold" / "repository" / "Makefile", "security"), (CODE / "Makefile", "audit")]
FINE = "No known vulnerabilities found\n"
FOUND = "Found 2 known vulnerabilities in 1 package\nName Version ID Fix Versions\n"
MISSED = "Name Skip Reason\nsix Dependency not found on PyPI and could not be audited: six (1.17.0)\n"
AWAY = "ERROR:pip_audit._cli:Tip: your network may be blocking this service.\n"


@pytest.fixture(params=MAKEFILES, ids=["a team", "the project"])
def audited(request, tmp_path):
    """Run the target beside a pip-audit that says a text and ends with a code."""
    makefile, target = request.param
    shutil.copy(makefile, tmp_path)
    (tmp_path / "requirements.lock").write_text(locks.team_lock("0.1.0", "ab" * 32))
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


def test_where_no_vulnerability_is_known_it_says_so(audited):
    done = audited(FINE, 0)
    assert (done.returncode, done.stdout) == (0, FINE)


@pytest.mark.parametrize("said", [FOUND, FOUND + MISSED])
def test_a_known_vulnerability_is_an_error_whatever_else_could_not_be_asked(audited, said):
    done = audited(said, 1)
    assert done.stdout == said
    assert done.stderr.endswith(" Error 1\n")


@pytest.mark.parametrize(("said", "code"), [(FINE + MISSED, 0), (AWAY, 1), ("", 1)])
def test_what_could_not_be_asked_is_no_success(audited, said, code):
    done = audited(said, code)
    assert done.stderr.startswith("NOT CHECKED: ")
    assert done.stderr.endswith(" Error 3\n")


def test_of_a_team_all_is_asked_for_but_evergreen_itself(audited, tmp_path, request):
    audited(FINE, 0)
    asked, lock = (tmp_path / "asked.lock").read_text(), (tmp_path / "requirements.lock").read_text()
    assert ("\nevergreen==" not in asked) == ("a team" in request.node.name)
    assert asked.count("==") >= lock.count("==") - 1
