"""A Prefect server for one command, where none is set: it starts beside the command's imports, and ends with it.

Prefect would start one itself, later and at a higher price: it imports its server into the command's process as well,
and a server whose command was killed is left behind.
"""

import atexit
import os
import select
import socket
import subprocess
import sys
import time
from threading import Thread
from typing import Any

from evergreen import lifeline
from evergreen.definition.model_files import existing
from evergreen.errors import RunningError
from flows.runtime.connection import API, configured

_HOST = "127.0.0.1"
_TIMEOUT = "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"  # Prefect's own setting for the same
_STOPPING = 5.0  # seconds
_running: "subprocess.Popen[bytes] | None" = None


def start(model: str = "") -> None:
    """Start a server if none is set, and name it to Prefect, which must not be imported yet; do not wait for it.

    Parameters
    ----------
    model : str, optional
        Which the command is about.

    Raises
    ------
    ModelFileError
        There is no such model; raised before anything is started.
    """
    if model:
        existing(model)
    if not (_running or os.environ.get(API) or configured() or "prefect" in sys.modules):
        begin()


def begin() -> None:
    """Start a server, even if one is configured, and write its address into the environment; do not wait for it."""
    global _running
    with socket.create_server((_HOST, 0), backlog=1024) as listening:  # an early caller waits
        _running = subprocess.Popen(  # noqa: S603 - no word from outside
            lifeline.command(__name__, str(listening.fileno())),
            env=lifeline.environment(),
            pass_fds=[listening.fileno()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # out of reach of Ctrl-C
        )
        os.environ[API] = f"http://{_HOST}:{listening.getsockname()[1]}/api"
    atexit.register(stop)  # Prefect sends its last events before that: its threads end first


def wait() -> None:
    """Wait until the server that was started here answers.

    Raises
    ------
    RunningError
        It has ended, or does not answer in time.
    """
    if not _running or not _running.stdout or _running.stdout.closed:
        return
    seconds = float(os.environ.get(_TIMEOUT, "180"))
    readable, _, _ = select.select([_running.stdout], [], [], seconds)
    if not readable or not os.read(_running.stdout.fileno(), 1):
        why = "it has ended" if readable else f"it did not answer within {seconds:.0f} seconds"
        stop()
        os.environ.pop(API, None)  # its address
        raise RunningError(
            f"Prefect's own server did not start: {why}. Run it again when the machine is less busy, or start a server "
            "and set PREFECT_API_URL."
        )
    _running.stdout.close()


def started() -> bool:
    """Whether this process has a server of its own."""
    return _running is not None


def stop() -> None:
    """End the server that was started here; it ends by itself if this process dies."""
    global _running
    process, _running = _running, None
    if process is None:
        return
    assert process.stdin
    process.stdin.close()
    try:
        process.wait(_STOPPING)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _main(listening: socket.socket) -> None:
    """Serve until standard input is closed, which the end of the process that started this does."""
    servers: list[Any] = []
    Thread(target=_end_with_parent, args=[servers], daemon=True).start()
    os.environ["PREFECT_SERVER_UI_ENABLED"] = "false"
    import uvicorn
    from prefect.server.api.server import create_app

    config = uvicorn.Config(create_app(ephemeral=True, final=True), log_level="error", timeout_graceful_shutdown=2)
    servers.append(uvicorn.Server(config))
    Thread(target=_tell, args=[servers[0]], daemon=True).start()
    servers[0].run(sockets=[listening])


def _end_with_parent(servers: list[Any]) -> None:
    os.read(0, 1)  # not through `sys.stdin`, whose lock would be held at the end
    if not servers:
        os._exit(0)
    servers[0].should_exit = True


def _tell(server: Any) -> None:
    while not server.started:
        time.sleep(0.02)
    os.write(1, b"\n")


if __name__ == "__main__":
    _main(socket.socket(fileno=int(sys.argv[1])))
