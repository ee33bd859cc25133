"""The service of one machine: a process for each worker, and here what keeps copies and moves the log."""

import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from evergreen.errors import RunningError
from evergreen.locks import only
from evergreen.settings import CHECKOUT, Settings
from serving.http import auth
from serving.log.segments import close_left
from serving.options import Options

if TYPE_CHECKING:
    from serving.process.shipper import Shipper

LOCAL = frozenset({"127.0.0.1", "::1", "localhost"})
_SYNC_EVERY, _SHIP_EVERY, _PORT_TIMEOUT, _STOP_TIMEOUT = 0.5, 2.0, 2.0, 15.0  # seconds
_NICE = 10
_SHIP_FAILED = "a part of the prediction log is kept on disk"
_MEMORY = Path("/dev/shm")  # noqa: S108 - meters are mapped files: on a disk that is full, a new one ends its worker
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
Alert = Callable[[str, str, str], object]


@dataclass
class Service:
    """What was asked for, and what runs.

    Attributes
    ----------
    options : Options
    host : str
    port, workers : int
    say, alert : callable
    """

    options: Options
    host: str
    port: int
    workers: int
    say: Callable[[str], None]
    alert: Alert
    _sockets: list[socket.socket] = field(default_factory=list)
    _processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _metrics: str = ""

    def run(self) -> NoReturn:
        """Serve until Ctrl-C.

        Raises
        ------
        BusyError
            This home is served already.
        RunningError
            The port is in use, or the host is not this machine alone.
        """
        if not auth.read_keys() and self.host not in LOCAL:
            raise RunningError(
                f"{self.host} can be reached from elsewhere, and no API key is asked for. Make keys with `evergreen "
                f"key`, and name their file in {auth.KEYS_FILE}; or listen on 127.0.0.1."
            )
        home = Settings.read().home
        with only(home / "locks" / "serve.lock", f"{home} is served already. Stop that with Ctrl-C first."):
            self._bind()
            self._metrics = self._metrics_folder()
            for number in _STOP_SIGNALS:
                signal.signal(number, _exit_on_signal)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            try:
                close_left(self.root / "log")
                self._processes = [self._start(slot) for slot in range(self.workers)]
                for work in (self._sync_registry, self._ship_log):
                    self._threads.append(threading.Thread(target=_run_at_low_priority, args=(work,), daemon=True))
                    self._threads[-1].start()
                self._restart_ended_workers()
            finally:
                self._stop()

    @property
    def root(self) -> Path:
        """Where copies and log lie."""
        return Settings.read().home / "serving"

    def _metrics_folder(self) -> str:
        """A new folder of meters, and no more that of the service before, which may have been killed."""
        link = self.root / "meters"
        shutil.rmtree(link.resolve(), ignore_errors=True)
        made = mkdtemp(prefix="evergreen-meters-", dir=_MEMORY if _MEMORY.is_dir() else None)
        with suppress(OSError):  # a full disk
            link.unlink(missing_ok=True)
            self.root.mkdir(parents=True, exist_ok=True)
            link.symlink_to(made)
        return made

    def _bind(self) -> None:
        """A socket a worker, held here too, so that callers of a worker that died wait for the next."""
        try:
            self._require_free_port()
            for _ in range(self.workers):
                one = self._socket()
                if self.workers > 1:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                self._sockets.append(one)
                one.bind((self.host, self.port))
                self.port = one.getsockname()[1]  # where 0 asked for any
                one.listen(2048)
        except OSError as error:
            message = f"Port {self.port} is in use ({error.strerror}). End what listens there, or name another port"
            raise RunningError(f"{message}: see `evergreen serve --help`.") from error

    def _require_free_port(self) -> None:
        """Bind once as one who shares the port with nobody: another service might share it, and take half the callers.

        Where the service before was killed, its workers see that in a moment, and leave the port.
        """
        end = time.monotonic() + _PORT_TIMEOUT
        while True:
            with self._socket() as probe:
                try:
                    return probe.bind((self.host, self.port))
                except OSError as error:
                    if error.errno != errno.EADDRINUSE or time.monotonic() > end:
                        raise
            time.sleep(0.05)

    def _socket(self) -> socket.socket:
        one = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return one

    def _start(self, slot: int) -> "subprocess.Popen[bytes]":
        descriptor = self._sockets[slot].fileno()
        words = [str(self.root), self.options.dump(), str(slot), str(descriptor)]
        command = [sys.executable, "-P", "-m", "serving.process.worker", *words]
        path = os.pathsep.join(filter(None, [str(CHECKOUT), os.environ.get("PYTHONPATH")]))
        environment = {**os.environ, "PYTHONPATH": path, "PROMETHEUS_MULTIPROC_DIR": self._metrics}
        return subprocess.Popen(command, pass_fds=[descriptor], env=environment, start_new_session=True)  # noqa: S603

    def _restart_ended_workers(self) -> NoReturn:
        """Say when it answers; start again what ended by itself, more slowly if it ends at once."""
        began = [time.monotonic()] * self.workers
        self.say(f"Evergreen serves on http://{self.host}:{self.port}; see /openapi.json. Ctrl-C stops it.")
        while True:
            time.sleep(0.2)
            for slot, process in enumerate(self._processes):
                lived = time.monotonic() - began[slot]
                if process.poll() is not None and lived > 1:
                    self.say(f"Worker {slot} ended (exit code {process.returncode}) and is started again.")
                    self._processes[slot], began[slot] = self._start(slot), time.monotonic()

    def _sync_registry(self) -> None:
        from evergreen.stores import Stores
        from serving.model_cache import ModelCache
        from serving.process.registry_sync import RegistrySync

        stores, copies = Stores.open(), ModelCache(self.root / "models")
        sync = RegistrySync(copies, stores.registry, stores.lake, self.options.names, self.alert)
        while not self._stopping.wait(_SYNC_EVERY):
            self._warn_on_error("the keeper", sync.run_once)

    def _ship_log(self) -> None:
        shipper, told = self._shipper(), ""
        while not self._stopping.wait(_SHIP_EVERY):
            problem = self._warn_on_error("the shipper", shipper.ship) or ""
            if problem and not told:
                self._warn_on_error("the alert", partial(self.alert, _SHIP_FAILED, problem, "serve"))
            told = problem

    def _warn_on_error(self, who: str, work: Callable[[], Any]) -> Any:
        """Nothing that goes wrong here may end the service."""
        try:
            return work()
        except Exception as error:
            self.say(f"Warning: {who}: {type(error).__name__}: {error}")
            return None

    def _stop(self) -> None:
        """Let the workers end what they are at, then move what they logged."""
        for number in (signal.SIGINT, *_STOP_SIGNALS):
            signal.signal(number, signal.SIG_IGN)
        self._stopping.set()
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(_STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
        for thread in self._threads:  # one that is within a library when Python ends would end it by a signal
            thread.join(_STOP_TIMEOUT)
        shutil.rmtree(self._metrics, ignore_errors=True)
        self._warn_on_error(
            "the log", lambda: close_left(self.root / "log")
        )  # uvicorn ends a worker by the signal it got
        self._warn_on_error("the shipper", self._shipper().ship)

    def _shipper(self) -> "Shipper":
        from evergreen.stores import Stores
        from serving.model_cache import ModelCache
        from serving.process.shipper import Shipper

        return Shipper(self.root / "log", Stores.open().lake, ModelCache(self.root / "models"))


def _run_at_low_priority(work: Callable[[], None]) -> None:
    """Work in this thread, which waits while a worker wants the processor."""
    with suppress(OSError, AttributeError):  # where threads have no priority of their own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
    work()


def _exit_on_signal(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
