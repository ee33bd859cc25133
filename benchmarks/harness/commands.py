"""Commands of Evergreen as a user types them, in a home of their own."""

import subprocess
from pathlib import Path

from benchmarks.harness.measuring import BIN, clean
from evergreen.project import CODE


class CommandError(Exception):
    """A command failed; the message is what it printed."""


def evergreen(home: Path, *words: str) -> str:
    """Run a command in a home, and return what it prints.

    Raises
    ------
    CommandError
        It failed.
    """
    where = {"EVERGREEN_HOME": str(home), "EVERGREEN_MODELS": str(home / "models")}
    command = [str(BIN / "python"), "-m", "cli.main", *words]
    done = subprocess.run(command, check=False, env=clean(where), cwd=CODE, capture_output=True, text=True)
    if done.returncode:
        raise CommandError(f"evergreen {' '.join(words)}: {done.stdout[-300:]}{done.stderr[-300:]}")
    return done.stdout
