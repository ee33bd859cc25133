"""The steps of a new user with one table, each a command as it is typed."""

import itertools
import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from benchmarks.first_try.tables import Untouched
from benchmarks.harness.measuring import BIN, clean
from benchmarks.harness.server import free_port
from evergreen.definition.model import ROW_KEY
from evergreen.project import CODE
from evergreen.sql import stored

NAMES = ("new", "look", "ingest", "train", "later", "monitor", "replay", "score", "serve", "report", "doctor")
_SCORED = 1000  # lines of the table
_SAID = 12  # lines of a command that are kept
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
    wanted: tuple[str, ...] = NAMES

    def steps(self) -> Iterator[Step]:
        """Every step in order; those after a step that failed are tried too, but not before there is a champion."""
        name = self.table.name
        yield self._drafted()
        if self.table.refused or not self._model_file().is_file() or self.wanted == NAMES[:1]:
            return
        yield self._run("look", "look", name)
        ingested = self._run("ingest", "ingest", name)
        if self.table.waits:
            yield replace(ingested, passed=ingested.passed and self.table.waits in " ".join(ingested.said.split()))
            return
        yield ingested
        trained = self._run("train", "train", name)
        yield trained
        if not trained.passed:
            return
        if self.table.later:
            yield self._later(self.table.later)
        yield self._monitored()
        yield self._run("replay", "replay", name, "--policies", "never,own", *self._short())
        yield self._scored()
        yield self._served()
        yield self._run("report", "report", name)
        yield self._run("doctor", "doctor", name)

    def through(self, steps: list[Step]) -> bool:
        """Whether a table passed every step that it has; one that must be refused has only the first."""
        wanted = {*self.wanted} - (set() if self.table.later else {"later"})
        wanted = {"new"} if self.table.refused else {"new", "look", "ingest"} if self.table.waits else wanted
        return wanted == {step.name for step in steps if step.passed}

    def json(self, *words: str) -> object:
        """What a command prints as JSON; None if it fails."""
        done = self._command(*words, "--json")
        return json.loads(done.stdout) if not done.returncode else None

    def rows(self) -> pd.DataFrame:
        """The rows that landed, by the names of the model file."""
        from deltalake import DeltaTable

        rows = DeltaTable(str(self.home / "lake" / self.table.name / "rows")).to_pandas()
        names = list(self.model().columns)
        return rows[[stored(name) for name in names]].set_axis(names, axis="columns")

    def times(self) -> "pd.Series[pd.Timestamp]":
        """The times of the rows that landed, in order."""
        return pd.Series(self.rows()[self.model().time].sort_values(ignore_index=True))

    def model(self):  # type: ignore[no-untyped-def]
        """The drafted model, loaded."""
        import runpy

        return runpy.run_path(str(self._model_file()))["model"]

    def _model_file(self) -> Path:
        return self.home / "models" / f"{self.table.name}.py"

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
            cwd=CODE,
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
        return Step(step, passed, time.perf_counter() - start, "\n".join(said.splitlines()[-_SAID:]))

    def _drafted(self) -> Step:
        """Drafted from the file, or from a folder to which another is added later; or refused with the reason."""
        source: str | Path = self.table.source or self.table.path
        if self.table.later:
            source = self.home / "delivered"
            Path(source).mkdir(parents=True, exist_ok=True)
            shutil.copy(self.table.path, source)
        words = ("--from", str(source), "--target", self.table.target, *self.table.options)
        step = self._run("new", "new", self.table.name, *words)
        if self.table.refused:
            return replace(step, passed=self.table.refused in " ".join(step.said.split()))
        wrong = self.table.wrong(self.model()) if step.passed else []
        return replace(step, passed=False, said=f"guessed wrongly: {'; '.join(wrong)}") if wrong else step

    def _later(self, path: Path) -> Step:
        """A second file arrives; passed if each of its rows lands."""
        shutil.copy(path, self.home / "delivered")
        start = time.perf_counter()
        batches = self.json("ingest", self.table.name)
        new = sum(batch["new"] for batch in batches) if isinstance(batches, list) else 0
        rows = len(pd.read_csv(path))
        return Step("later", new == rows, time.perf_counter() - start, f"{new} of {rows} rows landed: {batches}")

    def _scored(self) -> Step:
        """The first lines of the table, scored; passed if each line has a prediction and the columns of the key."""
        sent, scored = self.home / f"sent{''.join(self.table.path.suffixes)}", self.home / "scored.csv"
        if sent.suffix == ".db":
            sent = sent.with_suffix(".csv")
            self.rows().head(_SCORED).to_csv(sent, index=False)
        else:
            sent.write_bytes(_head(self.table.path))
        step = self._run("score", "score", self.table.name, "--input", str(sent), "--output", str(scored))
        if not step.passed:
            return step
        names = list(pd.read_csv(scored).columns)
        lost = [name for name in self.model().key if name not in (ROW_KEY, *names)]
        return replace(step, passed=not lost, said=f"{scored} has {names}, and lacks {lost}") if lost else step

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
        since, step = times.iloc[-1] - 0.2 * span, max(1, span // pd.Timedelta(hours=15))
        step = f"{step // 24}d" if step >= 24 else f"{step}h"
        return ("--from", since.strftime("%Y-%m-%dT%H:%M:%S"), "--step", step)

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
            process = subprocess.Popen(command, env=self.environment(), cwd=CODE, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(60)


def _head(path: Path) -> bytes:
    """The first lines of a text file; the whole of another."""
    with path.open("rb") as lines:
        head = b"".join(itertools.islice(lines, _SCORED))
    return head if path.suffix in (".csv", ".txt", ".tsv") and b"\0" not in head else path.read_bytes()


def _asked(address: str, name: str, seconds: float = 120) -> tuple[bool, str]:
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
