"""The running servers of a home: which processes belong to it, where they listen, and whether they ask for a key.

Read from Linux's /proc; on other systems nothing is found.
"""

import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path

from evergreen import sockets

_PROC = Path("/proc")
_NO_ANSWER = 599
PREFECT, WORKER, MLFLOW = "Prefect's server", "Prefect's worker", "MLflow's server"
SERVICE, UI = "prediction service", "web UI"

# How a process is recognised: words of its command line, what it is, and what to ask it for to see if it wants a key.
_PARTS = (
    (("prefect", "server"), PREFECT, "/api/admin/version"),
    (("prefect", "worker"), WORKER, ""),
    (("prefect.engine",), "a flow run", ""),
    (("mlflow", "server"), MLFLOW, "/api/2.0/mlflow/experiments/search?max_results=1"),
    (("serve",), SERVICE, "/models"),
    (("ui",), UI, "/models"),
    (("up",), "evergreen up", ""),
)


@dataclass(frozen=True)
class Process:
    """A process of `evergreen up` or `evergreen serve`.

    Attributes
    ----------
    pid : int
    part : str
        What it is, such as "MLflow's server"; empty if that is not known.
    """

    pid: int
    part: str


@dataclass(frozen=True)
class Listener:
    """A port that one of them listens on.

    Attributes
    ----------
    address : str
    port : int
    pid : int
    part : str
        As of the process.
    key : {"needed", "none", "unknown"}
        Whether a caller without a key is refused, as was tried just now. Prefect's worker talks to its own
        flow runs only, each of which has a token that can be used once.
    """

    address: str
    port: int
    pid: int
    part: str
    key: str

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it."""
        return ip_address(self.address).is_loopback


def processes(*locks: Path) -> list[Process]:
    """The processes that hold one of these lock files, and all that they have started."""
    table = _Table()
    return [Process(pid, table.part(pid)[0]) for pid in table.family(*locks)]


def listeners(*locks: Path) -> list[Listener]:
    """Where the same processes listen; each port once."""
    table = _Table()
    listening = {found.inode: (found.address, found.port) for found in sockets.listening()}
    owners: dict[tuple[str, int], int] = {}
    for pid in table.family(*locks):
        for link in _open_files(pid):
            place = listening.get(link.removeprefix("socket:[").removesuffix("]"))
            if place:
                owners.setdefault(place, pid)
    return [_asked(*place, pid, *table.part(pid)) for place, pid in sorted(owners.items())]


class _Table:
    """The processes of this machine."""

    @cached_property
    def _parents(self) -> dict[int, int]:
        parents = {}
        for path in _PROC.glob("[0-9]*/stat"):
            with suppress(OSError):
                parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        return parents

    def family(self, *locks: Path) -> list[int]:
        """The processes that hold a lock, and their descendants, parents first."""
        names = {str(lock) for lock in locks}
        found = [pid for pid in sorted(self._parents) if pid != os.getpid() and names & set(_open_files(pid))]
        for parent in found:
            found += [pid for pid, of in self._parents.items() if of == parent and pid not in found]
        return found

    def part(self, pid: int) -> tuple[str, str]:
        """What a process is, by its command line or that of the one that started it; and what it can be asked for."""
        while pid > 1:
            words = _command(pid)
            for wanted, part, path in _PARTS:
                if set(wanted) <= set(words):
                    return part, path
            pid = self._parents.get(pid, 0)
        return "", ""


def _command(pid: int) -> list[str]:
    with suppress(OSError):
        return [Path(word).name for word in (_PROC / str(pid) / "cmdline").read_bytes().decode().split("\0") if word]
    return []


def _open_files(pid: int) -> Iterator[str]:
    """What the open files of a process are; nothing of another user's process."""
    with suppress(OSError):
        for path in (_PROC / str(pid) / "fd").iterdir():
            with suppress(OSError):
                yield str(path.readlink())


def _asked(address: str, port: int, pid: int, part: str, path: str) -> Listener:
    """A listener, after a call without a key."""
    if not path:
        return Listener(address, port, pid, part, "needed" if part == WORKER else "unknown")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104 - not bound, compared
    status = _status(f"http://[{host}]:{port}{path}" if ":" in host else f"http://{host}:{port}{path}")
    key = "none" if status < 300 else "needed" if status in (401, 403) else "unknown"
    return Listener(address, port, pid, part, key)


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - an address of this machine
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return _NO_ANSWER
