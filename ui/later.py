"""An application that is made by who asks it first, so that the others are answered before."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fastapi.concurrency import run_in_threadpool


@dataclass
class Later:
    """An ASGI application that is made once, when it is asked for.

    Attributes
    ----------
    make : callable
        Makes it.
    """

    make: Callable[[], Any]
    _made: Any = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def made(self) -> Any:
        """The application."""
        with self._lock:
            if self._made is None:
                self._made = self.make()
            return self._made

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        await (self._made or await run_in_threadpool(self.made))(scope, receive, send)
