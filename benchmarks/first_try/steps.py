"""The steps of a new user with one table, each a command as it is typed."""

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from benchmarks.first_try.tables import Untouched
from benchmarks.harness.measuring import BIN, clean
from benchmarks.harness.server import free_port
from evergreen.settings import CHECKOUT

NAMES = ("new", "look", "ingest", "train", "monitor", "replay", "score", "serve", "report", "doctor")
_PATIENCE = 900.0  # seconds for one command
_MONITORED = (0.85, 0.95, 1.0)  # shares of the table's time


@dataclass(frozen=True)
class Step:
    """How one step went.

    Attributes
    ----------
    name : str
    passed : bool
    seconds : float
    said : str
        The last lines of what the command printed.
    """

    name: str
    passed: bool
    seconds: float
    said: str


@dataclass(frozen=True)
class Trial:
    """One table in a home of its own."""

    table: Untouched
    home: Path
    api: str

    def steps(self) -> Iterator[Step]:
        """Every step in order; those after a step that failed are tried too, but not before there is a champion."""
        name = self.table.name
        yield self._run("new", "new", name, "--from", str(self.table.path), "--target", self.table.target)
        if not (self.home / "models" / f"{name}.py").is_file():
            return
        yield self._run("look", "look", name)
        yield self._run("ingest", "ingest", name)
        trained = self._run("train", "train", name)
        yield trained
        if not trained.passed:
            return
        yield self._monitored()
        yield self._run("replay", "replay", name, "--policies", "never,own", *self._short())
        sent = self._sent()
        yield self._run("score", "score", name, "--input", str(sent), "--output", str(self.home / "scored.csv"))
        yield self._served()
        yield self._run("report", "report", name)
        yield self._run("doctor", "doctor", name)

    def json(self, *words: str) -> object:
        """What a command prints as JSON; None if it fails."""
        done = self._command(*words, "--json")
        return json.loads(done.stdout) if not done.returncode else None

    def times(self) -> "pd.Series[pd.Timestamp]":
        """The times of the rows that landed, in order."""
        from deltalake import DeltaTable

        rows = DeltaTable(str(self.home / "lake" / self.table.name / "rows")).to_pandas()
        model = self.model()
        return pd.Series(rows[model.time].sort_values(ignore_index=True))

    def model(self):  # type: ignore[no-untyped-def]
        """The drafted model, loaded."""
        import runpy

        return runpy.run_path(str(self.home / "models" / f"{self.table.name}.py"))["model"]

    def environment(self) -> dict[str, str]:
        """The settings of the home."""
        return clean(
            {
                "EVERGREEN_HOME": str(self.home),
                "EVERGREEN_MODELS": str(self.home / "models"),
                "PREFECT_API_URL": self.api,
            }
        )

    def _command(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [str(BIN / "python"), "-m", "cli.main", *words],
            env=self.environment(),
            cwd=CHECKOUT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )

    def _run(self, step: str, *words: str) -> Step:
        start = time.perf_counter()
        done = self._command(*words)
        said = done.stdout.strip()
        passed = done.returncode == 0 and "Traceback" not in said
        return Step(step, passed, time.perf_counter() - start, "\n".join(said.splitlines()[-6:]))

    def _monitored(self) -> Step:
        """Monitored at several moments of the table's own time and now; passed if each gives figures."""
        times, start = self.times(), time.perf_counter()
        moments = [times[int(share * (len(times) - 1))] + pd.Timedelta(seconds=1) for share in _MONITORED]
        for words in [*(("--as-of", moment.strftime("%Y-%m-%dT%H:%M:%S")) for moment in moments), ()]:
            step = self._run("monitor", "monitor", self.table.name, *words)
            if not step.passed or "no profiles" in step.said:
                return Step("monitor", False, time.perf_counter() - start, f"{' '.join(words)}: {step.said}")
        return Step("monitor", True, time.perf_counter() - start, step.said)

    def _short(self) -> tuple[str, ...]:
        """The newest fifth of the time, in three steps at most."""
        times = self.times()
        span = times.iloc[-1] - times.iloc[0]
        return ("--from", (times.iloc[-1] - 0.2 * span).strftime("%Y-%m-%d"), "--step", f"{max(1, span.days // 15)}d")

    def _sent(self) -> Path:
        """The first thousand lines of the table, as a file to score."""
        path = self.home / f"sent{self.table.path.suffix}"
        path.write_bytes(b"".join(self.table.path.open("rb").readlines()[:1000]))
        return path

    def _served(self) -> Step:
        """The service answers a request made from the model's own example."""
        start = time.perf_counter()
        with self._service() as address:
            passed, said = _asked(address, self.table.name)
        return Step("serve", passed, time.perf_counter() - start, said)

    @contextmanager
    def _service(self) -> Iterator[str]:
        port = free_port()
        command = [str(BIN / "python"), "-m", "cli.main", "serve", self.table.name, "--port", str(port)]
        with (self.home / "serve.log").open("w") as log:
            process = subprocess.Popen(
                command, env=self.environment(), cwd=CHECKOUT, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(60)


def _asked(address: str, name: str, seconds: float = 60) -> tuple[bool, str]:
    """Send the example of the OpenAPI document, once the service is ready."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            document = json.loads(_fetched(f"{address}/openapi.json"))
            content = document["paths"][f"/models/{name}/invocations"]["post"]["requestBody"]["content"]
            body = json.dumps(content["application/json"]["example"]).encode()
            answer = json.loads(_fetched(f"{address}/models/{name}/invocations", body))
            return len(answer["predictions"]) > 0, str(answer)[:300]
        except urllib.error.HTTPError as error:
            return False, error.read().decode()
        except (OSError, KeyError):
            time.sleep(0.3)
    return False, "the service did not answer"


def _fetched(url: str, body: bytes | None = None) -> str:
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return str(response.read().decode())
