"""Whole processes side by side: wall clock, CPU seconds and peak memory, median of interleaved repeats."""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from evergreen.project import CODE

CONSOLE = Console(width=120, highlight=False)
BIN = Path(sys.executable).parent
_SAMPLED_EVERY = 0.05  # seconds between looks at a process tree's memory


@dataclass(frozen=True)
class Cost:
    """What one run cost.

    Attributes
    ----------
    wall_s, cpu_s : float
        CPU is user and system time of the process and of every child that it waited for.
    peak_mb : float
        The larger of the biggest process's peak, as the system counts it, and of the whole
        tree's memory, with shared pages counted once; both looked at every 50 ms. The peak that
        `wait4` tells is never below that of this process, which every child begins as.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float


@dataclass(frozen=True)
class Case:
    """One contender: a command, measured from its start to its end, or by its own `Stopwatch`.

    Attributes
    ----------
    name : str
    command : list of str
    prepare : callable
        Called before each run, outside the measure; returns the environment to add.
    inside : bool
        Whether the command measures itself, which leaves its imports out; memory is the whole process's.
    """

    name: str
    command: list[str]
    prepare: Callable[[], dict[str, str]] = dict
    inside: bool = False


@dataclass(frozen=True)
class Goal:
    """What was asked for: a number that a measured one may not pass."""

    name: str
    value: float
    limit: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether it holds; NaN does not."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def __str__(self) -> str:
        word = "at least" if self.at_least else "at most"
        return f"{'met   ' if self.met else 'MISSED'}  {self.name}: {self.value:,.4g} ({word} {self.limit:,.4g})"


class Stopwatch:
    """Adds up what pieces of work cost in this process, and prints the sum for `measured` to read."""

    def __init__(self) -> None:
        self._wall = self._cpu = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count what runs within."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self._wall += time.perf_counter() - wall
        self._cpu += time.process_time() - cpu

    def tell(self) -> None:
        """Print the sum, as the last line of the process."""
        print(json.dumps({"wall_s": self._wall, "cpu_s": self._cpu}))


def measured(title: str, cases: list[Case]) -> dict[str, Cost]:
    """Run every case in turn, and again as often as ``--repeats`` says; print and return the medians."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=3, help="runs of each contender (default %(default)s)")
    repeats = parser.parse_known_args()[0].repeats
    costs: dict[str, list[Cost]] = {case.name: [] for case in cases}
    for _ in range(repeats):
        for case in cases:
            costs[case.name].append(run(case))
    middles = {name: _middle(some) for name, some in costs.items()}
    load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    CONSOLE.print(_table(f"{title} (median of {repeats}, {load})", middles))
    return middles


def judged(*goals: Goal) -> None:
    """Print each goal and whether it is met."""
    for goal in goals:
        CONSOLE.print(str(goal), style="green" if goal.met else "bold red", soft_wrap=True)
    print(flush=True)


def run(case: Case) -> Cost:
    """Run a case once, from the start of its process to its end.

    Raises
    ------
    RuntimeError
        It failed; a failed run costs nothing that is worth knowing.
    """
    environment = clean(case.prepare())
    start = time.perf_counter()
    with subprocess.Popen(
        case.command, env=environment, cwd=CODE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        watch = _Watch(process.pid)
        assert process.stdout
        said = process.stdout.read().decode()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - start
    if process.returncode:
        raise RuntimeError(f"{case.name} ended with {process.returncode}:\n{said[-3000:]}")
    peak = watch.peak_mb()
    if case.inside:
        return Cost(**json.loads(said.splitlines()[-1]), peak_mb=peak)
    return Cost(wall, used.ru_utime + used.ru_stime, peak)


def clean(added: dict[str, str]) -> dict[str, str]:
    """The environment of this process without what would distort a measure."""
    inherited = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
    }
    return inherited | {"PYTHONPATH": str(CODE)} | added


class _Watch:
    """Samples the memory of a process and all its descendants until it ends."""

    def __init__(self, pid: int) -> None:
        self._pid, self._peak = pid, 0.0
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def peak_mb(self) -> float:
        """The largest sum seen."""
        self._thread.join()
        return self._peak

    def _sample(self) -> None:
        while now := sum(_memory(pid, "smaps_rollup", "Pss:") for pid in _tree(self._pid)):
            highest = max((_memory(pid, "status", "VmHWM:") for pid in _tree(self._pid)), default=0.0)
            self._peak = max(self._peak, now, highest)
            time.sleep(_SAMPLED_EVERY)


def _tree(pid: int) -> list[int]:
    pids = [pid]
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                pids += _tree(int(child))
    return pids


def _memory(pid: int, file: str, line: str) -> float:
    """What a process's file tells in kilobytes, in megabytes; nought once it has ended."""
    with suppress(OSError):
        for entry in Path(f"/proc/{pid}/{file}").read_text().splitlines():
            if entry.startswith(line):
                return int(entry.split()[1]) / 1024
    return 0.0


def _middle(costs: list[Cost]) -> Cost:
    return Cost(*(median(getattr(cost, name) for cost in costs) for name in ("wall_s", "cpu_s", "peak_mb")))


def _table(title: str, costs: dict[str, Cost]) -> Table:
    """The costs, and their ratios to the first."""
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for name in ("wall s", "CPU s", "peak MB", "CPU ratio", "memory ratio"):
        table.add_column(name, justify="right")
    base = next(iter(costs.values()))
    for name, cost in costs.items():
        ratios = (cost.cpu_s / base.cpu_s, cost.peak_mb / base.peak_mb)
        figures = f"{cost.wall_s:.2f}", f"{cost.cpu_s:.2f}", f"{cost.peak_mb:,.0f}"
        table.add_row(name, *figures, *(f"{ratio:.2f}" for ratio in ratios))
    return table
