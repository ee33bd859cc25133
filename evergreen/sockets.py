"""The listening sockets of this machine, read from Linux's /proc; on other systems none is found."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})  # how this machine calls itself
_TABLES = (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6))
_LISTENING = "0A"  # of the states


@dataclass(frozen=True)
class Listening:
    """A listening socket.

    Attributes
    ----------
    address : str
    port : int
    user : int
        Of the process that opened it.
    inode : str
        By which the open files of a process name it.
    """

    address: str
    port: int
    user: int
    inode: str


def listening() -> Iterator[Listening]:
    """Every listening socket for TCP."""
    for name, family in _TABLES:
        with suppress(OSError):
            for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING:
                    address, _, port = fields[1].partition(":")
                    place = socket.inet_ntop(family, _bytes(address))
                    yield Listening(place, int(port, 16), int(fields[7]), fields[9])


def _bytes(address: str) -> bytes:
    """An address as /proc writes it, where each four bytes stand in this machine's order."""
    words = [int(address[start : start + 8], 16) for start in range(0, len(address), 8)]
    return b"".join(word.to_bytes(4, "little") for word in words)
