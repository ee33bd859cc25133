"""A Prefect server of the benchmark's own, on a free port and in a folder of its own."""

import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.harness.measuring import BIN, clean


@contextmanager
def prefect_server(folder: Path) -> Iterator[str]:
    """Start a server, wait until it answers, and give the address of its API."""
    port = free_port()
    address = f"http://127.0.0.1:{port}/api"
    own = {"PREFECT_HOME": str(folder / "prefect"), "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
    command = [BIN / "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(command, env=clean(own), stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait(process, f"{address}/health")
        yield address
    finally:
        process.terminate()
        process.wait(timeout=30)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(process: "subprocess.Popen[bytes]", health: str, seconds: int = 120) -> None:
    for _ in range(seconds * 5):
        try:
            with urllib.request.urlopen(health, timeout=2):
                return
        except OSError:
            if process.poll() is not None:
                raise RuntimeError(f"The Prefect server ended with {process.returncode}.") from None
            time.sleep(0.2)
    raise RuntimeError(f"The Prefect server did not answer within {seconds} s.")
