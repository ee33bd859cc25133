"""The prediction service beside `mlflow models serve`, other servers and a bare handler: the model `late`, by wrk.

One worker process each, 16 connections on loopback unless it says otherwise, single rows unless it
says otherwise. Every server gets the same rows; one runs at a time, in turns. BentoML, LitServe and MLServer stand
in environments of their own, made on first use and left out where they cannot be installed; each runs as it comes,
and again with its batching of requests. At the end one worker answers a million requests (`--requests N`), and its
memory is told at each quarter of them.
"""

import argparse
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import orjson
import pandas as pd
from rich.table import Table

from benchmarks.harness.measuring import BIN, CONSOLE, Goal, clean, judged
from benchmarks.harness.peers import environment
from benchmarks.harness.server import free_port
from benchmarks.serving.handlers.forms import FORMS
from evergreen.definition import loader
from evergreen.project import CODE
from evergreen.registry.model_store import ESTIMATOR
from evergreen.registry.registry import TrainingRecord
from evergreen.registry.version import CHAMPION
from evergreen.stores import Stores
from evergreen.training import fitting
from serving.model_cache import ModelCache, Spec
from serving.process.registry_sync import RegistrySync

SECONDS = 5
_SETTLING = 5  # until what is loaded behind the first answer is
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
        home = _home(folder)
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
        ready = [_ready(home) for _ in range(3)]
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


def _home(folder: Path) -> Path:
    """A home with two equal champions of `late`, and bodies of a row and of a hundred."""
    home = folder / "home"
    os.environ |= {"EVERGREEN_HOME": str(home), "EVERGREEN_MODELS": str(CODE / "models"), "OMP_NUM_THREADS": "1"}
    home.mkdir()
    model, registry = loader.load("late"), Stores.open().registry
    span = (pd.Timestamp("2013-03-01", tz="UTC"), pd.Timestamp("2013-06-01", tz="UTC"))
    rows = model.source.function(*span)  # type: ignore[union-attr]
    rows = rows[rows[model.target].notna()]
    example = fitting.features(model, rows).tail(5).reset_index(drop=True)
    estimator = fitting.fit(model, rows)
    dataset = {"name": "rows", "digest": "bench", "uri": "none", "version": "0"}
    for _ in range(2):
        version = registry.record_training(model, estimator, example, TrainingRecord("a run", {}, {}, {}, dataset))
    registry.alias(version, CHAMPION)
    asked = fitting.features(model, rows.sample(2000, random_state=0))
    split = json.loads(asked.to_json(orient="split", index=False))
    for count in (1, 100):
        bodies = [
            orjson.dumps({"dataframe_split": {"columns": split["columns"], "data": split["data"][at : at + count]}})
            for at in range(0, 2000, count)
        ]
        (folder / f"{count}.jsonl").write_bytes(b"\n".join(bodies))
    for peer, (form, _) in FORMS.items():
        bodies = [orjson.dumps(form(split["columns"], row)) for row in split["data"]]
        (folder / f"{peer}.jsonl").write_bytes(b"\n".join(bodies))
    return home


@dataclass(frozen=True)
class Server:
    """A running server, and how many seconds it took to the first answer."""

    url: str
    ready: float
    process: "subprocess.Popen[bytes]"


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


@contextmanager
def mlflow_serve(home: Path) -> Iterator[Server]:
    """MLflow's own server of the same version."""
    port = free_port()
    uri = Stores.open().registry.path(Stores.open().registry.champion("late"))  # type: ignore[arg-type]
    command = [
        BIN / "mlflow",
        "models",
        "serve",
        "-m",
        uri,
        "-p",
        str(port),
        "--env-manager",
        "local",
        "--workers",
        "1",
    ]
    with _running(command, home, f"http://127.0.0.1:{port}/invocations") as server:
        yield server


