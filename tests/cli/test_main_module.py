"""The process of a command ends once all is written, with its code, whatever Python would still have to take apart."""

import os
import subprocess
import sys
import time

import pytest

from evergreen.project import CODE

PROCESS = """
import builtins, signal, sys, time, types

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets its background jobs ignore it

class Slow:
    def __del__(self):
        time.sleep(60)


def command():
    builtins.slow = Slow()
    print("the result", end="")
    {ends}


sys.modules["cli.main"] = types.SimpleNamespace(main=command)
from cli.__main__ import main

main()
"""
INTERRUPTED = "exec('signal.raise_signal(signal.SIGINT)')"  # which Python remembers, and dies of at its end


@pytest.mark.parametrize(
    ("ends", "code"),
    [
        ("sys.exit(3)", 3),
        ("sys.exit()", 0),
        ("pass", 0),
        (f"from evergreen.exit_codes import run_command; run_command(lambda: {INTERRUPTED})", 130),
    ],
    ids=["with a code", "without one", "by itself", "by Ctrl-C inside of exec"],
)
def test_it_ends_at_once_with_its_code(tmp_path, ends, code):
    (tmp_path / "process.py").write_text(PROCESS.format(ends=ends))
    began = time.monotonic()
    command = [sys.executable, "-m", "process"]  # Python looks for what it remembers at the end of a module only
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(CODE), str(tmp_path)])}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=90)
    assert (done.returncode, done.stdout) == (code, "the result"), done.stderr
    assert time.monotonic() - began < 30
