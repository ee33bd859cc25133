"""A running system for tests: `evergreen up` as a real process in a home of its own, and how to talk to it."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

CHECKOUT = Path(__file__).resolve().parent.parent
_COMMAND = (sys.executable, "-m", "cli.main")
PATIENCE = 300.0  # seconds: the machine may be busy

# Lines for the toy's file: it lives now, for nine weeks.
NOW = """
TODAY = pd.Timestamp.now("UTC").floor("D")
TURN = TODAY + DAY
model = model.model_copy(update={"source": Call(function=rows, start=str((TODAY - 63 * DAY).date()), batch="7d")})
"""
MOVED = (
    NOW
    + """
usual = rows


def moved(since, until):
    found = usual(since, until)
    after = found["at"] >= TODAY - 28 * DAY
    # What was learnt holds, but for a fifth of a unit: less than chance explains, and enough to prefer a challenger.
    return found.assign(x=found["x"] + 1.5 * after, y=found["y"] + 4.7 * after)


source = model.source.model_copy(update={"function": moved})
model = model.model_copy(update={"source": source, "policy": Policy(every="90d", suspicion=None)})
"""
)
TURNED = NOW + "TURN = TODAY - 28 * DAY\n"  # a whole training and its holdout ago


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(home: Path, **more: str) -> dict[str, str]:
    """The environment of one home, without what tests set for the session's server."""
    without = ("PREFECT_API_URL", "PREFECT_HOME", "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "MLFLOW_TRACKING_URI")
    secrets = ("PREFECT_API_AUTH_STRING", "PREFECT_SERVER_API_AUTH_STRING")
    inherited = {name: value for name, value in os.environ.items() if name not in (*without, *secrets)}
    return inherited | {"EVERGREEN_HOME": str(home), "EVERGREEN_MODELS": str(home.parent / "models")} | more


def started(
    environ: dict[str, str], said: Path, *words: str, command: Sequence[str] = _COMMAND, folder: Path = CHECKOUT
) -> "subprocess.Popen[bytes]":
    """A command of `evergreen` that runs on, in a session of its own, and says what it says into a file."""
    with said.open("w") as log:
        return subprocess.Popen(
            [*command, *words],
            cwd=folder,
            env=environ,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=0o022,  # as a shell's usually is
        )


def interruptible(*words: str, **more: Any) -> "subprocess.Popen[str]":
    """A command of `evergreen` that Ctrl-C reaches, also where the tests are a background job."""
    return subprocess.Popen(
        [sys.executable, "-m", "cli", *words],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        **more,
    )


def until(reached: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """Wait for something that is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if result := reached():
            return result
        time.sleep(0.3)
    raise AssertionError(f"{what} did not come within {seconds:.0f} seconds")


@contextmanager
def prefect_server(folder: Path, port: int) -> Iterator[str]:
    """A Prefect server with an SQLite file of its own, in a folder; the URL of its API, which is up."""
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    environ, said = os.environ | {"PREFECT_HOME": str(folder / "prefect")}, folder / "server.log"
    with said.open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder, env=environ)
    url = f"http://127.0.0.1:{port}/api"

    def answers() -> bool:
        assert process.poll() is None, f"The Prefect server is not up: {said.read_text()[-2000:]}"
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return True
        except OSError:
            return False

    try:
        until(answers, "the Prefect server")
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)


class Up:
    """One `evergreen up`."""

    def __init__(self, home: Path, *words: str, port: int | None = None, **more: str) -> None:
        self.home, self.port = home, port or free_port()
        self.said = home.parent / f"up-{self.port}-{uuid4()}.log"
        self.api = f"http://127.0.0.1:{self.port}/api"
        ui = () if "--ui-port" in words else ("--no-ui",)
        self.process = started(environment(home, **more), self.said, "up", "--port", str(self.port), *words, *ui)

    @property
    def text(self) -> str:
        return self.said.read_text()

    def wait(self) -> "Up":
        """Wait until it is up."""

        def ready() -> bool:
            assert self.process.poll() is None, self.text
            return "Ctrl-C stops" in self.text

        until(ready, "`evergreen up`")
        return self

    def stop(self, number: int = signal.SIGINT) -> int:
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)
        return self.process.wait(timeout=120)

    def ask(self, path: str, body: Any = None) -> Any:
        """Ask Prefect's API; with a body, by POST."""
        data = None if body is None else json.dumps(body).encode()
        token = base64.b64encode((self.home / "up.secret").read_bytes()).decode()
        headers = {"content-type": "application/json", "authorization": f"Basic {token}"}
        request = urllib.request.Request(f"{self.api}/{path}", data, headers)

        def answered() -> bytes | None:
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return bytes(answer.read()) or b"null"
            except urllib.error.HTTPError as error:
                if error.code == 503:  # what Prefect says while SQLite is busy
                    return None
                raise

        return json.loads(until(answered, path))

    def tell(self, event: str, model: str, **payload: Any) -> datetime:
        """Send an event as another system would; when it was sent."""
        now = datetime.now(UTC)
        body = {
            "id": str(uuid4()),
            "occurred": now.isoformat(),
            "event": f"evergreen.{event}",
            "resource": {"prefect.resource.id": f"evergreen.model.{model}"},
            "related": [],
            "payload": {"model": model, **payload},
        }
        self.ask("events", [body])
        return now

    def run(self, deployment: str, **parameters: Any) -> None:
        """Ask for a run of a deployment, as its schedule would."""
        (chosen,) = [candidate for candidate in self.ask("deployments/filter", {}) if candidate["name"] == deployment]
        self.ask(f"deployments/{chosen['id']}/create_flow_run", {"parameters": parameters})

    def runs(self, start: str = "") -> list[dict[str, Any]]:
        """Flow runs whose name begins so, the first to begin first; none that is only planned or part of another."""
        flow_runs = self.ask("flow_runs/filter", {"sort": "EXPECTED_START_TIME_ASC"})
        begun = [run for run in flow_runs if run["state_type"] != "SCHEDULED" and not run["parent_task_run_id"]]
        return [run for run in begun if run["name"].startswith(start)]

    def ended(self, start: str, count: int = 1) -> list[dict[str, Any]]:
        """The same, once so many of them have ended."""

        def all_ended() -> list[dict[str, Any]]:
            ended = [run for run in self.runs(start) if _terminal(run)]
            return ended if len(ended) >= count else []

        return list(until(all_ended, f"{count} runs of {start!r}"))

    def cli(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """A command in another shell that knows the server."""
        return subprocess.run(
            [*_COMMAND, *words],
            cwd=CHECKOUT,
            env=environment(self.home, PREFECT_API_URL=self.api),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )


def _terminal(run: dict[str, Any]) -> bool:
    return run["state_type"] in ("COMPLETED", "CANCELLED", "FAILED", "CRASHED")


@contextmanager
def living(home: Path, *words: str, **more: str) -> Iterator[Up]:
    """A system that is up for the length of the block."""
    system = Up(home, *words, **more)
    try:
        yield system.wait()
    finally:
        system.stop()


def processes(home: Path) -> list[str]:
    """What still runs of a system in this home."""
    mark, commands = f"EVERGREEN_UP={home}".encode(), []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in path.read_bytes().split(b"\0"):
                commands.append(path.with_name("cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return commands
