"""Every test has a home of its own; flows share one real Prefect server for the whole session."""

import atexit
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from filelock import FileLock

CHECKOUT = Path(__file__).resolve().parent.parent
TOY = Path(__file__).with_name("toy.py")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _new_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="evergreen-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


# All that tests write lies in memory, where there is room: SQLite waits for a disk at every commit.
_MEMORY = Path("/dev/shm")
if "TMPDIR" not in os.environ and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > 4e9:
    os.environ["TMPDIR"] = str(_MEMORY)
    tempfile.tempdir = None  # so that it is looked up again

# What the workers of a run share; those that xdist starts have the environment of the process that started them.
if "EVERGREEN_TESTS" not in os.environ:
    os.environ["EVERGREEN_TESTS"] = str(_new_folder())
SHARED = Path(os.environ["EVERGREEN_TESTS"])

# Prefect reads its settings when it is imported, so they stand before any test module is.
SESSION = _new_folder()
PORT = _free_port()
(SESSION / "models").mkdir()
shutil.copy(TOY, SESSION / "models" / "toy.py")
os.environ.update(
    EVERGREEN_HOME=str(SESSION / "home"),
    EVERGREEN_MODELS=str(SESSION / "models"),
    PREFECT_HOME=str(SESSION / "prefect"),
    PREFECT_API_URL=f"http://127.0.0.1:{PORT}/api",
    PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL="CRITICAL",
    PREFECT_SERVER_LOGGING_LEVEL="WARNING",
    OMP_NUM_THREADS="1",  # threads of small fits wait for each other where workers share the cores
)
os.environ.pop("EVERGREEN_LAKE", None)
os.environ.pop("MLFLOW_TRACKING_URI", None)

from evergreen.settings import embed  # noqa: E402
from tests.prepared_homes import PreparedHomes  # noqa: E402
from tests.running_system import prefect_server  # noqa: E402

embed()


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """One Prefect server on its own port and SQLite file; its URL is PREFECT_API_URL already."""
    with prefect_server(SESSION, PORT) as url:
        from flows.runtime.heartbeats import no_heartbeats

        with no_heartbeats():
            yield url


@pytest.fixture(scope="session")
def worse() -> str:
    """Lines of a model file whose challenger always answers the same."""
    return (
        "\nfrom sklearn.dummy import DummyRegressor\nmodel = model.model_copy(update={'estimator': DummyRegressor})\n"
    )


@pytest.fixture
def receiver() -> Iterator[tuple[int, list[str]]]:
    """An HTTP server of this machine: its port, and what was posted to it."""
    got: list[str] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["content-length"])).decode())
            self.send_response(500 if "broken" in self.path else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep it off the terminal."""

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port, got
    server.shutdown()


@pytest.fixture(scope="session")
def empty_registry() -> Path:
    """An MLflow store without a model: making its tables takes 4 s, copying them nothing."""
    from evergreen.registry.mlflow_registry import MlflowRegistry

    store = SHARED / "empty" / "mlflow.db"
    with FileLock(SHARED / "empty.lock"):
        if not store.exists():
            _ = MlflowRegistry(f"sqlite:///{store}").client  # what only reads makes no store
            os.environ.pop("MLFLOW_TRACKING_URI", None)  # MLflow sets it, and would lead all homes to this store
    return store


@contextmanager
def _world(folder: Path, registry: Path) -> Iterator[None]:
    """A home and a folder of model files of its own; the folder holds the toy model."""
    home = folder / "home"
    home.mkdir()
    (folder / "models").mkdir()
    shutil.copy(registry, home / "mlflow.db")
    shutil.copy(TOY, folder / "models" / "toy.py")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVERGREEN_HOME", str(home))
        patch.setenv("EVERGREEN_MODELS", str(folder / "models"))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)  # set by MLflow in the test before
        yield


@pytest.fixture
def home(tmp_path: Path, empty_registry: Path) -> Iterator[Path]:
    """The home of one test."""
    with _world(tmp_path, empty_registry):
        yield tmp_path / "home"


Write = Callable[..., Path]


def _writer(models: Path, of: str) -> Write:
    def write(more: str = "", name: str = of) -> Path:
        path = models / f"{name}.py"
        path.write_text(TOY.read_text().replace('name="toy"', f'name="{name}"') + more)
        return path

    return write


@pytest.fixture
def write_model(home: Path) -> Write:
    """Write a model file: the toy's text with more lines at its end."""
    return _writer(home.parent / "models", "toy")


@pytest.fixture(scope="session")
def worlds(tmp_path_factory: pytest.TempPathFactory, empty_registry: Path) -> Callable[[str], Any]:
    """A home for a scenario that many tests look at: give a model's name, get what writes its file."""

    @contextmanager
    def world(name: str) -> Iterator[Write]:
        folder = tmp_path_factory.mktemp(name)
        with _world(folder, empty_registry):
            yield _writer(folder / "models", name)

    return world


@pytest.fixture(scope="session")
def begun(server: str) -> Callable[..., Any]:
    """Put a new home into the state that some runs leave: give the function that runs them, and what it takes."""
    return PreparedHomes(SHARED / "homes").begin
