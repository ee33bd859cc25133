"""The running system: servers and a worker as processes of this machine, which end together."""

import os
import shlex
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from evergreen import ctrl_c, lifeline
from evergreen.addresses import without_secrets
from evergreen.errors import RunningError
from evergreen.locks import file_lock
from evergreen.permissions import check_secret, exposed
from evergreen.releases import RELEASE
from evergreen.settings import Settings
from flows.runtime import connection, deployments
from flows.runtime.parts import MARK, System, answers, end_leftovers, within
from flows.runtime.registered import POOL

HOST = "127.0.0.1"  # a client of Prefect's server can run code here, so it listens on this machine only
STOPPING, AT_CTRL_C = 15.0, 0.9  # seconds; a person waits two
_WORKER = ("--pool", POOL, "--type", "process", "--name", "up")
_LEFT = 5.0  # until what a killed system left has ended
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Ports:
    """Where each server listens; None where it is not to be started."""

    prefect: int
    mlflow: int | None
    service: int | None
    ui: int | None = None

    def taken(self) -> list[int]:
        """The ports that have to be free."""
        return [port for port in (self.prefect, self.mlflow, self.service, self.ui) if port]


def up(ports: Ports, say: Callable[[str], None]) -> None:
    """Start Prefect's server, a worker, every deployment, the other servers and the web UI; watch them until Ctrl-C.

    Parameters
    ----------
    ports : Ports
    say : callable
        Prints a line for the user.
    """
    settings = Settings.read()
    message = f"Evergreen is up already in {settings.home}. Stop it there with Ctrl-C, or set another EVERGREEN_HOME."
    with file_lock(connection.lock_file(), message):
        _require_free(settings.home, ports.taken())
        for sentence in filter(None, (exposed(settings.home, shared=True), check_secret(connection.secret_file()))):
            say(f"Warning: {sentence}")
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
    system.result_of(_begun)
    system.start("worker", "prefect", "worker", "start", *_WORKER)
    say("Registering the deployments ...")
    registered = system.result_of(lambda: deployments.register(system.environment))
    if ports.ui:
        system.start("ui", "cli.main", "ui", "--port", str(ports.ui))
    if ports.mlflow:
        system.start("mlflow-server", *_mlflow(settings, ports.mlflow))
    say(f"Evergreen is up; its state lies in {system.home}.")
    if ports.ui:
        say(f"  Pages    http://{HOST}:{ports.ui}  (what needs you, every model, what was done and why)")
    say(
        f"  Prefect  http://{HOST}:{ports.prefect}  (runs, schedules, a form for each of {', '.join(registered.names)})"
    )
    say(f"           To sign in, once in each browser: paste {hint[0]} into the field that shows 'admin:pass'")
    say(f"  MLflow   {_mlflow_address(settings, ports.mlflow)}")
    if ports.service:
        say(f"  Models   http://{HOST}:{ports.service}/models/NAME/invocations  (every champion; see /docs)")
    for line in registered.notes:
        say(f"  {line}")
    say("Commands in other shells find it by themselves, other programs by:")
    say(f"  export {connection.API}={api}")
    say(f"  export {connection.AUTH}={hint[1]}")
    say("Ctrl-C stops all of it.")


def _begun() -> None:
    """Make Prefect's server ready for a worker."""
    deployments.make_pool(max(4, os.cpu_count() or 1))  # runs missed while all was down come at once
    deployments.end_dead_runs()


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
    store = ["--backend-store-uri", settings.tracking_uri, "--default-artifact-root", settings.artifacts]
    return ["mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1", *store]


def _mlflow_address(settings: Settings, port: int | None) -> str:
    if port:
        return f"http://{HOST}:{port}  (models, their runs and artifacts; it starts slowly)"
    return f"no server was started; the store is {without_secrets(settings.tracking_uri)}"


def _environment(settings: Settings, port: int) -> dict[str, str]:
    """The environment of the parts: the same settings, with absolute paths."""
    lake = settings.lake if "://" in settings.lake else str(Path(settings.lake).absolute())
    paths = {"EVERGREEN_HOME": str(settings.home), "EVERGREEN_LAKE": lake}
    if os.environ.get("EVERGREEN_MODELS"):  # else each run takes those of the release that is in force when it begins
        paths["EVERGREEN_MODELS"] = str(settings.models)
    secret = connection.server_secret()
    theirs = {
        MARK: str(settings.home),
        connection.API: f"http://{HOST}:{port}/api",
        connection.AUTH: secret,
        connection.SERVER_AUTH: secret,
        "PREFECT_LOGGING_LEVEL": "INFO",  # a run's log is for Prefect's page of it
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # of what language models need
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
    }
    inherited = {name: value for name, value in lifeline.environment().items() if name != RELEASE}
    return {**_defaults(port), **inherited, **paths, **theirs}


def _defaults(port: int) -> dict[str, str]:
    """What the parts use unless the environment says otherwise."""
    return {
        "PREFECT_WORKER_QUERY_SECONDS": "1",  # Prefect asks for new runs every 10 seconds
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"http://{HOST}:{port},http://localhost:{port}",  # Prefect allows all
        "MLFLOW_SERVER_ALLOWED_HOSTS": f"{HOST}:*,localhost:*",  # MLflow allows 10.*, which is any name that begins so
    }


def _require_free(home: Path, ports: list[int]) -> None:
    """Make sure that every port is free.

    What a killed system left is ended at once where it can be found; elsewhere it ends by itself within seconds.
    """
    end_leftovers(home)
    if connection.note().exists():  # which a system deletes when it ends by itself
        within(_LEFT, lambda: all(_refusal(port) is None for port in ports))
    for port in ports:
        error = _refusal(port)
        if error:
            message = f"Port {port} is in use ({error.strerror}). End what listens there, or name another port"
            raise RunningError(f"{message}: see `evergreen up --help`.") from error


def _refusal(port: int) -> OSError | None:
    """Why a server could not listen on a port, or None."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return error
    return None


@contextmanager
def _until_stopped(system: System) -> Iterator[None]:
    """End all parts however the block ends, in time for a person who waits."""
    ctrl_c.begin(background=True)
    for number in _ENDS[1:]:
        signal.signal(number, _leave)
    patience = AT_CTRL_C
    try:
        yield
    except SystemExit:  # by a signal of another program
        patience = STOPPING
        raise
    finally:
        for number in _ENDS[1:]:
            signal.signal(number, signal.SIG_IGN)
        connection.note().unlink(missing_ok=True)
        system.stop(patience)


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
