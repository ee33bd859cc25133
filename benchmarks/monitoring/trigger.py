"""From the arrival of drifted rows to the start of the training, on a running system.

`evergreen up` runs in a home of its own. Each model has a champion of four weeks ago, and since then its rows have
drifted. Its rows are taken in on one of three ways, and what starts a training is what the system does by itself:

schedule   the run of `refresh` that a schedule would start. Where that does not look at the rows, the run of `monitor`
           that its schedule would start follows at once.
arrived    the event `evergreen.data.arrived`, by the program that filled the source.
drift      the event `evergreen.drift.detected`, by another monitor.

    python -m benchmarks.monitoring.trigger [--repeats 3] [--ways schedule arrived drift] [--stamps]
"""

import argparse
import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

from rich.table import Table

from benchmarks.harness.measuring import CONSOLE, Goal, clean, judged
from benchmarks.harness.server import free_port
from evergreen.project import CODE

WAYS = {"schedule": "", "arrived": "data.arrived", "drift": "drift.detected"}
PATIENCE = 300.0  # seconds

_MODEL = """
import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression

from evergreen import Call, Gates, Model, Policy, Training

DAY = pd.Timedelta(days=1)
TODAY = pd.Timestamp.now("UTC").floor("D")


def day_of(day):
    chance = np.random.default_rng(day.toordinal())
    x, z = chance.normal(size=50), chance.normal(size=50)
    y = 10 + 3 * x + z + chance.normal(scale=0.5, size=50)
    moved = day >= TODAY - 28 * DAY
    return pd.DataFrame({
        "id": [f"{day:%Y%m%d}-{number}" for number in range(50)],
        "at": day + pd.to_timedelta(np.arange(50) * 20, unit="min"),
        "x": x + 1.5 * moved, "z": z, "y": y + 4.7 * moved,
    })


def rows(since, until):
    days = pd.date_range(since.floor("D"), until, freq="D", inclusive="left")
    found = pd.concat([day_of(day) for day in days], ignore_index=True)
    return found[(found["at"] >= since) & (found["at"] < until)].reset_index(drop=True)


model = Model(
    name="NAME", task="regression", source=Call(function=rows, start=str((TODAY - 63 * DAY).date()), batch="7d"),
    key="id", time="at", target="y", features={"x": "number", "z": "number"}, estimator=LinearRegression,
    training=Training(window="21d", holdout="7d"), gates=Gates(resamples=200),
    policy=Policy(every="90d", suspicion=None),
)
"""


def main() -> None:
    """Start the system, let every model meet its rows, and print what took how long."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=3, help="models on each way (default %(default)s)")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--stamps", action="store_true", help="print when each run was created and began, too")
    given, _ = parser.parse_known_args()
    names = [(way, f"{way}{number}") for number in range(given.repeats) for way in given.ways]
    folder = Path(tempfile.mkdtemp(prefix="evergreen-bench-"))
    try:
        with _up(folder, [name for _, name in names]) as system:
            for _, name in names:
                system.command("refresh", name, "--as-of", f"{datetime.now(UTC) - timedelta(days=28):%Y-%m-%d}")
            measured = [(way, _measured(system, way, name, stamps=given.stamps)) for way, name in names]
    finally:
        shutil.rmtree(folder)
    _show([(way, [figures for of, figures in measured if of == way]) for way in given.ways])


def _show(ways: list[tuple[str, list[dict[str, float]]]]) -> None:
    load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    table = Table(title=f"Seconds from the rows, median (lowest to highest; {load})", title_justify="left")
    for name in ("", "first run created", "first run began", "training began", "processes"):
        table.add_column(name, justify="right")
    whats = ("created", "began", "training", "processes")
    for way, measured in ways:
        spread = [sorted(figures[what] for figures in measured) for what in whats]
        table.add_row(way, *(f"{median(some):.1f} ({some[0]:.1f} to {some[-1]:.1f})" for some in spread))
    CONSOLE.print(table)
    goals = (
        Goal(f"{way}: training began", median(figures["training"] for figures in measured), 10)
        for way, measured in ways
    )
    judged(*goals)


def _measured(system: "System", way: str, name: str, *, stamps: bool) -> dict[str, float]:
    """Let a model's rows arrive; seconds until the first run on their way and the training, and processes started."""
    start = datetime.now(UTC)
    if WAYS[way]:
        system.emit(WAYS[way], name)
    else:
        system.run("refresh", model=name, reason="schedule")
        _until(lambda: system.training(name, start) or system.ended(name, start), f"the refresh of {name}")
        if not system.training(name, start):
            system.run("monitor", model=name)
    training = _until(lambda: system.training(name, start), f"the training of {name}")
    runs = [
        run for run in system.runs(name, start) if run["start_time"] and run["start_time"] <= training["start_time"]
    ]
    mine = [run for run in runs if run["deployment_id"]]
    for run in runs if stamps else []:
        created, began = (_after(start, run[what]) for what in ("created", "start_time"))
        CONSOLE.print(f"{system.flow(run)} of {name}: created {created:.1f}, began {began:.1f}")
    _until(lambda: all(run["end_time"] for run in system.runs(name, start)), "the end of all runs")
    return {
        "created": _after(start, mine[0]["created"]),
        "began": _after(start, mine[0]["start_time"]),
        "training": _after(start, training["start_time"]),
        "processes": len(mine),
    }


