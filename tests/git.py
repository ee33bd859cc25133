"""Git in tests, as a person with a name."""

import subprocess
from pathlib import Path


def git(folder: Path, *words: str) -> str:
    """What a command in a folder prints; it must succeed."""
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    done = subprocess.run(["git", *who, *words], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
