"""Ctrl-C ends a process in time, whatever it does, and says what stands."""

import os
import signal
import subprocess
import sys
import time

import pytest

from evergreen.project import CODE

IN_TIME = 3.0  # seconds: two on a machine with a core to spare

PROCESS = """
import hashlib, sys, threading, time
from evergreen import ctrl_c
from evergreen.exit_codes import run_command

ctrl_c.begin()
ctrl_c.promise(lambda: "All is kept.")


def call_of_c():
    print("works", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 1_000_000_000)


def library_that_goes_on():
    print("works", flush=True)
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass


def thread_that_goes_on():
    threading.Thread(target=time.sleep, args=[60]).start()
    counting()


def end_that_takes_long():
    import atexit
    atexit.register(time.sleep, 60)
    counting()


def counting():
    with ctrl_c.counted(lambda: "toy, 2 of 4"):
        print("works", flush=True)
        time.sleep({seconds})


run_command({work})
ctrl_c.finish()
print("is done", flush=True)
time.sleep({seconds})
"""


def started(work, seconds=60, handler=signal.SIG_DFL):
    """A process that works, as a terminal or, where Ctrl-C is ignored, a shell's background job starts it."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROCESS.format(work=work, seconds=seconds)],
        cwd=CODE,
        env=os.environ | {"PYTHONPATH": str(CODE)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, handler),
    )
    assert process.stdout.readline() in ("works\n", "is done\n")
    return process


def interrupted(process, times=1):
    """Interrupt a process: the seconds until it ends, its exit code, and what it says."""
    began = time.monotonic()
    for _ in range(times):
        process.send_signal(signal.SIGINT)
        time.sleep(0.1)
    _, said = process.communicate(timeout=60)
    return time.monotonic() - began, process.returncode, said


@pytest.mark.parametrize(
    ("work", "steps"),
    [
        ("call_of_c", ""),
        ("library_that_goes_on", ""),
        ("thread_that_goes_on", " at toy, 2 of 4"),
        ("end_that_takes_long", " at toy, 2 of 4"),
        ("int", ""),
    ],
)
def test_it_ends_in_time_whatever_it_does(work, steps):
    seconds, code, said = interrupted(started(work))
    assert (code, said) == (130, f"Stopped{steps}. All is kept.\n")
    assert seconds < IN_TIME


def test_a_second_one_ends_it_at_once():
    seconds, code, said = interrupted(started("call_of_c"), times=2)
    assert (code, said) == (130, "Stopped. All is kept.\n")
    assert seconds < 1


def test_a_background_job_of_a_shell_goes_on():
    _, code, said = interrupted(started("counting", seconds=0.5, handler=signal.SIG_IGN))
    assert (code, said) == (0, "")
