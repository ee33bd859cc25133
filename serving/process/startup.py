"""The service until its first worker answers: the supervisor answers in its place, with 503 and the reason."""

import os
import select
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import orjson

from serving.errors import overloaded

_TIMEOUT = 0.3  # seconds that a caller may take to send, and to read
_STARTING = overloaded("The service starts, and loads its libraries and models. Send the request again in a second.")


@dataclass
class Startup:
    """Answers callers until the first worker says that it does.

    Parameters
    ----------
    sockets : sequence of socket
        That the service listens on; their calls do not block.
    """

    sockets: Sequence[socket.socket]
    _pipe: tuple[int, int] = field(default_factory=os.pipe)

    def __post_init__(self) -> None:
        os.set_blocking(self.descriptor, False)  # no worker waits for a reader

    @property
    def descriptor(self) -> int:
        """Where a worker writes once it answers."""
        return self._pipe[1]

    def wait(self, stopping: threading.Event) -> None:
        """Answer every caller with 503 until a worker does, or the service stops."""
        listeners = {listener.fileno(): listener for listener in self.sockets}
        while not stopping.is_set():
            ready, _, _ = select.select([self._pipe[0], *listeners], [], [], 0.2)
            if self._pipe[0] in ready:
                return
            for descriptor in ready:
                with suppress(OSError):  # the caller went away, or a worker was quicker
                    _refuse(listeners[descriptor].accept()[0])


def _refuse(caller: socket.socket) -> None:
    with caller:
        caller.settimeout(_TIMEOUT)
        caller.recv(65_536)
        body = orjson.dumps(_STARTING.body())
        head = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n"
        caller.sendall(b"%sconnection: close\r\ncontent-length: %d\r\n\r\n%s" % (head, len(body), body))
        caller.shutdown(socket.SHUT_WR)
        while caller.recv(65_536):  # with bytes left unread, the caller may not get the answer
            pass


def unready(url: str) -> str | None:
    """Why a service cannot predict with every model yet; empty if it can, None if it does not answer."""
    try:
        with urllib.request.urlopen(f"{url}/ping", timeout=1):  # noqa: S310 - an address of this machine
            return ""
    except urllib.error.HTTPError as error:
        return error.read().decode().strip()
    except OSError:
        return None
