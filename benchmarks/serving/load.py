"""The prediction service beside `mlflow models serve`, other servers and a bare handler: the model `late`, by wrk.

One worker process each, 16 connections on loopback unless it says otherwise, single rows unless it
says otherwise. Every server gets the same rows; one runs at a time, in turns. BentoML, LitServe and MLServer stand
in environments of their own, made on first use and left out where they cannot be installed; each runs as it comes,
and again with its batching of requests. At the end one worker answers a million requests (`--requests N`), and its
memory is told at each quarter of them.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from rich.table import Table

from benchmarks.harness.measuring import CONSOLE, Goal, judged
from benchmarks.harness.peers import environment
from benchmarks.serving.handlers.forms import FORMS
from benchmarks.serving.servers import (
    Server,
    bare,
    evergreen,
    home_of,
    mlflow_serve,
    other,
    seconds_to_answer,
    swapping,
)

SECONDS = 5
SCRIPT = """
local bodies, turn = {}, 0
for line in io.lines("%s") do bodies[#bodies + 1] = line end
wrk.method, wrk.headers["Content-Type"] = "POST", "application/json"
request = function() turn = turn %% #bodies + 1; return wrk.format(nil, nil, nil, bodies[turn]) end
"""
_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


@dataclass(frozen=True)
class Load:
    """What wrk measured: requests a second, latencies in ms, and answers that were no 200."""

    rate: float
    p50: float
    p99: float
    failed: int


@dataclass(frozen=True)
class Memory:
    """MB that the worker and its supervisor hold after so many requests."""

    requests: int
    worker: float
    supervisor: float


def main() -> None:
    """Measure and print."""
    requests = _asked().requests
    if not shutil.which("wrk"):
        print("serving: not measured, it needs wrk (apt install wrk).", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory(prefix="evergreen-bench-") as name:
        folder = Path(name)
        home = home_of(folder)
        runs: dict[str, list[Load]] = {}

        def add(what: str, server: "Server", bodies: Path, connections: int = 16) -> None:
            runs.setdefault(what, []).append(load(server.url, bodies, connections))

        peers = {peer: python for peer in FORMS if (python := environment(peer))}
        single_rows, hundreds = folder / "1.jsonl", folder / "100.jsonl"
        for repeat in range(3):
            with mlflow_serve(home) as server:
                add("mlflow models serve", server, single_rows)
                add("mlflow models serve, 100 rows", server, hundreds)
            with bare(home) as server:
                add("bare handler", server, single_rows)
                add("bare handler, 1 connection", server, single_rows, 1)
                together = replace(server, url=server.url.replace("invocations", "batched"))
                add("bare handler, batching", together, single_rows)
            for peer, python in peers.items():
                for way in ("as it comes", "batching"):
                    with other(home, peer, python, way) as server:
                        add(f"{peer}, {way}", server, folder / f"{peer}.jsonl")
            for what, plain in (("evergreen, plain path", True), ("evergreen", False)):
                with evergreen(home, plain=plain) as server:
                    add(what, server, single_rows)
                    add(f"{what}, 100 rows", server, hundreds)
                    add(f"{what}, 1 connection", server, single_rows, 1)
                    if not plain:
                        with swapping():
                            add("evergreen, a swap a second", server, single_rows)
            with evergreen(home, log=False) as server:
                add("evergreen, no log", server, single_rows)
            with evergreen(home, workers=2) as server:
                add("evergreen, 2 workers", server, single_rows)
            print(f"round {repeat + 1} of 3", file=sys.stderr)
        ready = [seconds_to_answer(home) for _ in range(3)]
        samples = memory(home, single_rows, requests)
    medians = {what: _middle(loads) for what, loads in runs.items()}
    CONSOLE.print(_table(medians))
    CONSOLE.print(_memory_table(samples))
    _judge(medians, median(ready), samples)


def _judge(medians: dict[str, Load], ready: float, samples: list[Memory]) -> None:
    mlflow, many = medians["mlflow models serve"], medians["mlflow models serve, 100 rows"]
    fast, plain = medians["evergreen"], medians["evergreen, plain path"]
    swaps = medians["evergreen, a swap a second"]
    peers = [mlflow, *(measured for name, measured in medians.items() if name.startswith(tuple(FORMS)))]

    grown = samples[-1].worker / samples[1].worker
    failed = sum(measured.failed for name, measured in medians.items() if "evergreen" in name)

    def times(name: str, a: Load, b: Load, limit: float) -> Goal:
        return Goal(name, a.rate / b.rate, limit, at_least=True)

    judged(
        times("any pipeline, times mlflow models serve", plain, mlflow, 25),
        Goal("any pipeline, p50 as a share of mlflow's", plain.p50 / mlflow.p50, 0.1),
        Goal("any pipeline, p99 as a share of mlflow's", plain.p99 / mlflow.p99, 0.1),
        times("any pipeline, 100 rows, times mlflow", medians["evergreen, plain path, 100 rows"], many, 10),
        times(
            "any pipeline, one connection, times the bare handler",
            medians["evergreen, plain path, 1 connection"],
            medians["bare handler, 1 connection"],
            1,
        ),
        times("any pipeline, ahead of every peer: times the best", plain, max(peers, key=lambda peer: peer.rate), 1),
        times("any pipeline, times the bare handler with batching", plain, medians["bare handler, batching"], 1),
        times("the flights forest, times mlflow models serve", fast, mlflow, 100),
        times("the flights forest, 100 rows, times mlflow", medians["evergreen, 100 rows"], many, 15),
        times("with the log, of what it is without", fast, medians["evergreen, no log"], 0.85),
        times("a swap a second, of what it is without", swaps, fast, 0.85),
        Goal("a swap a second, p99, times what it is without", swaps.p99 / fast.p99, 1.5),
        times("two workers, times one", medians["evergreen, 2 workers"], fast, 1.6),
        Goal("seconds from the start to the first answer", ready, 3),
        Goal("memory of the worker at the end, times that after a quarter", grown, 1.05),
        Goal("answers that were no 200", failed, 0),
    )


def load(url: str, bodies: Path, connections: int, seconds: int = SECONDS) -> Load:
    """Ask with wrk, after a second of warming."""
    script = bodies.with_suffix(".lua")
    script.write_text(SCRIPT % bodies)
    command = ["wrk", "-t1", f"-c{connections}", "--latency", "-s", str(script), url]
    subprocess.run([*command, "-d1"], check=True, capture_output=True)
    said = subprocess.run([*command, f"-d{seconds}"], check=True, capture_output=True, text=True).stdout
    if "99%" not in said:
        raise RuntimeError(f"wrk measured nothing:\n{said}")
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    return Load(
        float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1]),  # type: ignore[index]
        _milliseconds(said, "50%"),
        _milliseconds(said, "99%"),
        (int(failed[1]) if failed else 0) + (sum(map(int, errors.groups())) if errors else 0),
    )


def memory(home: Path, bodies: Path, requests: int) -> list[Memory]:
    """What one worker and its supervisor hold at each quarter of so many requests."""
    with evergreen(home) as server:
        (worker,) = _children(server.process.pid)
        rate = load(server.url, bodies, 16, 1).rate  # so that no quarter is run over
        first, samples = _answers(server), []
        for quarter in range(5):
            while (left := first + requests * quarter // 4 - _answers(server)) > 0:
                rate = load(server.url, bodies, 16, max(1, min(60, round(left / rate)))).rate
            samples.append(Memory(_answers(server) - first, _resident(worker), _resident(server.process.pid)))
            print(f"{samples[-1].requests:,} requests: {samples[-1].worker:.0f} MB", file=sys.stderr)
    return samples


def _answers(server: Server) -> int:
    """How many rows the service says that it has answered."""
    page = server.url.replace("/models/late/invocations", "/metrics")
    with urllib.request.urlopen(page, timeout=60) as answer:
        rows = re.findall(r"^evergreen_rows_total\{.*\} (\S+)$", answer.read().decode(), re.MULTILINE)
    return int(sum(map(float, rows)))


def _children(process: int) -> list[int]:
    command = ["pgrep", "-P", str(process), "-f", "serving.process.worker"]
    pgrep = subprocess.run(command, capture_output=True, check=True)
    return [int(child) for child in pgrep.stdout.split()]


def _resident(process: int) -> float:
    """MB of memory that a process holds now."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


def _milliseconds(said: str, share: str) -> float:
    value, unit = re.search(rf"{share}\s+([\d.]+)(us|ms|s)\s", said).groups()  # type: ignore[union-attr]
    return float(value) * _UNITS[unit]


def _middle(loads: list[Load]) -> Load:
    middles = (median(getattr(measured, name) for measured in loads) for name in ("rate", "p50", "p99"))
    return Load(*middles, failed=sum(measured.failed for measured in loads))


def _table(medians: dict[str, Load]) -> Table:
    load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    table = Table(title=f"serving `late` (median of 3, {load})", title_justify="left")
    table.add_column("")
    for name in ("requests a second", "p50 ms", "p99 ms", "no 200"):
        table.add_column(name, justify="right")
    for what, measured in medians.items():
        table.add_row(what, f"{measured.rate:,.0f}", f"{measured.p50:.2f}", f"{measured.p99:.2f}", str(measured.failed))
    return table


def _memory_table(samples: list[Memory]) -> Table:
    table = Table(title="memory of one worker, MB", title_justify="left")
    for name in ("requests", "worker", "supervisor"):
        table.add_column(name, justify="right")
    for sample in samples:
        table.add_row(f"{sample.requests:,}", f"{sample.worker:.0f}", f"{sample.supervisor:.0f}")
    return table


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1_000_000, help="after which memory is told (1,000,000)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
