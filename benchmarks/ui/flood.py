"""What a flood of requests against the web UI costs a promotion that runs meanwhile.

    python -m benchmarks.ui.flood [--rate 1000] [--rounds 3] [--home HOME]

The champion of a model that has lived through three weeks of the demo is rolled back and promoted again: alone, beside
as many busy processes as the flood keeps busy, and beside the flood. --home takes the home of an earlier run (or leaves
one there).
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from statistics import median

from rich.table import Table

from benchmarks.harness.fleet import TEMPLATE, make
from benchmarks.harness.flood import flooded
from benchmarks.harness.measuring import BIN, CONSOLE, Case, Cost, clean, run
from benchmarks.ui.pages import PORT, ui

_BUSY = 2  # processes: the UI and who asks it
_PAGES = (
    "/",
    "/models",
    f"/models/{TEMPLATE}",
    f"/models/{TEMPLATE}/versions",
    f"/api/models/{TEMPLATE}/versions",
    "/activity",
    "/metrics",
)


def main() -> None:
    """Make the home, promote in each way, and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--home", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="evergreen-bench-") as name:
        home = (given.home or Path(name) / "home").resolve()
        if not (home / "models").is_dir():
            make(home, 1)
        where = {"EVERGREEN_HOME": str(home), "EVERGREEN_MODELS": str(home / "models")}
        costs: dict[str, list[Cost]] = {}
        came: Counter[str] = Counter()
        targets = itertools.cycle(_two_champions(where))
        with ui(clean(where)):
            url = f"http://127.0.0.1:{PORT}"
            for _ in range(given.rounds):
                for which, beside in (
                    ("alone", nullcontext()),
                    (f"beside {_BUSY} busy processes", _busy()),
                    (f"beside {given.rate} requests a second", flooded(url, given.rate, *_PAGES)),
                ):
                    with beside as counted:
                        costs.setdefault(which, []).append(run(_promotion(next(targets), where)))
                    came.update(counted or {})
    _print(costs, came)


def _promotion(version: str, where: dict[str, str]) -> Case:
    command = [str(BIN / "evergreen"), "rollback", TEMPLATE, "--to", version, "--reason", "measured", "--json"]
    return Case("promotion", command, lambda: where)


def _two_champions(where: dict[str, str]) -> list[str]:
    """The version before the champion, and the champion, so that each rollback finds the other one."""
    os.environ |= where
    from evergreen.registry.version import CHAMPION, PREVIOUS
    from evergreen.stores import Stores

    registry = Stores.open().registry
    return [registry.version(TEMPLATE, alias).number for alias in (PREVIOUS, CHAMPION)]


@contextmanager
def _busy() -> Iterator[None]:
    """Processes that compute and nothing else."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(_BUSY)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _print(costs: dict[str, list[Cost]], came: Counter[str]) -> None:
    table = Table("a promotion", "median s", "largest s", "median CPU s")
    for which, of_which in costs.items():
        seconds = [cost.wall_s for cost in of_which]
        cpu = median(cost.cpu_s for cost in of_which)
        table.add_row(which, f"{median(seconds):.1f}", f"{max(seconds):.1f}", f"{cpu:.1f}")
    CONSOLE.print(table)
    CONSOLE.print(f"requests: {json.dumps(came)}; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
