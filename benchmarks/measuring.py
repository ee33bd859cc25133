"""Whole processes side by side: wall clock, CPU seconds and peak memory, median of interleaved repeats."""

import argparse
import json
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from evergreen.settings import CHECKOUT, Settings

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
        tree's memory, sampled, with shared pages counted once.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float


@dataclass(frozen=True)
class Case:
    """One contender: a command, or a command that measures itself and prints a `Cost` as JSON last.

    Attributes
    ----------
    name : str
    command : list of str
    prepare : callable
        Called before each run, outside the measure; returns the environment to add.
    inside : bool
        Whether the command measures itself, after its imports.
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
        return f"{self.name}: {self.value:,.3g}, {word} {self.limit:,.3g}: {'met' if self.met else 'MISSED'}"


@dataclass(frozen=True)
class Bench:
    """The outcome of one benchmark, which is printed and kept as JSON."""

    name: str
    costs: dict[str, list[Cost]]
    goals: list[Goal] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)

    def tell(self) -> None:
        """Print the table and the goals, and keep them in the home."""
        console = Console()
        console.print(_table(self))
        for goal in self.goals:
            console.print(str(goal), style="green" if goal.met else "bold red", highlight=False)
        for name, value in self.notes.items():
            console.print(f"{name}: {value}", highlight=False)
        console.print(f"[dim]{self.keep()}[/]\n", soft_wrap=True)

    def keep(self) -> Path:
        """Write the outcome to the home, and return where."""
        path = Settings.read().home / "benchmarks" / f"{self.name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = asdict(self) | {"machine": machine(), "met": {goal.name: goal.met for goal in self.goals}}
        path.write_text(json.dumps(kept, indent=1, default=str))
        return path


def machine() -> dict[str, Any]:
    """What the figures were measured on, and how busy it was."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": platform.platform(aliased=True, terse=True),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
    }


def options(description: str | None, repeats: int = 3) -> argparse.Namespace:
    """Read the options that all benchmarks share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--repeats", type=int, default=repeats, help="runs of each contender (default %(default)s)")
    return parser.parse_args()


def interleaved(cases: list[Case], repeats: int) -> dict[str, list[Cost]]:
    """Run every case in turn, and again; a first run of each, which compiles and warms, is left out."""
    costs: dict[str, list[Cost]] = {case.name: [] for case in cases}
    for repeat in range(repeats + 1):
        for case in cases:
            cost = run(case)
            if repeat:
                costs[case.name].append(cost)
    return costs


def middle(costs: list[Cost]) -> Cost:
    """The median of each figure."""
    return Cost(*(median(getattr(cost, name) for cost in costs) for name in ("wall_s", "cpu_s", "peak_mb")))


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
        case.command, env=environment, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        watch = Watch(process.pid)
        assert process.stdout
        said = process.stdout.read().decode()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - start
    if process.returncode:
        raise RuntimeError(f"{case.name} ended with {process.returncode}:\n{said[-3000:]}")
    peak = max(used.ru_maxrss / 1024, watch.peak_mb())
    if case.inside:
        return Cost(**json.loads(said.splitlines()[-1]) | {"peak_mb": peak})
    return Cost(wall, used.ru_utime + used.ru_stime, peak)


def inside(work: Callable[[], Any]) -> Any:
    """Measure a call in this process, and print what it cost for the parent to read."""
    wall, cpu = time.perf_counter(), time.process_time()
    made = work()
    print(json.dumps({"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}))
    return made


def clean(added: dict[str, str]) -> dict[str, str]:
    """The environment of this process without what would distort a measure."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")}
    return kept | {"PYTHONPATH": str(CHECKOUT)} | added


class Watch:
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
        while now := sum(_proportional_mb(pid) for pid in _tree(self._pid)):
            self._peak = max(self._peak, now)
            time.sleep(_SAMPLED_EVERY)


def _tree(pid: int) -> list[int]:
    found = [pid]
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += _tree(int(child))
    return found


def _proportional_mb(pid: int) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def _table(bench: Bench) -> Table:
    table = Table(title=f"{bench.name} · median of {min(map(len, bench.costs.values()))}")
    table.add_column("")
    for name in ("wall s", "CPU s", "peak MB", "CPU ratio", "memory ratio"):
        table.add_column(name, justify="right")
    base = middle(next(iter(bench.costs.values())))
    for name, costs in bench.costs.items():
        cost = middle(costs)
        ratios = (cost.cpu_s / base.cpu_s, cost.peak_mb / base.peak_mb)
        table.add_row(
            name,
            f"{cost.wall_s:.2f}",
            f"{cost.cpu_s:.2f}",
            f"{cost.peak_mb:,.0f}",
            *(f"{ratio:.2f}" for ratio in ratios),
        )
    return table
