"""The state of the release before opens in this one, and the other way round, unless this one's record forbids it.

The release before is where a pull request branches off (`EVERGREEN_BASE` names what it is to be merged into), else the
last tag, else the last commit. Its own code, from git, works on the state.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evergreen import git
from evergreen.lake import state_format
from tests.conftest import TOY
from tests.system.old_state import child_environment

CHECKOUT = Path(__file__).resolve().parents[2]
RUNNER = Path(__file__).with_name("run_commands.py")
_FORMATS = "from evergreen.lake.state_format import WRITES; print(WRITES)"
BEGINS = ["ingest toy --as-of 2013-01-29", "train toy --as-of 2013-01-29", "monitor toy --as-of 2013-01-30"]
LOOKS = ["status", "verdict toy", "models toy", "lineage toy", "audit --verify", "doctor toy"]
GOES_ON = ["ingest toy --as-of 2013-02-05", "monitor toy --as-of 2013-02-05", "train toy --as-of 2013-02-05"]
AGAIN = ["ingest toy --as-of 2013-02-12", "monitor toy --as-of 2013-02-12", "train toy --as-of 2013-02-12"]
JUDGED = {0, 3, 5}  # promoted, rejected, not decided: which of them is not the point


pytestmark = pytest.mark.slow


def git_of(*words: str) -> str | None:
    """What git prints; None where it refuses."""
    try:
        return git.run(CHECKOUT, *words)
    except (OSError, subprocess.CalledProcessError):
        return None


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code of the release before."""
    named = os.environ.get("EVERGREEN_BASE")
    commit = git_of("merge-base", named, "HEAD") if named else git_of("describe", "--tags", "--abbrev=0", "HEAD~1")
    commit = commit or (None if named else git_of("rev-parse", "--verify", "--quiet", "HEAD~1"))
    if commit is None and named:
        pytest.fail(f"EVERGREEN_BASE names {named}, and this clone has no commit that it and HEAD come from")
    if commit is None:
        pytest.skip("this clone has no commit before this one")
    folder = tmp_path_factory.mktemp("base") / "code"
    git.unpack(CHECKOUT, commit, folder)
    return folder


def commands(code: Path, state: Path, *typed: str) -> list[dict[str, Any]]:
    """Run commands with the code of a checkout on a state, in one process."""
    words = [[*command.split(), "--json"] for command in typed]
    places = {"EVERGREEN_HOME": str(state / "home"), "EVERGREEN_MODELS": str(state / "models"), "PYTHONPATH": str(code)}
    done = subprocess.run(
        [sys.executable, "-P", RUNNER, json.dumps(words)],
        cwd=state,
        env=child_environment(places),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout.splitlines()[-1]))


def require(done: list[dict[str, Any]]) -> None:
    """Each command did what it is for."""
    for command in done:
        allowed = JUDGED if command["words"][0] == "train" else {0}
        assert command["code"] in allowed, f"evergreen {' '.join(command['words'])}: {command['err']}"


def known_format(code: Path) -> int | None:
    """The format that a release writes; None if it is of before there was a record."""
    environ = child_environment({"PYTHONPATH": str(code)})
    done = subprocess.run([sys.executable, "-c", _FORMATS], cwd=code, env=environ, capture_output=True, text=True)
    return int(done.stdout) if done.returncode == 0 else None


def begin(code: Path, folder: Path) -> Path:
    """A new state, written by the code of a checkout."""
    (folder / "models").mkdir()
    shutil.copy(TOY, folder / "models")
    require(commands(code, folder, *BEGINS))
    return folder


def test_the_state_of_the_release_before_opens_here_and_what_becomes_of_it_opens_there(base, server, tmp_path):
    state = begin(base, tmp_path)
    require(commands(CHECKOUT, state, *LOOKS, "migrate", *LOOKS, *GOES_ON, "audit --verify"))
    assert state_format.current(str(state / "home" / "lake")).format == state_format.WRITES
    opened_or_refused(base, state, *LOOKS, *AGAIN, "audit --verify")


def test_a_state_that_is_begun_here_opens_there(base, server, tmp_path):
    state = begin(CHECKOUT, tmp_path)
    record = state_format.recorded(str(state / "home" / "lake"))
    assert record == state_format.StateFormat(state_format.WRITES, state_format.OPENED_FROM)
    opened_or_refused(base, state, *LOOKS, *GOES_ON)


def opened_or_refused(base: Path, state: Path, *typed: str) -> None:
    """Run commands with the release before: all work if the record says that it opens the state, else none."""
    opens_from = state_format.current(str(state / "home" / "lake")).opens_from
    known = known_format(base)
    if known is None and opens_from > state_format.FIRST:
        return  # that release looks at no record, so that nothing can be asked of it
    done = commands(base, state, *typed)
    if opens_from <= (known or state_format.FIRST):
        require(done)
    else:
        assert [command["code"] for command in done] == [1] * len(done)
        assert all(f"format {opens_from}" in command["err"] for command in done)
