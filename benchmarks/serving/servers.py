"""The servers that are measured, and the home and the requests that they share: the model `late`."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pandas as pd

from benchmarks.harness.measuring import BIN, clean
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

_SETTLING = 5  # until what is loaded behind the first answer is


def home_of(folder: Path) -> Path:
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


def seconds_to_answer(home: Path) -> float:
    """Seconds from the start to the first answer, of a home that has a local copy."""
    with evergreen(home) as server:
        return server.ready
