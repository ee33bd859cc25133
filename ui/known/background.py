"""What is read in the background: begun by a request, never waited for longer than that has patience."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Background:
    """Work that a thread does when somebody asks for its result, unless it was done a moment ago.

    Parameters
    ----------
    work : callable
        Must not raise.
    rest : callable
        For how many seconds what was done is taken for what is.
    """

    work: Callable[[], None]
    rest: Callable[[], float]
    _done: float | None = None
    _took: float = 0.0
    _idle: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._idle.set()

    def ask(self, patience: float) -> None:
        """Begin the work if it is due, and wait for its end, unless it took longer than that the last time.

        Parameters
        ----------
        patience : float
            How many seconds to wait at most.
        """
        with self._lock:
            rested = self._done is None or time.monotonic() - self._done >= self.rest()
            if self._idle.is_set() and rested:
                self._idle.clear()
                threading.Thread(target=self._run, name="ui background", daemon=True).start()
        if self._took <= patience:
            self._idle.wait(patience)

    def _run(self) -> None:
        began = time.monotonic()
        try:
            self.work()
        finally:
            self._done = time.monotonic()
            self._took = self._done - began
            self._idle.set()
