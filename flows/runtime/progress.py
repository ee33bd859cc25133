"""Progress on a terminal: what a command does, and for how long, once it takes more than a moment."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock, Timer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

_PATIENCE = 2.0  # seconds without a word


class _Display:
    """A line with a spinner and the time, on stderr if that is a terminal, from some seconds on until it is ended."""

    def __init__(self, what: str) -> None:
        self._what, self._step, self._lock, self._ended = what, "", Lock(), False
        self._progress: Progress | None = None
        self._timer = Timer(_PATIENCE, self._show)
        self._timer.daemon = True
        self._timer.start()

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        console = Console(stderr=True)
        with self._lock:
            if self._ended or not console.is_terminal:
                return
            columns = [SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()]
            self._progress = Progress(*columns, console=console, transient=True, redirect_stdout=False)
            task = self._progress.add_task(self._words)
            self._progress.tasks[task].start_time = self._progress.get_time() - _PATIENCE
            self._progress.start()

    @property
    def _words(self) -> str:
        return f"{self._what}: {self._step}" if self._step else self._what

    def at(self, step: str) -> None:
        with self._lock:
            self._step = step
            if self._progress is not None:
                self._progress.update(self._progress.task_ids[0], description=self._words)

    def end(self) -> None:
        self._timer.cancel()
        with self._lock:
            self._ended = True
            if self._progress is not None:
                self._progress.stop()
                self._progress = None


_display: _Display | None = None
_what = ""  # what the command does, until it ends


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show what is done, until the body ends or writes something itself."""
    global _display, _what
    _display, _what = _Display(what), what
    try:
        yield
    finally:
        _what = ""
        pause()


def doing(step: str) -> None:
    """Show at which step the command is; the display begins again if something else was written meanwhile."""
    global _display
    if not _what:
        return
    _display = _display or _Display(_what)
    _display.at(step)


def with_progress(names: Sequence[str]) -> Iterator[str]:
    """Go through names, and show at which the command is."""
    for place, name in enumerate(names, 1):
        doing(f"{name}, {place} of {len(names)}")
        yield name


@contextmanager
def silent() -> Iterator[None]:
    """Show nothing in this block, which has a display of its own."""
    global _what
    pause()
    what, _what = _what, ""
    try:
        yield
    finally:
        _what = what


def pause() -> None:
    """End the display: something else is about to be written."""
    global _display
    if _display is not None:
        _display.end()
        _display = None
