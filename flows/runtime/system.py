"""The running system: servers and a worker as processes of this machine, which end together."""

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import NoReturn

from evergreen.addresses import without_secrets
from evergreen.errors import RunningError
from evergreen.locks import file_lock
from evergreen.permissions import check_secret, exposed
from evergreen.settings import CHECKOUT, Settings
from flows.runtime import connection, deployments

HOST = "127.0.0.1"  # a client of Prefect's server can run code here, so it listens on this machine only
STARTING = 180.0  # seconds; 7 on a quiet machine
STOPPING = 15.0
_MARK = "EVERGREEN_UP"  # set for every process of the system, so that leftovers can be found
_WORKER = ("--pool", deployments.POOL, "--type", "process", "--name", "up")
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass
class Part:
    """One process, the leader of a group of its own, so that Ctrl-C reaches only who started it."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path

    def signal(self, number: int) -> bool:
        """Send a signal to the whole group; False if no process is left."""
        self.process.poll()  # reap a dead leader, which would still count as a process
        try:
            os.killpg(self.process.pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def stop(self) -> None:
        """Interrupt as Ctrl-C does, so that a flow run can report its end; kill after a timeout."""
        self.signal(signal.SIGINT)
        if not _within(STOPPING, lambda: not self.signal(0)):
            self.signal(signal.SIGKILL)
            self.process.wait()


@dataclass
class System:
    """The parts that were started.

    Attributes
    ----------
    home : Path
        Where their state and their logs lie.
    environment : dict
        The environment of every part.
    """

    home: Path
    environment: dict[str, str]
    parts: list[Part] = field(default_factory=list)

    def start(self, name: str, *words: str) -> Part:
        """Start a Python module as a part; its output goes to its log."""
        path = self.home / "logs" / f"{name}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - no word from outside
                [sys.executable, "-P", "-m", *words],
                env=self.environment,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.parts.append(Part(name, process, path))
        return self.parts[-1]

    def check(self) -> None:
        """Make sure that no part has ended by itself.

        Raises
        ------
        RunningError
            One has.
        """
        for part in self.parts:
            code = part.process.poll()
            if code is not None:
                last = "\n".join(part.log.read_text(errors="replace").splitlines()[-5:])
                raise RunningError(
                    f"The {part.name} has ended by itself (exit code {code}), so all was stopped. Its log, {part.log},"
                    f" ends with:\n{last}\nMend that, and run `evergreen up` again."
                )

    def wait(self, url: str) -> None:
        """Wait until a part answers at an address."""

        def answered() -> bool:
            self.check()
            return answers(url)

        if not _within(STARTING, answered):
            raise RunningError(f"{url} did not answer within {STARTING:.0f} seconds. See {self.home / 'logs'}.")

    def stop(self) -> None:
        """End all parts, the last one first: a worker has to report to the server how its runs ended."""
        for part in reversed(self.parts):
            part.stop()
        end_leftovers(self.home)


@dataclass(frozen=True)
class Ports:
    """Where each server listens; None where it is not to be started."""

    prefect: int
    mlflow: int | None
    service: int | None

    def taken(self) -> list[int]:
        """The ports that have to be free."""
        return [port for port in (self.prefect, self.mlflow, self.service) if port]


def up(ports: Ports, say: Callable[[str], None]) -> None:
    """Start Prefect's server, a worker, every deployment, MLflow's server and the service; watch them until Ctrl-C.

    Parameters
    ----------
    ports : Ports
    say : callable
        Prints a line for the user.
    """
    settings = Settings.read()
    message = f"Evergreen is up already in {settings.home}. Stop it there with Ctrl-C, or set another EVERGREEN_HOME."
    with file_lock(connection.lock_file(), message):
        end_leftovers(settings.home)
        for sentence in filter(None, (exposed(settings.home, shared=True), check_secret(connection.secret_file()))):
            say(f"Warning: {sentence}")
        for wanted in ports.taken():
            _take(wanted)
        system = System(settings.home, _environment(settings, ports.prefect))
        with _until_stopped(system):
            _start(system, settings, ports, say)
            _watch(system, ports, say)


def _start(system: System, settings: Settings, ports: Ports, say: Callable[[str], None]) -> None:
    if ports.service:  # it depends on no other part and is ready first
        system.start("prediction-service", "cli.main", "serve", "--port", str(ports.service))
    say("Starting Prefect's server ...")
    system.start("prefect-server", "prefect", "server", "start", "--host", HOST, "--port", str(ports.prefect))
    hint = _password_hint()
    for name in (connection.API, connection.AUTH):  # Prefect reads them when it is imported
        os.environ[name] = system.environment[name]
    api = os.environ[connection.API]
    system.wait(f"{api}/health")
    connection.note().write_text(api)
    deployments.make_pool(max(4, os.cpu_count() or 1))  # runs missed while all was down come at once
    deployments.end_dead_runs()
    system.start("worker", "prefect", "worker", "start", *_WORKER)
    say("Registering the deployments ...")
    registered = deployments.register(system.environment)
    if ports.mlflow:
        system.start("mlflow-server", *_mlflow(settings, ports.mlflow))
    say(f"Evergreen is up; its state lies in {system.home}.")
    say(
        f"  Prefect  http://{HOST}:{ports.prefect}  (runs, schedules, a form for each of {', '.join(registered.names)})"
    )
    say(f"           To sign in, once in each browser: paste {hint[0]} into the field that shows 'admin:pass'")
    say(f"  MLflow   {_mlflow_address(settings, ports.mlflow)}")
    if ports.service:
        say(f"  Models   http://{HOST}:{ports.service}/models/NAME/invocations  (every champion; see /openapi.json)")
    for line in registered.notes:
        say(f"  {line}")
    say("Commands in other shells find it by themselves, other programs by:")
    say(f"  export {connection.API}={api}")
    say(f"  export {connection.AUTH}={hint[1]}")
    say("Ctrl-C stops all of it.")


def _watch(system: System, ports: Ports, say: Callable[[str], None]) -> NoReturn:
    """Run until Ctrl-C or until a part ends by itself; report when MLflow's server is ready."""
    mlflow_url = f"http://{HOST}:{ports.mlflow}/health" if ports.mlflow else None
    while True:
        system.check()
        if mlflow_url and answers(mlflow_url):
            say(f"MLflow answers at http://{HOST}:{ports.mlflow}.")
            mlflow_url = None
        time.sleep(0.5)


