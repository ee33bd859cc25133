"""A team's repository for tests: git in it, and commands that are typed in its folder with nothing set."""

import os
import subprocess
import sys
from pathlib import Path

from evergreen.project import CODE

_SET_BY_TESTS = ("EVERGREEN_", "PREFECT_API_", "PREFECT_SERVER_API_AUTH", "PREFECT_HOME", "MLFLOW_TRACKING_URI")


def git(folder: Path, *words: str) -> str:
    """What a git command prints in a folder, as a person with a name."""
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    done = subprocess.run(["git", *who, *words], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, f"git {words}: {done.stderr}"
    return done.stdout.strip()


class Repository:
    """A folder in git.

    Parameters
    ----------
    folder : Path
        It is made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def environ(self, server: str = "") -> dict[str, str]:
        """The environment of a command: nothing is set but perhaps the address of Prefect's server."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_SET_BY_TESTS)}
        return inherited | {"PYTHONPATH": str(CODE)} | ({"PREFECT_API_URL": server} if server else {})

    def evergreen(self, *words: str, server: str = "", code: int = 0) -> "subprocess.CompletedProcess[str]":
        """A command, which ends with this code and in no traceback."""
        command = [sys.executable, "-P", "-m", "cli.main", *words]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environ(server), capture_output=True, text=True, timeout=600
        )
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    def git(self, *words: str) -> str:
        """What a git command prints."""
        return git(self.folder, *words)

    def commit(self, message: str = "a change") -> str:
        """Commit all, also if nothing changed; the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")
