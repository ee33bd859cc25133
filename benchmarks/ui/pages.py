"""What the pages of the web UI cost with many models, years of daily checks and a long audit log.

    python -m benchmarks.ui.pages [--models 1000] [--days 1095] [--lines 100] [--home HOME]

One model lives through three weeks of the demo; the others are copies of it under names of their own. --home takes the
home of an earlier run (or leaves one there).
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.table import Table

from benchmarks.harness.fleet import make, name_of
from benchmarks.harness.measuring import CONSOLE, clean
from evergreen.project import CODE

PORT, ASKED = 8397, 15
_PROGRAMS = ("/activity", "/activity?act=promotion&page=9", "/activity?by=nobody", "/api/activity", "/metrics")
_SERVER_MS, _KILOBYTES = 300, 500  # the goals


def main() -> None:
    """Make the home, start the UI, ask for each page, and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--days", type=int, default=3 * 365)
    parser.add_argument("--lines", type=int, default=100)
    parser.add_argument("--home", type=Path)
    given, _ = parser.parse_known_args()
    with tempfile.TemporaryDirectory(prefix="evergreen-bench-") as name:
        home = (given.home or Path(name) / "home").resolve()
        if not (home / "models").is_dir():
            make(home, given.models, given.days, given.lines)
        environment = clean({"EVERGREEN_HOME": str(home), "EVERGREEN_MODELS": str(home / "models")})
        shutil.rmtree(home / "cache" / "ui", ignore_errors=True)
        for which in ("the first", "the next"):
            with ui(environment) as (process, started):
                _print_start(process, started, f"{given.models} models, {which} start")
                if which == "the next":
                    _print_pages(process, given.models)


@contextmanager
def ui(environment: dict[str, str]) -> Iterator[tuple["subprocess.Popen[bytes]", float]]:
    """The UI as a process, and how many seconds it took to answer."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "cli.main", "ui", "--port", str(PORT)]
    process = subprocess.Popen(command, env=environment, cwd=CODE, stdout=subprocess.DEVNULL)
    try:
        while True:
            try:
                _get("/health")
                break
            except OSError:
                time.sleep(0.05)
        yield process, time.perf_counter() - began
    finally:
        process.terminate()
        process.wait(30)


def _get(path: str) -> tuple[bytes, float]:
    began = time.perf_counter()
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}{path}", timeout=600) as answer:
        return answer.read(), time.perf_counter() - began


def _cpu(process: "subprocess.Popen[bytes]") -> float:
    """The CPU seconds that the process has used."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _print_start(process: "subprocess.Popen[bytes]", started: float, which: str) -> None:
    began = time.perf_counter()
    looked = ("/models", "/activity")
    for page in looked:  # what they show is read once somebody has asked
        _get(page)
    time.sleep(1)
    while any(b"for the first time" in _get(page)[0] for page in looked):
        time.sleep(0.5)
    read = time.perf_counter() - began
    time.sleep(3)  # what was kept is compared with what is
    CONSOLE.print(
        f"{which}: answers after {started:.1f} s, has read all {read:.0f} s later; {_cpu(process):.1f} s of CPU"
    )


def _print_pages(process: "subprocess.Popen[bytes]", models: int) -> None:
    table = Table("page", "median ms", "largest ms", "KB", "goal")
    name = name_of(models // 2)
    for path in ("/", "/models", "/models?level=good&page=2", "/models?q=store_07", f"/models/{name}", *_PROGRAMS):
        asked = [_get(path) for _ in range(ASKED)]
        times = [1000 * seconds for _, seconds in asked]
        size = len(asked[0][0]) / 1000
        met = max(times) <= _SERVER_MS and size <= _KILOBYTES
        table.add_row(
            path, f"{statistics.median(times):.0f}", f"{max(times):.0f}", f"{size:.0f}", "met" if met else "missed"
        )
    CONSOLE.print(table)
    time.sleep(5)  # until what the last request began has ended
    before = _cpu(process)
    time.sleep(20)
    CONSOLE.print(f"CPU in 20 s without a request: {_cpu(process) - before:.2f} s")
    memory = [line for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if line.startswith("VmRSS")]
    CONSOLE.print(f"memory: {int(memory[0].split()[1]) / 1e6:.2f} GB")


if __name__ == "__main__":
    main()