def _password_hint() -> tuple[str, str]:
    """Where the password of Prefect's server is: in words, and for a shell. It may not land in a log itself."""
    if connection.given():
        return f"what {connection.SERVER_AUTH} or {connection.AUTH} holds here", "..."
    path = str(connection.secret_file())
    return f"the text of {path}", f'"$(cat {shlex.quote(path)})"'


def _mlflow(settings: Settings, port: int) -> list[str]:
    """MLflow's server on the store that the flows write to themselves: it shows, and nothing depends on it."""
    artifacts = (settings.home / "artifacts").as_uri()
    store = ["--backend-store-uri", settings.tracking_uri, "--default-artifact-root", artifacts]
    return ["mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1", *store]


def _mlflow_address(settings: Settings, port: int | None) -> str:
    if port:
        return f"http://{HOST}:{port}  (models, their runs and artifacts; it starts slowly)"
    return f"no server was started; the store is {without_secrets(settings.tracking_uri)}"


def _environment(settings: Settings, port: int) -> dict[str, str]:
    """The environment of the parts: the same settings, with absolute paths."""
    lake = settings.lake if "://" in settings.lake else str(Path(settings.lake).absolute())
    paths = {"EVERGREEN_HOME": str(settings.home), "EVERGREEN_MODELS": str(settings.models), "EVERGREEN_LAKE": lake}
    secret = connection.server_secret()
    theirs = {
        _MARK: str(settings.home),
        connection.API: f"http://{HOST}:{port}/api",
        connection.AUTH: secret,
        connection.SERVER_AUTH: secret,
        "PREFECT_LOGGING_LEVEL": "INFO",  # a run's log is for Prefect's page of it
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # of what language models need
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(CHECKOUT), os.environ.get("PYTHONPATH")])),
    }
    return {**_defaults(port), **os.environ, **paths, **theirs}


def _defaults(port: int) -> dict[str, str]:
    """What the parts use unless the environment says otherwise."""
    return {
        "PREFECT_WORKER_QUERY_SECONDS": "1",  # Prefect asks for new runs every 10 seconds
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"http://{HOST}:{port},http://localhost:{port}",  # Prefect allows all
        "MLFLOW_SERVER_ALLOWED_HOSTS": f"{HOST}:*,localhost:*",  # MLflow allows 10.*, which is any name that begins so
    }


def _take(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do
        try:
            probe.bind((HOST, port))
        except OSError as error:
            message = f"Port {port} is in use ({error.strerror}). End what listens there, or name another port"
            raise RunningError(f"{message}: see `evergreen up --help`.") from error


@contextmanager
def _until_stopped(system: System) -> Iterator[None]:
    """End all parts however the block ends, ignoring further signals meanwhile."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job would ignore it
    for number in _ENDS[1:]:
        signal.signal(number, _leave)
    try:
        yield
    finally:
        for number in _ENDS:
            signal.signal(number, signal.SIG_IGN)
        connection.note().unlink(missing_ok=True)
        system.stop()


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def end_leftovers(home: Path) -> None:
    """Kill the processes left by a system in this home whose starter was killed; its work is safe to interrupt.

    They have ended when this returns, so that their ports are free.
    """
    _within(STOPPING, lambda: not _kill_leftovers(home))


def _kill_leftovers(home: Path) -> bool:
    """Kill them, and return whether there were any."""
    mark, found = f"{_MARK}={home}".encode(), False
    for path in Path("/proc").glob("[0-9]*/environ"):  # without /proc, the check of the ports reports them
        with suppress(OSError):
            if mark in path.read_bytes().split(b"\0") and int(path.parent.name) != os.getpid():
                found = True
                os.kill(int(path.parent.name), signal.SIGKILL)
    return found


def answers(url: str) -> bool:
    """Whether a server answers at an address."""
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - an address of this module
            return True
    except (urllib.error.URLError, OSError):
        return False


def _within(seconds: float, reached: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True
