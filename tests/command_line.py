"""The command line in tests: as a process of its own, or called in this one where the process is not the point."""

import io
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import pytest

from evergreen.exit_codes import Exit
from evergreen.project import CODE

Done = subprocess.CompletedProcess[str]
_OF_ANY = (Exit.FAILED, Exit.USAGE, Exit.STOPPED)


def run(*words: str) -> Done:
    """Run a command as a process, as its user does."""
    command = [sys.executable, "-m", "cli.main", *words]
    done = subprocess.run(command, cwd=CODE, env=dict(os.environ), capture_output=True, text=True, timeout=240)
    _require_declared(words, done.returncode)
    return done


def called(*words: str, typed: str = "") -> Done:
    """Run the same command in this process, which saves the seconds of the imports, with what a person types."""
    from cli.main import main

    out, err, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["evergreen", *words])
        patch.setattr(sys, "stdin", io.StringIO(typed))
        patch.setenv("EVERGREEN_DEBUG", "")
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    _require_declared(words, code)
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


def declared(words: Sequence[str]) -> set[int]:
    """The exit codes that the help of a command names."""
    from typer.main import get_command

    from cli.main import app

    command: Any = get_command(app)
    for word in words:
        command = getattr(command, "commands", {}).get(word, command)
    return {int(code) for code in getattr(command.callback, "exit_codes", ())}


def _require_declared(words: Sequence[str], code: int) -> None:
    helped = {Exit.DONE} if {"--help", "-h", "--version"} & set(words) else set()
    assert code in declared(words) | {*_OF_ANY} | helped, f"evergreen {' '.join(words)} ended with {code}"
