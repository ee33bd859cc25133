"""`status --watch`: each look is shown, an error does not end it, Ctrl-C does, at once and with one sentence."""

import json
import os
import pty
import select
import signal
import subprocess
import time
from contextlib import suppress

import pytest

from cli.stopping import stands
from cli.watching import watch
from evergreen.errors import LakeError
from tests.running_system import CHECKOUT, interruptible

IN_TIME = 4.0  # seconds: two on a machine with a core to spare
PATIENCE = 60.0


def start(*words, **more):
    return interruptible("status", "--watch", *words, cwd=CHECKOUT, **more)


def stop(process):
    """Interrupt as a terminal does; what was said."""
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE)
    assert time.monotonic() - began < IN_TIME
    assert (process.returncode, "Traceback" in said) == (130, False), said
    assert said.splitlines()[-1].endswith(stands("status"))


@pytest.mark.long
@pytest.mark.usefixtures("home")
def test_each_look_is_a_line_of_json_with_what_is_true_now(write_model):
    write_model()
    process = start("--json", "--every", "0.1", stdout=subprocess.PIPE)
    assert [status["model"] for status in json.loads(process.stdout.readline())] == ["toy"]
    write_model(name="second")
    end = time.monotonic() + PATIENCE
    while len(json.loads(process.stdout.readline())) < 2:
        assert time.monotonic() < end
    stop(process)


@pytest.mark.long
@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(("terminal", "in_place"), [("xterm-256color", True), ("dumb", False)])
def test_on_a_terminal_the_table_is_replaced_in_place_where_it_can_be(write_model, monkeypatch, terminal, in_place):
    write_model()
    monkeypatch.setenv("TERM", terminal)
    ours, theirs = pty.openpty()
    process = start("--every", "0.1", stdout=theirs)
    os.close(theirs)
    written, end = b"", time.monotonic() + PATIENCE
    while written.count(b"Ctrl-C ends this") < 2:
        assert time.monotonic() < end, written
        written += read(ours)
    assert b"toy" in written
    stop(process)
    with suppress(OSError):
        while part := read(ours):
            written += part
    os.close(ours)
    assert (b"\x1b[1A" in written) == in_place  # up, to write over what was there
    assert (b"\x1b[?25h" in written) == in_place  # the cursor is shown again


def read(terminal):
    """What a terminal has to show; nothing where nothing comes within a second."""
    return os.read(terminal, 1000) if select.select([terminal], [], [], 1)[0] else b""


@pytest.mark.long
@pytest.mark.usefixtures("home")
def test_the_end_of_its_reader_is_the_end_of_it(write_model):
    write_model()
    process = start("--json", "--every", "0.1", stdout=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=PATIENCE) == 0
    assert process.stderr.read() == ""


def test_an_error_after_the_first_look_is_shown_beside_what_was_known(capsys):
    looks = iter([["one"], LakeError("The bucket does not answer."), ["two"], KeyboardInterrupt()])

    def look():
        found = next(looks)
        if isinstance(found, BaseException):
            raise found
        return found

    with pytest.raises(KeyboardInterrupt):
        watch(look, " ".join, 0.1, as_json=False)
    shown = capsys.readouterr().out
    assert shown.count("one") == 2
    assert "This is what was known before: The bucket does not answer." in shown
    assert shown.index("bucket") < shown.index("two")


def test_an_error_at_the_first_look_is_that_of_the_command():
    def look():
        raise LakeError("The bucket does not answer.")

    with pytest.raises(LakeError):
        watch(look, str, 0.1, as_json=True)
