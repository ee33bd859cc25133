"""Child processes that end when their parent does, however it ended: `python -m evergreen.lifeline PARENT MODULE ...`.

A parent that is killed cannot end its children, so each of them watches it, from before its first import. The parent
names itself: a child that asked for its parent's id could read it after the parent has died. What a child has started
itself ends with it; if the child was killed too, those of its siblings that still run end it.
"""

import os
import runpy
import signal
import sys
import threading
import time
import zoneinfo
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from evergreen.project import CODE, IS_INSTALLED

_EVERY, _GRACE = 0.2, 2.0  # seconds between looks, and until a child that does not end by itself is killed
_NAME = "evergreen.lifeline"
_STARTER = "EVERGREEN_STARTER"  # the process that started a child, for the child and all that it starts


def command(module: str, *words: str) -> list[str]:
    """The command line of a child of this process that runs a module, and ends when this process does."""
    return [sys.executable, "-P", "-m", _NAME, str(os.getpid()), module, *words]


def environment() -> dict[str, str]:
    """The environment of this process, in which a child finds these packages."""
    code = "" if IS_INSTALLED else str(CODE)  # that folder would come before Python's own modules
    path = os.pathsep.join(filter(None, [code, os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, _STARTER: str(os.getpid())}


@contextmanager
def guarded() -> Iterator[None]:
    """End the processes that libraries start within this block when this process ends, also when it is killed.

    joblib starts its workers itself, so that they do not watch their parent, as children of `command` do. They are
    found by their environment, under /proc, and ended by `evergreen.guardian`, a process that this one starts once.
    """
    _start_guardian(os.getpid())
    before = os.environ.get(_STARTER)
    os.environ[_STARTER] = str(os.getpid())
    try:
        yield
    finally:
        os.environ.pop(_STARTER)
        if before is not None:
            os.environ[_STARTER] = before


@cache
def _start_guardian(parent: int) -> None:
    words = command("evergreen.guardian")
    # Who reads the streams of this process must not wait for the guardian.
    nothing = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_RDWR, 0) for stream in range(3)]
    os.posix_spawn(words[0], words, environment(), file_actions=nothing, setpgroup=0)  # out of reach of Ctrl-C


def watch(parent: int) -> None:
    """End this process once it is no longer a child of `parent`, with its group if it leads one."""
    threading.Thread(target=_watch, args=[parent], name="lifeline", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_EVERY)
    _end_abandoned(parent)  # before this process ends, which can be at once
    os.kill(os.getpid(), signal.SIGTERM)
    end = time.monotonic() + _GRACE
    while time.monotonic() < end:
        time.sleep(_EVERY)
        _end_abandoned(parent)
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def _end_abandoned(starter: int) -> None:
    """Kill what children of a process have started, where these children were killed before they could end it."""
    mark = f"{_STARTER}={starter}".encode()
    family = {pid: words for pid in _running() if (words := _words(pid, mark)) is not None}
    for pid, words in family.items():
        with suppress(OSError, ValueError, IndexError):
            if _NAME not in words and _parent(pid) not in family:
                os.kill(pid, signal.SIGKILL)


def _running() -> list[int]:
    return [int(path.name) for path in Path("/proc").glob("[0-9]*")]


def _words(pid: int, mark: bytes) -> list[str] | None:
    """The command line of a process that has a variable in its environment; None of any other."""
    with suppress(OSError):
        path = Path(f"/proc/{pid}")
        if mark in (path / "environ").read_bytes().split(b"\0"):
            return (path / "cmdline").read_bytes().decode(errors="replace").split("\0")
    return None


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def end_orphans(name: str, value: str) -> None:
    """Kill the children of a process that was killed, at once, which only saves the time that they take to notice.

    Parameters
    ----------
    name, value : str
        A variable of their environment, by which they are known. Where there is no /proc, none is found.
    """
    for pid in _orphans(f"{name}={value}".encode()):
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def _orphans(mark: bytes) -> Iterator[int]:
    for pid in _running():
        with suppress(OSError, ValueError, IndexError):
            words = _words(pid, mark) or []
            if words[words.index(_NAME) + 1] != str(_parent(pid)):
                yield pid


def _look_up_time_zones_once() -> None:
    """Prefect looks through all time zones of the machine, on disk, for each schedule that it reads or writes."""
    zoneinfo.available_timezones = cache(zoneinfo.available_timezones)


if __name__ == "__main__":
    watch(int(sys.argv[1]))
    del sys.argv[:2]
    if sys.argv[0] == "prefect":
        _look_up_time_zones_once()
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
