"""`evergreen ui` as a process: it answers on this machine, and Ctrl-C ends it."""

import signal
import urllib.request

import pytest

from evergreen.exit_codes import Exit
from tests.running_system import environment, free_port, started, until


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT])
def test_it_answers_until_it_is_stopped(home, number):
    port, said = free_port(), home.parent / "ui.log"
    process = started(environment(home), said, "ui", "--port", str(port))
    try:
        until(lambda: "answers at" in said.read_text() or process.poll() is not None, "the UI")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
            assert b"Action required" in answer.read()
        process.send_signal(number)
        assert process.wait(timeout=60) == Exit.STOPPED
    finally:
        process.kill()
