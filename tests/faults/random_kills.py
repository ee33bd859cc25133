"""SIGKILL of random processes of a running command at random moments, and what is left of it five seconds later."""

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.running_system import until

GONE_WITHIN = 5.0  # seconds
Family = dict[int, tuple[int, str]]


def family(home: Path) -> Family:
    """The processes that work in a home, but this one: of each its parent and its command line."""
    mark, found = f"EVERGREEN_HOME={home}".encode(), {}
    for path in Path("/proc").glob("[0-9]*/environ"):
        pid = int(path.parent.name)
        with suppress(OSError):
            if mark in path.read_bytes().split(b"\0") and pid != os.getpid():
                parent = int(path.with_name("stat").read_text().rpartition(")")[2].split()[1])
                found[pid] = parent, path.with_name("cmdline").read_bytes().replace(b"\0", b" ").decode()
    return found


def left_of(home: Path, doomed: set[int]) -> list[str]:
    """The command lines of those that still run when the time is over."""
    end = time.monotonic() + GONE_WITHIN
    while (
        left := {pid: words for pid, (_, words) in family(home).items() if pid in doomed}
    ) and time.monotonic() < end:
        time.sleep(0.05)
    return [f"{pid}: {words}" for pid, words in left.items()]


class Killer:
    """Starts a command over and over, and kills it each time.

    Parameters
    ----------
    home : Path
    start : callable
        Starts the command; returns its process.
    seed : int
    longest : float
        Seconds after a start within which the kill comes, for every second one.
    works : callable
        Whether the command is up and at work, for the others.
    """

    def __init__(
        self, home: Path, start: Callable[[], Any], seed: int, longest: float, works: Callable[[], bool]
    ) -> None:
        self.home, self._start, self._longest, self._works = home, start, longest, works
        self._chance = random.Random(seed)
        self._before = set(family(home))  # what the test itself has started
        self.killed: list[str] = []

    def family(self) -> Family:
        """The processes of the command."""
        return {pid: process for pid, process in family(self.home).items() if pid not in self._before}

    def once(self) -> list[str]:
        """Start it, kill some of its processes at some moment; what still runs of their children, then of all."""
        leader = self._start()
        if self._chance.random() < 0.5:
            until(self._works, "the command at work")
            time.sleep(self._chance.random() * 2)
        else:
            time.sleep(self._chance.random() * self._longest)
        if self._chance.random() < 0.3:  # killed twice within seconds
            self._kill(leader, [leader.pid])
            leader = self._start()
            time.sleep(self._chance.random() ** 2 * 3)
        before = self.family()
        several = self._chance.sample(sorted(before), min(len(before), self._chance.choice([1, 1, 2, 3])))
        victims = self._chance.choice([several, [leader.pid], [leader.pid, *several]])
        doomed = set(before) if leader.pid in victims else _descendants(before, victims)
        self.killed.append(" + ".join(before[pid][1][-60:] for pid in victims if pid in before))
        self._kill(leader, victims)
        left = left_of(self.home, doomed)
        self._kill(leader, [leader.pid])
        return left or left_of(self.home, set(before))

    def _kill(self, leader: Any, pids: list[int]) -> None:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if leader.pid in pids:
            leader.wait()


def _descendants(of: Family, pids: list[int]) -> set[int]:
    found = set(pids)
    for _ in of:
        found |= {pid for pid, (parent, _) in of.items() if parent in found}
    return found
