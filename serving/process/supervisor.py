"""The supervisor: starts the workers, keeps the model copies up to date, and ships the prediction log."""

import errno
import itertools
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from evergreen import ctrl_c, lifeline
from evergreen.errors import RunningError
from evergreen.locks import file_lock
from evergreen.permissions import check_secret, exposed
from evergreen.settings import Settings
from evergreen.sockets import LOOPBACK
from serving.http.keys import KEYS_FILE, KeyWatch, keys_file, read_keys
from serving.log.segments import LogWatch, backlog, close_left, default_limit
from serving.options import Options
from serving.process import metrics_folder
from serving.process.startup import Startup, unready

if TYPE_CHECKING:
    from serving.process.shipper import Shipper

_ANNOUNCE_EVERY, _CTRL_C_TIMEOUT = 0.5, 1.0
_SYNC_EVERY, _SHIP_EVERY, _WATCH_EVERY, _PORT_TIMEOUT, _STOP_TIMEOUT = 0.5, 2.0, 1.0, 5.0, 15.0  # seconds
_MARK = "EVERGREEN_SERVE"  # set for every worker, so that those of a service that was killed can be found
_LOG_TURN = 5  # every how many looks at the keys the log is measured
_NICE = 10
_SHIP_FAILED = "some segments of the prediction log could not be moved to the lake and are kept on disk"
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
Alert = Callable[[str, str, str], object]


