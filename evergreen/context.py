"""Stand-ins: what a context variable holds for the length of a block."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def meanwhile(variable: ContextVar[T], value: T) -> Iterator[None]:
    """Let a variable hold a value, and afterwards what it held before.

    Examples
    --------
    >>> loud = ContextVar("loud", default=True)
    >>> with meanwhile(loud, False):
    ...     loud.get()
    False
    >>> loud.get()
    True
    """
    before = variable.set(value)
    try:
        yield
    finally:
        variable.reset(before)
