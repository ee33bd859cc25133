"""Progress on a terminal, for the person who started a run there and waits."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

T = TypeVar("T")

WATCHED: ContextVar[bool] = ContextVar("WATCHED", default=False)  # the log of a worker wants no bar


@contextmanager
def watched(parts: Sequence[T], what: str) -> Iterator[Iterator[T]]:
    """Give the parts one by one, a bar on stderr counting them if it is a terminal."""
    console = Console(stderr=True)
    shown = WATCHED.get() and console.is_terminal and len(parts) > 1
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
    with Progress(*columns, console=console, transient=True, disable=not shown) as progress:
        yield iter(progress.track(parts, description=what))