@dataclass
class Service:
    """The prediction service of one machine.

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
    _metrics: Path = Path()
    _shipping: threading.Lock = field(default_factory=threading.Lock)
    _startup: Startup = field(init=False)

    def run(self) -> NoReturn:
        """Serve until Ctrl-C.

        Raises
        ------
        BusyError
            Another service runs in this home.
        RunningError
            The port is in use, other machines can reach the host and no API key is configured, or other users
            can change a file of secrets.
        """
        if not read_keys() and self.host not in LOOPBACK:
            raise RunningError(
                f"Other machines can reach {self.host}, and no API key is configured. Create keys with `evergreen "
                f"key` and set {KEYS_FILE} to their file, or listen on 127.0.0.1."
            )
        home = Settings.read().home
        self._warn_of_exposed(home)
        with file_lock(
            home / "locks" / "serve.lock", f"Another service already runs in {home}. Stop it with Ctrl-C first."
        ):
            self._bind()
            self._metrics = metrics_folder.replace(self.root)
            for number in _STOP_SIGNALS:
                signal.signal(number, _exit_on_signal)
            ctrl_c.begin(background=True)
            ctrl_c.promise(self._stands)
            try:
                self._startup = Startup(self._sockets)
                close_left(self.root / "log")
                total = self.options.log_bytes or default_limit(self.root / "log")
                self.options = replace(self.options, log_bytes=total // self.workers)
                self._processes = [self._start(slot) for slot in range(self.workers)]
                for work in (self._sync_registry, self._ship_log, self._watch, self._announce):
                    self._threads.append(threading.Thread(target=_run_at_low_priority, args=(work,), daemon=True))
                    self._threads[-1].start()
                self._restart_ended_workers()
            except KeyboardInterrupt:  # a person waits
                self._stop(_CTRL_C_TIMEOUT)
                if any(thread.is_alive() for thread in self._threads):
                    ctrl_c.leave()
                raise
            except BaseException:
                self._stop(_STOP_TIMEOUT)
                raise

    @property
    def root(self) -> Path:
        """The folder of the model copies and the log."""
        return Settings.read().home / "serving"

    def _warn_of_exposed(self, home: Path) -> None:
        """Say which secrets and folders other users can read; refuse secrets that they can change."""
        secrets = [check_secret(path) for path in (home / "serving" / "secret", keys_file()) if path]
        for sentence in filter(None, (exposed(home, shared=True), *secrets)):
            self.say(f"Warning: {sentence}")

    def _bind(self) -> None:
        """Open a socket for each worker. It stays open here, so callers of a dead worker wait for its successor."""
        try:
            self._require_free_port()
            for _ in range(self.workers):
                listener = self._socket()
                if self.workers > 1:
                    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                self._sockets.append(listener)
                listener.bind((self.host, self.port))
                self.port = listener.getsockname()[1]  # port 0 means any free port
                listener.listen(2048)
                listener.setblocking(False)
        except OSError as error:
            message = (
                f"Port {self.port} is in use ({error.strerror}). Stop the process that uses it, or choose another port"
            )
            raise RunningError(f"{message}: see `evergreen serve --help`.") from error

    def _require_free_port(self) -> None:
        """Bind once without SO_REUSEPORT: another service could otherwise share the port and take half the callers.

        The workers of a service that was killed free the port: here at once, by themselves within seconds.
        """
        end = time.monotonic() + (_PORT_TIMEOUT if metrics_folder.is_left(self.root) else 0)
        while True:
            lifeline.end_orphans(_MARK, str(self.root))
            with self._socket() as probe:
                try:
                    return probe.bind((self.host, self.port))
                except OSError as error:
                    if error.errno != errno.EADDRINUSE or time.monotonic() > end:
                        raise
            time.sleep(0.05)

    def _socket(self) -> socket.socket:
        listener = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return listener

    def _start(self, slot: int) -> "subprocess.Popen[bytes]":
        descriptor = self._sockets[slot].fileno()
        told = self._startup.descriptor
        arguments = [str(self.root), self.options.dump(), str(slot), str(descriptor), str(told)]
        command = lifeline.command("serving.process.worker", *arguments)
        more = {"PROMETHEUS_MULTIPROC_DIR": str(self._metrics), _MARK: str(self.root)}
        environment = lifeline.environment() | more
        return subprocess.Popen(command, pass_fds=[descriptor, told], env=environment, start_new_session=True)  # noqa: S603

    def _restart_ended_workers(self) -> NoReturn:
        """Restart workers that end. One that ends within a second of its start is restarted after that second."""
        started_at = [time.monotonic()] * self.workers
        while True:
            time.sleep(0.2)
            for slot, process in enumerate(self._processes):
                uptime = time.monotonic() - started_at[slot]
                if process.poll() is not None and uptime > 1:
                    self.say(f"Worker {slot} ended with exit code {process.returncode} and is restarted.")
                    self._processes[slot], started_at[slot] = self._start(slot), time.monotonic()

    def _sync_registry(self) -> None:
        from evergreen.stores import Stores
        from serving.model_cache import ModelCache
        from serving.process.registry_sync import RegistrySync

        stores, copies = Stores.open(), ModelCache(self.root / "models")
        sync = RegistrySync(copies, stores.registry, stores.lake, self.options.names, self.alert)
        while not self._stopping.wait(_SYNC_EVERY):
            self._warn_on_error("the registry sync", sync.run_once)

    def _ship_log(self) -> None:
        shipper, reported = self._shipper(), ""
        while not self._stopping.wait(_SHIP_EVERY):
            with self._shipping:
                problem = self._warn_on_error("the shipper", shipper.ship) or ""
            if problem and not reported:
                self._warn_on_error("the alert", partial(self.alert, _SHIP_FAILED, problem, "serve"))
            reported = problem

    def _watch(self) -> None:
        keys, log = KeyWatch(self.alert), LogWatch(self.root / "log", self.options.log_bytes or 0, self.alert)
        for turn in itertools.count():
            if self._stopping.wait(_WATCH_EVERY):
                return
            self._warn_on_error("the watch of the keys", keys.run_once)
            if turn % _LOG_TURN == 0:
                self._warn_on_error("the watch of the log", log.run_once)

    def _warn_on_error(self, step: str, work: Callable[[], Any]) -> Any:
        """Run a step; print a warning if it fails, since no failure of it may end the service."""
        try:
            return work()
        except Exception as error:
            self.say(f"Warning: {step}: {type(error).__name__}: {error}")
            return None

    def _announce(self) -> None:
        """Say the address once a worker answers, and then why a model cannot predict yet, until all can."""
        self._startup.wait(self._stopping)
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - not bound, asked
        self.say(
            f"Evergreen serves on {_url(self.host, self.port)}; see {_url(host, self.port)}/docs. Ctrl-C stops it."
        )
        said = ""
        while not self._stopping.wait(_ANNOUNCE_EVERY):
            reason = unready(_url(host, self.port))
            if reason == "":
                return
            if reason and reason != said:
                self.say(reason)
                said = reason

    def _stop(self, seconds: float) -> None:
        """Let the workers finish their requests, then ship the rest of the log; what takes longer is left.

        What is left of the log is shipped by the next service.
        """
        for number in _STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        end = time.monotonic() + seconds
        self._stopping.set()
        self._end_workers(end - seconds / 3)
        self._threads.append(threading.Thread(target=self._ship_rest, daemon=True))
        self._threads[-1].start()
        for thread in self._threads:  # a thread inside a C library at exit would crash Python
            thread.join(max(end - time.monotonic(), 0))
        metrics_folder.delete(self._metrics)

    def _end_workers(self, end: float) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(max(end - time.monotonic(), 0))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _ship_rest(self) -> None:
        # uvicorn re-raises the signal, so workers end without closing their segment
        self._warn_on_error("the log", lambda: close_left(self.root / "log"))
        with self._shipping:
            self._warn_on_error("the shipper", self._shipper().ship)

    def _stands(self) -> str:
        """What is true whenever the service is stopped."""
        size, _ = backlog(self.root / "log")
        if size:
            return (
                f"Answers are logged; {size:,} bytes of the log wait for the next `evergreen serve`, which ships them."
            )
        return "Every answer is logged in the lake."

    def _shipper(self) -> "Shipper":
        from evergreen.stores import Stores
        from serving.model_cache import ModelCache
        from serving.process.shipper import Shipper

        return Shipper(self.root / "log", Stores.open().lake, ModelCache(self.root / "models"))


def _run_at_low_priority(work: Callable[[], None]) -> None:
    """Run in this thread at low priority, so that workers get the processor first."""
    with suppress(OSError, AttributeError):  # systems without a priority per thread
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
    work()


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _exit_on_signal(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