@contextmanager
def bare(home: Path) -> Iterator[Server]:
    """A handler that calls the pipeline on a frame, and nothing else."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.serving.handlers.bare", str(port)]
    with _running(command, home, f"http://127.0.0.1:{port}/invocations") as server:
        yield server


@contextmanager
def other(home: Path, peer: str, python: str, way: str) -> Iterator[Server]:
    """Another server in its own environment, with the same stored pipeline."""
    port, (_, path) = free_port(), FORMS[peer]
    stored = Path(Stores.open().registry.path(Stores.open().registry.champion("late"))) / ESTIMATOR  # type: ignore[arg-type]
    command = [python, "-m", f"benchmarks.serving.handlers.{peer}", str(port), way]
    added, bodies = {"STORED": str(stored)}, home.parent / f"{peer}.jsonl"
    with _running(command, home, f"http://127.0.0.1:{port}/{path}", added, bodies) as server:
        yield server


UNLOGGED = "from serving.inference.micro_batching import MicroBatcher\nMicroBatcher._log_predictions = lambda *_: 0\n"


@contextmanager
def evergreen(home: Path, workers: int = 1, *, log: bool = True, plain: bool = False) -> Iterator[Server]:
    """The prediction service; without its log, or without the compiled path, by means of this benchmark's own."""
    port, path = free_port(), [str(CODE)]
    if not log:
        path.append(str(home / "unlogged"))
        (home / "unlogged").mkdir(exist_ok=True)
        (home / "unlogged" / "sitecustomize.py").write_text(UNLOGGED)
    _prepared(home, plain=plain)
    command = [BIN / "evergreen", "serve", "late", "--port", str(port), "--workers", str(workers)]
    added = {"PYTHONPATH": os.pathsep.join(path)}
    with _running(command, home, f"http://127.0.0.1:{port}/models/late/invocations", added) as server:
        yield server


def _prepared(home: Path, *, plain: bool) -> None:
    """The local copies, as a start before this one left them, compiled or told that they are not."""
    copies = ModelCache(home / "serving" / "models")
    sync = RegistrySync(copies, Stores.open().registry, Stores.open().lake, ["late"], lambda *_: None)
    for version in Stores.open().registry.versions("late"):
        Stores.open().registry.alias(version, CHAMPION)
        sync.run_once()
        spec = copies.spec("late", version.number)
        apart = None if plain else 0.0
        copies.add(
            "late",
            version.number,
            partial(_filled, copies.folder("late", version.number), replace(spec, compiled=apart)),
        )


def _filled(old: Path, spec: Spec, folder: Path) -> Spec:
    for path in old.iterdir():
        shutil.copy(path, folder)
    return spec


@contextmanager
def swapping() -> Iterator[None]:
    """Another version of the model becomes champion once a second."""
    over = threading.Event()

    def swap() -> None:
        registry = Stores.open().registry
        for version in itertools.cycle(registry.versions("late")):
            registry.alias(version, CHAMPION)
            if over.wait(1):
                return

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def _running(
    command: list[Any], home: Path, url: str, added: dict[str, str] | None = None, bodies: Path | None = None
) -> Iterator[Server]:
    """Start a server, wait until it answers a row, and end it with all that it started."""
    given = {name: os.environ[name] for name in ("EVERGREEN_HOME", "EVERGREEN_MODELS", "OMP_NUM_THREADS")}
    given |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "1", "PATH": f"{BIN}:{os.environ['PATH']}"}
    given |= added or {}
    start = time.perf_counter()
    with (home / "server.log").open("w") as log:
        process = subprocess.Popen(command, env=clean(given), stdout=log, stderr=log, start_new_session=True)
    try:
        body = (bodies or home.parent / "1.jsonl").read_bytes().splitlines()[0]
        _answered(process, url, body, home / "server.log")
        ready = time.perf_counter() - start
        time.sleep(_SETTLING)
        yield Server(url, ready, process)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _answered(process: "subprocess.Popen[bytes]", url: str, body: bytes, log: Path) -> None:
    asked = urllib.request.Request(url, body, {"content-type": "application/json"})
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(asked, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.02)
    raise RuntimeError(f"{url} does not answer:\n{log.read_text()[-2000:]}")


def _ready(home: Path) -> float:
    """Seconds from the start to the first answer, of a home that has a local copy."""
    with evergreen(home) as server:
        return server.ready


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
