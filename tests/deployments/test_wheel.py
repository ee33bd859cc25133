"""The wheel of a commit is built reproducibly: every build has the same bytes, so that a lock can hold its hash."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from evergreen.project import CODE
from tests.repository import git

# The environment is that of the tests: only the recipe of the wheel itself is run.
_MAKE = ("make", "--silent", "--assume-old=setup", "wheel", f"BIN={Path(sys.executable).parent}")


def built(folder: Path, umask: int, zone: str) -> Path:
    """The wheel that `make wheel` builds in a folder."""
    done = subprocess.run(_MAKE, cwd=folder, env=os.environ | {"TZ": zone}, umask=umask, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = (folder / "dist").iterdir()
    return wheel


@pytest.mark.slow
@pytest.mark.skipif(not (CODE / ".git").exists(), reason="this code is in no git repository")
def test_two_builds_of_a_commit_are_the_same_bytes(tmp_path):
    """In folders of other names, at other times, with another umask and time zone, beside what lies about."""
    one, two = tmp_path / "one", tmp_path / "elsewhere" / "two"
    two.parent.mkdir()
    git(tmp_path, "clone", "--quiet", str(CODE), str(one))
    shutil.copy(CODE / "Makefile", one)  # as it is now
    shutil.copytree(one, two, symlinks=True)
    for path in two.rglob("*.py"):  # another day, and closed to others
        os.utime(path, (1.2e9, 1.2e9))
        path.chmod(0o600)
    (two / "evergreen" / "notes.py").write_text("of nobody")
    (two / "build" / "lib" / "evergreen").mkdir(parents=True)
    (two / "build" / "lib" / "evergreen" / "old.py").write_text("of an earlier build")

    first, second = built(one, 0o022, "UTC"), built(two, 0o077, "Asia/Tokyo")
    assert first.name == second.name
    assert first.read_bytes() == second.read_bytes()
    assert "evergreen/scaffold/carried/requirements.lock" in ZipFile(first).namelist()
    assert [path.name for path in one.iterdir() if path.name in ("build", "evergreen.egg-info")] == []
