"""The versions that answer in one worker, each swapped for its successor when that is loaded and warm."""

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from serving.inference.loaded_model import CANARY, CHAMPION, Canary, Served, load
from serving.metrics import Meters
from serving.model_cache import Copies

_SWITCH = 0.0005  # seconds that a loading thread may keep the interpreter from a request


@dataclass
class Models:
    """What stands in the copies, loaded.

    Attributes
    ----------
    copies : Copies
    names : list of str
        The models to serve; all if empty.
    most : int
        Rows of a request.
    meters : Meters
    served : dict of str to Served
        The champions, by the model's name.
    canaries : dict of str to Canary
    """

    copies: Copies
    names: list[str]
    most: int
    meters: Meters
    served: dict[str, Served] = field(default_factory=dict)
    canaries: dict[str, Canary] = field(default_factory=dict)
    _seen: dict[str, int] = field(default_factory=dict)

    def ready(self) -> bool:
        """Whether every model that is to answer does."""
        return bool(self.served) and {*self.names, *self._wanted()} <= {*self.served}

    async def follow(self, moved: Callable[[], None], seconds: float = 0.2) -> None:
        """Swap whatever has a successor, for ever; `moved` is called after each look."""
        sys.setswitchinterval(_SWITCH)
        while True:
            await self.look()
            moved()
            await asyncio.sleep(seconds)

    async def look(self) -> None:
        """Swap whatever has a successor; what the disk does not let read or note is tried by the next look."""
        with suppress(OSError):
            for name in self._wanted():
                await self._swap(name)

    async def _swap(self, name: str) -> None:
        changed, standing = self.copies.changed(name), self.copies.standing(name)
        if standing is None or self._seen.get(name) == changed or not self.copies.has(name, standing.champion):
            return
        champion = await self._loaded(name, standing.champion, self.served.get(name), CHAMPION)
        if champion is not None and champion is not self.served.get(name):
            self.served[name] = champion
            self.meters.swapped(name, standing.champion)
        before = self.canaries.pop(name, None)
        if standing.canary:
            canary = await self._loaded(name, standing.canary, before.served if before else None, CANARY)
            if canary is not None:
                self.canaries[name] = Canary(canary, standing.share)
        self._seen[name] = changed

    async def _loaded(self, name: str, number: str, before: Served | None, role: str) -> Served | None:
        """A version, loaded and warm unless it is already; None if it cannot answer, which the keeper is told."""
        if before is not None and before.spec.number == number:
            return before
        try:
            return await asyncio.to_thread(load, self.copies, name, number, self.most, role)
        except Exception as error:  # of any estimator: the old version goes on answering
            self.copies.refuse(name, number, f"{type(error).__name__}: {error}")
            return None

    def withdraw(self, name: str, reason: str) -> None:
        """Take a canary back at once, and tell the keeper."""
        canary = self.canaries.pop(name, None)
        if canary is not None:
            self.copies.refuse(name, canary.served.spec.number, reason)

    def _wanted(self) -> list[str]:
        return [name for name in self.copies.models() if not self.names or name in self.names]
