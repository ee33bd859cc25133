"""The parts of a running system: processes that are started, watched, and end together."""

import os
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from evergreen import lifeline
from evergreen.errors import RunningError

STARTING = 180.0  # seconds; 7 on a quiet machine
MARK = "EVERGREEN_UP"  # set for every process of the system, so that leftovers can be found
_ENDING = 15.0
_SERVERS = ("prefect-server", "mlflow-server")
T = TypeVar("T")


@dataclass
class Part:
    """One process, the leader of a group of its own, so that Ctrl-C reaches only who started it."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path

    def signal(self, number: int) -> bool:
        """Send a signal to the whole group; False if no process is left."""
        self.process.poll()  # reap a dead leader, which would still count as a process
        try:
            os.killpg(self.process.pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def kill(self) -> None:
        """End the whole group at once; its work is safe to interrupt."""
        self.signal(signal.SIGKILL)
        self.process.wait()


@dataclass
class System:
    """The parts that were started.

    Attributes
    ----------
    home : Path
        Where their state and their logs lie.
    environment : dict
        The environment of every part.
    """

    home: Path
    environment: dict[str, str]
    parts: list[Part] = field(default_factory=list)

    def start(self, name: str, *words: str) -> Part:
        """Start a Python module as a part; its output goes to its log."""
        path = self.home / "logs" / f"{name}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - no word from outside
                lifeline.command(*words),
                env=self.environment,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.parts.append(Part(name, process, path))
        return self.parts[-1]

    def check(self) -> None:
        """Make sure that no part has ended by itself.

        Raises
        ------
        RunningError
            One has.
        """
        for part in self.parts:
            code = part.process.poll()
            if code is not None:
                last = "\n".join(part.log.read_text(errors="replace").splitlines()[-5:])
                raise RunningError(
                    f"The {part.name} has ended by itself (exit code {code}), so all was stopped. Its log, {part.log},"
                    f" ends with:\n{last}\nMend that, and run `evergreen up` again."
                )

    def result_of(self, work: Callable[[], T]) -> T:
        """Do some work, and give it up if a part ends meanwhile."""
        done: Future[T] = Future()
        threading.Thread(target=_do, args=[work, done], daemon=True).start()
        while not done.done():
            self.check()
            wait([done], timeout=0.2)
        return done.result()

    def wait(self, url: str) -> None:
        """Wait until a part answers at an address."""

        def answered() -> bool:
            self.check()
            return answers(url)

        if not within(STARTING, answered):
            raise RunningError(f"{url} did not answer within {STARTING:.0f} seconds. See {self.home / 'logs'}.")

    def stop(self, seconds: float) -> None:
        """End all parts as Ctrl-C does; kill what has not ended in time, or at once after another Ctrl-C.

        First those that talk to the servers: the worker has to report how its runs ended.
        """
        end = time.monotonic() + seconds
        servers = [part for part in self.parts if part.name in _SERVERS]
        try:
            _interrupt([part for part in self.parts if part not in servers], end - seconds / 2)
            _interrupt(servers, end)
        finally:
            for part in self.parts:
                part.kill()
            end_leftovers(self.home)


def _do(work: Callable[[], T], done: "Future[T]") -> None:
    try:
        done.set_result(work())
    except BaseException as error:  # raised where the result is asked for
        done.set_exception(error)


def _interrupt(parts: list[Part], end: float) -> None:
    """Interrupt parts as Ctrl-C does, and wait until they have ended, or until the end."""
    for part in parts:
        part.signal(signal.SIGINT)
    within(end - time.monotonic(), lambda: not any(part.signal(0) for part in parts))


def end_leftovers(home: Path) -> None:
    """Kill the processes left by a system in this home whose starter was killed; its work is safe to interrupt.

    They have ended when this returns, so that their ports are free.
    """
    within(_ENDING, lambda: not _kill_leftovers(home))


def _kill_leftovers(home: Path) -> bool:
    """Kill them, and return whether there were any."""
    mark, found = f"{MARK}={home}".encode(), False
    for path in Path("/proc").glob("[0-9]*/environ"):  # without /proc, the check of the ports reports them
        with suppress(OSError):
            if mark in path.read_bytes().split(b"\0") and int(path.parent.name) != os.getpid():
                found = True
                os.kill(int(path.parent.name), signal.SIGKILL)
    return found


def answers(url: str) -> bool:
    """Whether a server answers at an address."""
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - an address of this module
            return True
    except (urllib.error.URLError, OSError):
        return False


def within(seconds: float, reached: Callable[[], bool]) -> bool:
    """Wait until something is reached; False if it is not in time."""
    end = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True
