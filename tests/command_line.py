"""The command line in tests: as a process of its own, or called in this one where the process is not the point."""

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout

import pytest

from evergreen.project import CODE

Done = subprocess.CompletedProcess[str]


def run(*words: str) -> Done:
    """Run a command as a process, as its user does."""
    command = [sys.executable, "-m", "cli.main", *words]
    return subprocess.run(command, cwd=CODE, env=dict(os.environ), capture_output=True, text=True, timeout=240)


def called(*words: str) -> Done:
    """Run the same command in this process, which saves the seconds of the imports."""
    from cli.main import main

    out, err, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["evergreen", *words])
        patch.setenv("EVERGREEN_DEBUG", "")
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())
