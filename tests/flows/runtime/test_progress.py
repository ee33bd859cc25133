"""What a person at a terminal sees while a command works."""

import os
import pty
import subprocess
import sys

import pytest
from prefect import Task

from evergreen.project import CODE

WORKS = """
import sys, time
from flows.runtime import progress
progress._PATIENCE = {patience}
with progress.working("train x"):
    time.sleep(0.6)
    progress.doing("fit")
    time.sleep(0.6)
    progress.pause()
    print("something", file=sys.stderr)
    progress.doing("evaluate")
    time.sleep(0.6)
    progress.pause()
    print("done")
progress.doing("nothing")
"""


def shown(patience, *, terminal):
    """What a process writes to stderr, which is a terminal or a pipe, and to stdout."""
    reading, writing = pty.openpty() if terminal else os.pipe()
    command = [sys.executable, "-c", WORKS.format(patience=patience)]
    env = os.environ | {"TERM": "xterm"}  # a dumb one is shown no spinner
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=writing, cwd=CODE, env=env, text=True) as process:
        os.close(writing)
        written = b""
        while block := read(reading):
            written += block
        os.close(reading)
        assert process.stdout is not None
        return written.decode(), process.stdout.read()


def read(descriptor):
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux says so at the end of a terminal
        return b""


@pytest.mark.long
@pytest.mark.parametrize(
    ("patience", "terminal", "expected"),
    [(0.1, True, True), (30, True, False), (0.1, False, False)],
    ids=["takes long", "is quick", "no terminal"],
)
def test_a_command_that_takes_long_says_at_a_terminal_what_it_does(patience, terminal, expected):
    errors, output = shown(patience, terminal=terminal)
    assert [step in errors for step in ("train x", "train x: fit", "train x: evaluate")] == [expected] * 3
    assert "nothing" not in errors
    assert output == "done\n"


def test_each_task_of_a_command_at_a_terminal_names_itself(monkeypatch):
    from flows.runtime import terminal
    from tasks.evaluate import evaluate

    steps = []
    monkeypatch.setattr(terminal, "doing", steps.append)
    modules = [vars(module).values() for name, module in sys.modules.items() if name.startswith("tasks.")]
    tasks = {id(value): value for values in modules for value in values if isinstance(value, Task)}
    for task in tasks.values():
        monkeypatch.setattr(task, "on_running_hooks", list(task.on_running_hooks))  # so that it is as it was in the end
    before = len(evaluate.on_running_hooks)
    terminal._show_tasks()
    terminal._show_tasks()
    added = evaluate.on_running_hooks[before:]
    assert len(added) == 1
    added[0](evaluate, None, None)
    assert steps == ["evaluate"]


def test_a_step_within_a_progress_bar_shows_nothing_beside_it():
    from flows.runtime import progress

    with progress.working("train x"):
        with progress.silent():
            progress.doing("fit")
            assert progress._display is None
        progress.doing("evaluate")
        assert progress._display is not None
    assert progress._display is None
