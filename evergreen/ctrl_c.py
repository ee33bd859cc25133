"""Ctrl-C: a command says what stands and ends within two seconds, whatever a library does meanwhile.

It is raised as KeyboardInterrupt where the command is. If that has not ended the process in time, as inside a long
call of a C library, a thread ends it: every write is whole or absent, so that this loses no more than a kill does.
"""

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import NoReturn

CODE = 130
PATIENCE = 1.4  # seconds; a person waits two
_NEW_LINE = "\r\x1b[K\x1b[?25h"  # over the terminal's own ^C, with the cursor that a progress display hides


@dataclass
class _Interrupts:
    """The interrupts of a command, from `begin` to `end`, or to the end of the process."""

    raised: bool = False
    over: bool = False
    _before: object = None
    _pipe: tuple[int, int] = (-1, -1)

    def begin(self) -> None:
        self._before = signal.signal(signal.SIGINT, self._raise)
        self._pipe = os.pipe()
        os.set_blocking(self._pipe[1], False)
        signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)  # written at once, also during a call of C
        threading.Thread(target=self._watch, args=[self._pipe[0]], name="ctrl-c", daemon=True).start()

    def end(self) -> None:
        signal.set_wakeup_fd(-1)
        if signal.getsignal(signal.SIGINT) == self._raise:
            signal.signal(signal.SIGINT, self._before)  # type: ignore[arg-type]
        os.close(self._pipe[1])

    def _raise(self, _number: int, _frame: FrameType | None) -> NoReturn:
        if self.over:
            leave()
        self.raised = True
        raise KeyboardInterrupt

    def _watch(self, reader: int) -> None:
        """End the process some time after the first interrupt, or at the second."""
        deadline = None
        while True:
            left = None if deadline is None else max(deadline - time.monotonic(), 0)
            ready, _, _ = select.select([reader], [], [], left)
            arrived = os.read(reader, 64) if ready else b""
            if ready and not arrived:
                os.close(reader)
                return
            if not ready or (deadline and signal.SIGINT in arrived):
                leave()
            if signal.SIGINT in arrived:
                deadline = time.monotonic() + PATIENCE


@dataclass
class _Outlook:
    """What the command has come to, for the sentence that it ends with."""

    stands: Callable[[], str] = lambda: "What was done is kept. Run the command again to continue."
    steps: Callable[[], str] = str
    said: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


_interrupts: _Interrupts | None = None
_outlook = _Outlook()


def begin(background: bool = False) -> None:
    """Take Ctrl-C until the process ends.

    Parameters
    ----------
    background : bool
        Also as a background job of a shell, which otherwise goes on to ignore it.
    """
    global _interrupts
    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if _interrupts is None and (ours or background):
        _interrupts = _Interrupts()
        _interrupts.begin()


def finish() -> None:
    """Note that the command is done: from now on Ctrl-C ends the process where it stands."""
    if _interrupts is not None:
        _interrupts.over = True


@contextmanager
def taken() -> Iterator[None]:
    """Take Ctrl-C in this block, but for a background job; raise it also where a library swallowed it."""
    global _interrupts, _outlook
    outer = _interrupts
    begin()
    if outer is None:  # what an earlier command of this process came to is not said of this one
        _outlook = _Outlook()
    _outlook.said = False
    try:
        yield
        raise_again()
    except (Exception, SystemExit) as error:
        raise_again(error)
        raise
    finally:
        if outer is None and _interrupts is not None:
            _interrupts.end()
            _interrupts = None


def raise_again(error: BaseException | None = None) -> None:
    """Raise Ctrl-C if it came before: a library may have made another error of it, as DuckDB and pydantic do.

    Parameters
    ----------
    error : BaseException, optional
        What the library raised.

    Raises
    ------
    KeyboardInterrupt
        Ctrl-C has come in this command.
    """
    if _interrupts is not None and _interrupts.raised:
        raise KeyboardInterrupt from error


def promise(stands: Callable[[], str]) -> None:
    """Note what is true of the command's work whenever it is stopped, and what to do next."""
    _outlook.stands = stands


@contextmanager
def counted(steps: Callable[[], str]) -> Iterator[None]:
    """Note how far the command is, during a block."""
    before, _outlook.steps = _outlook.steps, steps
    yield  # what was reached stands in the sentence, so it is left where an exception ends the block
    _outlook.steps = before


def say(out: Callable[[str], object]) -> None:
    """Say once that the command was stopped, how far it was, and what stands."""
    with _outlook.lock:
        if not _outlook.said:
            _outlook.said = True
            steps = _outlook.steps()
            line = _NEW_LINE if sys.stderr.isatty() else ""
            out(f"{line}Stopped{f' at {steps}' if steps else ''}. {_outlook.stands()}")


def leave() -> NoReturn:
    """End the process now."""
    say(_write)
    os._exit(CODE)


def _write(text: str) -> None:
    os.write(2, f"{text}\n".encode())
