"""What is read in the background: a page shows what is known, and waits for no store and no server."""

import time
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from evergreen.errors import EvergreenError
from ui.known.background import Background

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
_MOST = 500  # readings that a lookup keeps
_AGAIN = 5.0  # seconds until what failed is tried again


@dataclass
class Reading(Generic[T]):
    """A value that is read again once it is asked for and no longer fresh.

    Parameters
    ----------
    read : callable
        Gives the value; what it raises of `EvergreenError` becomes the problem.
    fresh : float
        How many seconds the value is taken for what is.

    Attributes
    ----------
    value : object or None
        What was read last; None before.
    problem : str
        Why it could not be read since; empty if it could.
    """

    read: Callable[[], T]
    fresh: float
    value: T | None = None
    problem: str = ""
    _background: Background = field(init=False)

    def __post_init__(self) -> None:
        self._background = Background(self._refresh, lambda: min(self.fresh, _AGAIN) if self.problem else self.fresh)

    def known(self, patience: float = 0.2) -> T | None:
        """What is known now, or in so many seconds."""
        self._background.ask(max(patience, 0))
        return self.value

    def _refresh(self) -> None:
        try:
            self.value, self.problem = self.read(), ""
        except EvergreenError as error:
            self.problem = str(error)


class Lookup(Generic[K, T]):
    """Values by a key, each a `Reading`.

    Parameters
    ----------
    read : callable
        Gives the value of a key.
    fresh : float
        As of `Reading`.
    """

    def __init__(self, read: Callable[[K], T], fresh: float) -> None:
        self._read, self._fresh = read, fresh
        self._readings: dict[K, Reading[T]] = {}

    def of(self, key: K) -> Reading[T]:
        """The reading of a key; the oldest one is forgotten where there are too many."""
        while len(self._readings) >= _MOST and key not in self._readings:
            self._readings.pop(next(iter(self._readings)), None)
        return self._readings.setdefault(key, Reading(lambda: self._read(key), self._fresh))

    def all(self, keys: Iterable[K], patience: float) -> dict[K, Reading[T]]:
        """The readings of keys, after a wait of at most so many seconds for all of them."""
        until = time.monotonic() + patience
        readings = {key: self.of(key) for key in keys}
        for reading in readings.values():
            reading.known(until - time.monotonic())
        return readings
