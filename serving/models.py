"""The versions that answer in one worker, each swapped for its successor when that is loaded and warm."""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from serving.copies import Copies
from serving.meters import Meters
from serving.version import Served, load

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
        By the model's name.
    """

    copies: Copies
    names: list[str]
    most: int
    meters: Meters
    served: dict[str, Served] = field(default_factory=dict)
    _seen: dict[str, int] = field(default_factory=dict)

    def ready(self) -> bool:
        """Whether every model that is to answer does."""
        return bool(self.served) and {*self.names, *self._wanted()} <= {*self.served}

    async def follow(self, moved: Callable[[], None], seconds: float = 0.2) -> None:
        """Swap whatever has a successor, for ever; `moved` is called after each look."""
        sys.setswitchinterval(_SWITCH)
        while True:
            for name in self._wanted():
                await self._swap(name)
            moved()
            await asyncio.sleep(seconds)

    async def _swap(self, name: str) -> None:
        changed, number = self.copies.changed(name), self.copies.champion(name)
        if number is None or self._seen.get(name) == changed or not self.copies.has(name, number):
            return
        try:
            if name not in self.served or self.served[name].spec.number != number:
                self.served[name] = await asyncio.to_thread(load, self.copies, name, number, self.most)
                self.meters.swapped(name, number)
        except Exception as error:  # of any estimator: the old version goes on answering
            self.copies.refuse(name, number, f"{type(error).__name__}: {error}")
        self._seen[name] = changed

    def _wanted(self) -> list[str]:
        return [name for name in self.copies.models() if not self.names or name in self.names]
