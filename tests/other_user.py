"""Another user of this machine, for tests of what an identity may: processes that are started as it."""

import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from evergreen.project import CODE

UID = 65534  # nobody
_SITE = sysconfig.get_path("purelib")
_IMPORTS = "import deltalake, pandas, evergreen.stores"


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that every user can enter, which those of pytest are not."""
    with tempfile.TemporaryDirectory(prefix="evergreen-shared-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


def python(home: Path) -> str:
    """An interpreter that the other user may run with this code; the test is skipped where there is none.

    That of the tests may lie in root's own home; one of the system of the same version reads the same packages.
    """
    if os.geteuid() != 0:
        pytest.skip("only root can start a process of another user")
    same = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    for each in (sys.executable, same):
        if Path(each).exists() and run([each, "-P", "-c", _IMPORTS], home, environ(home)).returncode == 0:
            return each
    pytest.skip("the other user can run no interpreter with the packages of the tests")


def environ(home: Path) -> dict[str, str]:
    """The environment of the other user: nothing is set but where code and packages are."""
    return {
        "HOME": str(home),
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "TMPDIR": str(home),
        "PYTHONPATH": f"{CODE}:{_SITE}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def run(words: list[str], cwd: Path, given: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run a command as the other user."""
    try:
        return subprocess.run(
            words, cwd=cwd, env=given, user=UID, group=UID, extra_groups=[], capture_output=True, text=True, timeout=900
        )
    except PermissionError as error:  # it may not even execute it
        return subprocess.CompletedProcess(words, 126, "", str(error))
