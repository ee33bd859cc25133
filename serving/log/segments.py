"""The prediction log on disk: append-only segments of lines, written before the caller has the answer.

A line is one write: what was answered together, or labels that came together. A worker writes into
an open segment of its own slot; a closed one is moved into the lake exactly once, since its number
is above all earlier ones of the slot and is kept with the commit.
"""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from filelock import FileLock, Timeout

from evergreen.files import replace

_OPEN, _CLOSED, _NUMBER, LOCK = "open", ".jsonl", "number", "lock"


@dataclass
class Log:
    """The open segment of one slot; one process at a time writes it.

    Parameters
    ----------
    slot : Path
        The folder of the slot.
    largest : int
        Bytes after which a segment is closed.
    longest : float
        Seconds after which a segment that holds anything is closed.
    """

    slot: Path
    largest: int = 32_000_000
    longest: float = 10.0
    _file: int = field(default=-1, init=False)
    _size: int = field(default=0, init=False)
    _opened_at: float = field(default=0.0, init=False)
    _written_heads: set[str] = field(default_factory=set, init=False)

    def open(self) -> None:
        """Close what a killed process left open, and begin a segment."""
        self.slot.mkdir(parents=True, exist_ok=True)
        if (self.slot / _OPEN).exists():
            _close(self.slot)
        self._begin()

    def write(self, line: dict[str, Any], head: tuple[str, dict[str, Any]]) -> None:
        """Append a line, whole or not at all.

        Parameters
        ----------
        line : dict
        head : (str, dict)
            What has to stand before it once in each segment, and its name.

        Raises
        ------
        OSError
            It could not be written; the segment is as it was.
        """
        if self._file < 0:
            self.open()
        data = orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
        if head[0] not in self._written_heads:
            data = orjson.dumps({"head": head[0], **head[1]}, option=orjson.OPT_APPEND_NEWLINE) + data
        try:
            self._append(data)
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        self._written_heads.add(head[0])
        self._size += len(data)

    def rotate(self, at_once: bool = False) -> bool:
        """Close the segment if it is due, and begin another; whether it was."""
        due = self._size >= self.largest or (self._size and time.monotonic() - self._opened_at >= self.longest)
        if self._file < 0 or not self._size or not (due or at_once):
            return False
        os.close(self._file)
        self._file = -1
        _close(self.slot)
        self._begin()
        return True

    def close(self) -> None:
        """Close the segment for good."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            _close(self.slot)

    def _append(self, data: bytes) -> None:
        written = os.write(self._file, data)
        while written < len(data):
            written += os.write(self._file, data[written:])

    def _begin(self) -> None:
        self._file = os.open(self.slot / _OPEN, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        self._size, self._opened_at, self._written_heads = 0, time.monotonic(), set()


def _close(slot: Path) -> None:
    """Give the open segment the next number; an empty one goes."""
    opened = slot / _OPEN
    if not opened.stat().st_size:
        opened.unlink()
        return
    opened.rename(slot / f"{_next(slot):020d}{_CLOSED}")


def _next(slot: Path) -> int:
    """A number above all before it, whatever became of the clock or of the segments."""
    kept = slot / _NUMBER
    last = int(kept.read_text() or 0) if kept.exists() else 0  # empty after a loss of power, as the clock is not
    number = max(last + 1, time.time_ns() // 1000)
    replace(kept, str(number))
    return number


def close_left(root: Path) -> None:
    """Close what killed processes left open in slots that nobody writes any more."""
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
        """The name of its slot."""
        return self.path.parent.name

    @property
    def number(self) -> int:
        """Above those of all earlier segments of the slot."""
        return int(self.path.stem)

    def put_aside(self) -> None:
        """Keep a segment that cannot be read, where nobody tries it again."""
        self.path.rename(self.path.with_suffix(".broken"))

    def lines(self) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Each line with its head; a last line that a kill cut off was never answered, and is left out."""
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
    """The closed segments of all slots, the oldest of each slot first."""
    return [Segment(path) for path in sorted(root.glob(f"*/*{_CLOSED}"))]


def backlog(root: Path) -> tuple[int, float]:
    """Bytes that are not in the lake yet, and when the oldest closed segment was written last; 0 if there is none."""
    size, oldest = 0, 0.0
    for path in (*root.glob(f"*/{_OPEN}"), *root.glob(f"*/*{_CLOSED}")):
        with suppress(FileNotFoundError):  # moved into the lake meanwhile
            found = path.stat()
            size += found.st_size
            if path.name != _OPEN:
                oldest = min(oldest or found.st_mtime, found.st_mtime)
    return size, oldest
