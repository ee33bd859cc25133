"""The prediction log on disk: append-only segments of lines, written before the caller gets the response.

A line is one write: the predictions of one batch, or the labels of one request. A worker writes to
the open segment of its own slot. A closed segment is moved into the lake exactly once: its number
is larger than all earlier numbers of the slot, and the commit in the lake stores it.
"""

import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from filelock import FileLock, Timeout

from evergreen.files import replace

_OPEN, _CLOSED, _NUMBER, LOCK = "open", ".jsonl", "number", "lock"
_MEASURE_PAUSE = 20  # times as long as a look at a log that has reached its limit takes, until the next one
_LEAST_SEGMENTS = 4  # into which a log that reaches its limit is divided, so that it can move bit by bit
_NEAR = 0.8  # of the limit, from which a person is told
_LEAST_LIMIT, _MOST_LIMIT = 100_000_000, 10_000_000_000  # bytes


@dataclass
class Log:
    """Writes the open segment of one slot; only one process at a time may write a slot.

    Parameters
    ----------
    slot : Path
        The folder of the slot.
    largest : int
        Size in bytes from which a segment is closed.
    longest : float
        Age in seconds from which a segment that is not empty is closed.
    limit : int or None
        Size in bytes of all segments of the slot, from which no more is written until some are in the lake.
    """

    slot: Path
    largest: int = 32_000_000
    longest: float = 10.0
    limit: int | None = None
    _file: int = field(default=-1, init=False)
    _size: int = field(default=0, init=False)
    _opened_at: float = field(default=0.0, init=False)
    _written_heads: set[str] = field(default_factory=set, init=False)
    _closed_size: int = field(default=0, init=False)
    _measure_from: float = field(default=0.0, init=False)
    _problem: str = field(default="", init=False)
    _refused_size: int = field(default=0, init=False)

    def open(self) -> None:
        """Close the segment that a killed process left open, and start a new one."""
        self.slot.mkdir(parents=True, exist_ok=True)
        if (self.slot / _OPEN).exists():
            _close(self.slot)
        self._begin()

    def write(self, line: dict[str, Any], head: tuple[str, dict[str, Any]]) -> None:
        """Append a line, completely or not at all.

        Parameters
        ----------
        line : dict
        head : (str, dict)
            The name and the fields of its head, which is written once in each segment before its first line.

        Raises
        ------
        OSError
            The line could not be written, or the log has reached its limit; the segment is unchanged.
        """
        data = orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
        try:
            if self._file < 0:
                self.open()
            if head[0] not in self._written_heads:
                data = orjson.dumps({"head": head[0], **head[1]}, option=orjson.OPT_APPEND_NEWLINE) + data
            self._append(data)
        except OSError as error:
            self._problem, self._refused_size = str(error.strerror), len(data)
            raise
        self._problem = ""
        self._written_heads.add(head[0])
        self._size += len(data)

    def problem(self) -> str:
        """Why the last line could not be written; empty if it was, or if as many bytes can be written by now."""
        if self._problem:
            try:
                if self._file < 0:
                    self.open()
                self._append(b" " * self._refused_size)  # after a kill here, an incomplete last line, which is left out
                os.ftruncate(self._file, self._size)
                self._problem = ""
            except OSError as error:
                self._problem = str(error.strerror)
        return self._problem

    def rotate(self, at_once: bool = False) -> bool:
        """Close the segment if it is due, and start another one; return whether it was closed."""
        largest = self.largest if self.limit is None else min(self.largest, self.limit // _LEAST_SEGMENTS)
        due = self._size >= largest or (self._size and time.monotonic() - self._opened_at >= self.longest)
        if self._file < 0 or not self._size or not (due or at_once):
            return False
        os.close(self._file)
        self._file = -1
        _close(self.slot)
        self._begin()
        return True

    def close(self) -> None:
        """Close the segment and the log."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            _close(self.slot)

    def _check_limit(self, more: int) -> None:
        if self.limit is None or self._closed_size + self._size + more <= self.limit:
            return
        if time.monotonic() >= self._measure_from:
            self._measure()  # some may have reached the lake since
        if self._closed_size + self._size + more > self.limit:
            raise OSError(errno.EDQUOT, f"{self.limit:,} bytes of it wait for the lake")

    def _measure(self) -> None:
        began = time.monotonic()
        self._closed_size = waiting(self.slot) - self._size
        ended = time.monotonic()
        self._measure_from = ended + _MEASURE_PAUSE * (ended - began)

    def _append(self, data: bytes) -> None:
        """Append bytes, all or none."""
        self._check_limit(len(data))
        try:
            written = os.write(self._file, data)
            while written < len(data):
                written += os.write(self._file, data[written:])
        except OSError:
            os.ftruncate(self._file, self._size)
            raise

    def _begin(self) -> None:
        self._file = os.open(self.slot / _OPEN, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        self._size, self._opened_at, self._written_heads = 0, time.monotonic(), set()
        self._measure()


def _close(slot: Path) -> None:
    """Close the open segment under the next number; delete it if it is empty."""
    opened = slot / _OPEN
    if not opened.stat().st_size:
        opened.unlink()
        return
    opened.rename(slot / f"{_next_number(slot):020d}{_CLOSED}")


def _next_number(slot: Path) -> int:
    """A number larger than all earlier ones, even if the clock was set back or segments are gone."""
    path = slot / _NUMBER
    last = int(path.read_text() or 0) if path.exists() else 0  # a power loss can leave the file empty
    number = max(last + 1, time.time_ns() // 1000)
    replace(path, str(number))
    return number


def close_left(root: Path) -> None:
    """Close the segments that killed processes left open, in slots without a running writer."""
    for opened in root.glob(f"*/{_OPEN}"):
        with suppress(Timeout), FileLock(opened.parent / LOCK, timeout=5):
            _close(opened.parent)


@dataclass(frozen=True)
class Segment:
    """A closed segment.

    Attributes
    ----------
    path : Path
    slot : str
    number : int
    """

    path: Path

    @property
    def slot(self) -> str:
        """The name of the slot."""
        return self.path.parent.name

    @property
    def number(self) -> int:
        """Larger than the numbers of all earlier segments of the slot."""
        return int(self.path.stem)

    def age(self) -> float:
        """Seconds since its last line was written."""
        return time.time() - self.path.stat().st_mtime

    def put_aside(self) -> None:
        """Rename a segment that cannot be read, so that it is kept but not tried again."""
        self.path.rename(self.path.with_suffix(".broken"))

    def lines(self) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Each line with its head. An incomplete last line is left out: no caller got a response for it."""
        heads: dict[str, dict[str, Any]] = {}
        with self.path.open("rb") as file:
            for text in file:
                if not text.endswith(b"\n"):
                    return
                line = orjson.loads(text)
                if "head" in line:
                    heads[line["head"]] = line
                else:
                    yield line, heads[line["of"]]


def closed(root: Path) -> list[Segment]:
    """The closed segments of all slots, in each slot the oldest first."""
    return [Segment(path) for path in sorted(root.glob(f"*/*{_CLOSED}"))]


def waiting(slot: Path) -> int:
    """Bytes of a slot that are not in the lake yet."""
    return sum(status.st_size for _, status in _statuses(slot.parent, slot.name))


def backlog(root: Path) -> tuple[int, float]:
    """Bytes not in the lake yet, and the modification time of the oldest closed segment; 0 if there is none."""
    size, oldest = 0, 0.0
    for path, status in _statuses(root, "*"):
        size += status.st_size
        if path.name != _OPEN:
            oldest = min(oldest or status.st_mtime, status.st_mtime)
    return size, oldest


def _statuses(root: Path, slot: str) -> Iterator[tuple[Path, os.stat_result]]:
    for path in (*root.glob(f"{slot}/{_OPEN}"), *root.glob(f"{slot}/*{_CLOSED}")):
        with suppress(FileNotFoundError):  # the shipper has moved it
            yield path, path.stat()


def default_limit(root: Path) -> int:
    """Half of what the disk has free for the log, but at least 100 MB and at most 10 GB."""
    root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(root).free + backlog(root)[0]
    return max(_LEAST_LIMIT, min(_MOST_LIMIT, free // 2))


@dataclass
class LogWatch:
    """Alerts a person, once, when the log of a worker nears its limit, and again after it has shrunk by half.

    Parameters
    ----------
    root : Path
        The folder of all slots.
    limit : int
        Of one slot, in bytes.
    alert : callable
        Called with a subject, a text and ``"serve"``.
    """

    root: Path
    limit: int
    alert: Callable[[str, str, str], object]
    _alerted: bool = False

    def run_once(self) -> None:
        """Measure the log."""
        largest = max((waiting(slot.parent) for slot in self.root.glob(f"*/{LOCK}")), default=0)
        if largest > _NEAR * self.limit and not self._alerted:
            self._alerted = True
            self.alert(
                "the prediction log waits on disk and nears its limit",
                f"{backlog(self.root)[0]:,} bytes wait for the lake. At {self.limit:,} bytes a worker logs no more: it "
                "refuses requests or drops their log, as --log-full says. Bring the lake back, or raise "
                "--log-gigabytes.",
                "serve",
            )
        elif largest < _NEAR * self.limit / 2:
            self._alerted = False