def _after(start: datetime, moment: str) -> float:
    return (datetime.fromisoformat(moment) - start).total_seconds()


class System:
    """One `evergreen up`, and how to talk to it."""

    def __init__(self, api: str, environment: dict[str, str]) -> None:
        self.api, self._environment = api, environment
        self._flows: dict[str, str] = {}

    def command(self, *words: str) -> None:
        """Run a command of `evergreen`."""
        command = [sys.executable, "-m", "cli.main", *words]
        subprocess.run(command, cwd=CODE, env=self._environment, check=True, stdout=subprocess.DEVNULL)

    def ask(self, path: str, body: Any) -> Any:
        """POST to Prefect's API."""
        secret = Path(self._environment["EVERGREEN_HOME"], "up.secret").read_bytes()
        token = base64.b64encode(secret).decode()
        headers = {"content-type": "application/json", "authorization": f"Basic {token}"}
        request = urllib.request.Request(f"{self.api}/{path}", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def emit(self, event: str, model: str) -> None:
        """Emit an event, as any system may."""
        resource = {"prefect.resource.id": f"evergreen.model.{model}"}
        body = {"id": str(uuid4()), "occurred": datetime.now(UTC).isoformat(), "event": f"evergreen.{event}"}
        self.ask("events", [body | {"resource": resource, "payload": {"model": model, "reason": "x: 0.3"}}])

    def run(self, deployment: str, **parameters: Any) -> None:
        """Ask for a run of a deployment, as its schedule would."""
        (chosen,) = [candidate for candidate in self.ask("deployments/filter", {}) if candidate["name"] == deployment]
        self.ask(f"deployments/{chosen['id']}/create_flow_run", {"parameters": parameters})

    def runs(self, model: str, since: datetime) -> list[dict[str, Any]]:
        """All runs of a model that were created since, the first first."""
        runs = self.ask("flow_runs/filter", {"sort": "EXPECTED_START_TIME_ASC"})
        mine = [run for run in runs if run["parameters"].get("model") == model]
        return sorted((run for run in mine if _after(since, run["created"]) > 0), key=lambda run: str(run["created"]))

    def flow(self, run: dict[str, Any]) -> str:
        """The flow that a run is of."""
        if not self._flows:
            self._flows = {flow["id"]: flow["name"] for flow in self.ask("flows/filter", {})}
        return self._flows[run["flow_id"]]

    def training(self, model: str, since: datetime) -> dict[str, Any] | None:
        """The run of `train` that has begun."""
        return next((run for run in self.runs(model, since) if self.flow(run) == "train" and run["start_time"]), None)

    def ended(self, model: str, since: datetime) -> bool:
        """Whether a run has ended."""
        return any(run["end_time"] and run["deployment_id"] for run in self.runs(model, since))


@contextmanager
def _up(folder: Path, names: list[str]) -> Iterator[System]:
    (folder / "models").mkdir()
    for name in names:
        (folder / "models" / f"{name}.py").write_text(_MODEL.replace("NAME", name))
    port = free_port()
    api = f"http://127.0.0.1:{port}/api"
    own = clean({"EVERGREEN_HOME": str(folder / "home"), "EVERGREEN_MODELS": str(folder / "models")})
    command = [sys.executable, "-m", "cli.main", "up", "--port", str(port), "--no-mlflow", "--no-ui", "--no-serve"]
    said = folder / "up.log"
    with said.open("w") as log:
        process = subprocess.Popen(command, cwd=CODE, env=own, stdout=log, stderr=subprocess.STDOUT)
    try:
        _until(lambda: process.poll() is not None or "Ctrl-C stops" in said.read_text(), "`evergreen up`")
        yield System(api, own | {"PREFECT_API_URL": api})
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=120)


def _until(reached: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if result := reached():
            return result
        time.sleep(1)  # what is measured has stamps of its own
    raise RuntimeError(f"{what} did not come within {PATIENCE:.0f} s")


if __name__ == "__main__":
    main()
