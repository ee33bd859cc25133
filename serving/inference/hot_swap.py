"""The versions that predict in one worker; each is replaced when its successor is loaded and warm."""

import asyncio
import sys
from contextlib import suppress
from dataclasses import dataclass, field

from serving.inference.loaded_model import CANARY, CHAMPION, Canary, LoadedModel, load
from serving.metrics import Metrics
from serving.model_cache import ModelCache

_SWITCH = 0.0005  # seconds that a loading thread may keep the interpreter from a request


@dataclass
class Models:
    """The loaded versions of the local copies.

    Attributes
    ----------
    copies : ModelCache
    names : list of str
        The models to serve; all if empty.
    most : int
        Rows of a request.
    metrics : Metrics
    served : dict of str to LoadedModel
        The champions, by the model's name.
    canaries : dict of str to Canary
    """

    copies: ModelCache
    names: list[str]
    most: int
    metrics: Metrics
    served: dict[str, LoadedModel] = field(default_factory=dict)
    canaries: dict[str, Canary] = field(default_factory=dict)
    _applied: dict[str, int] = field(default_factory=dict)

    def unready(self) -> str:
        """Why not every model to serve can predict, without a name, as anybody may ask; empty if all can."""
        copied = set(self._wanted())
        absent, loading = {*self.names} - copied - {*self.served}, copied - {*self.served}
        if absent or not (self.served or loading):
            whose = "a model that is to be served" if absent else "any model"
            return f"There is no champion of {whose} yet: `evergreen train` promotes one, which is then served."
        return f"{len(loading)} of {len(copied)} models are being loaded." if loading else ""

    def expects(self, name: str) -> bool:
        """Whether a model may be served soon, though it is not yet."""
        return not self.served or name in {*self.names, *self._wanted()}

    async def follow(self, seconds: float = 0.2) -> None:
        """Replace versions that have a successor, forever."""
        sys.setswitchinterval(_SWITCH)
        while True:
            await self.swap_changed()
            await asyncio.sleep(seconds)

    async def swap_changed(self) -> None:
        """Replace versions that have a successor, and drop those of retired models.

        After an error of the disk, or a file that cannot be read, the next check tries again; other models go on.
        """
        with suppress(OSError):
            wanted = self._wanted()
            for name, changed in wanted.items():
                if self._applied.get(name) != changed:
                    with suppress(OSError, ValueError):
                        await self._swap(name, changed)
            for name in {*self.served} - {*wanted}:  # it was retired
                for loaded in (self.served, self.canaries, self._applied):
                    loaded.pop(name, None)

    async def _swap(self, name: str, changed: int) -> None:
        state = self.copies.state(name)
        if state is None or not self.copies.has(name, state.champion):
            return
        served = self.served.get(name)
        champion = await self._loaded(name, state.champion, served, CHAMPION)
        if champion is not None and champion is not served:
            self.served[name] = champion
            self.metrics.record_version(name, state.champion, None if served is None else served.spec.number)
        before = self.canaries.pop(name, None)
        if state.canary:
            canary = await self._loaded(name, state.canary, before.served if before else None, CANARY)
            if canary is not None:
                self.canaries[name] = Canary(canary, state.share)
        self._applied[name] = changed

    async def _loaded(self, name: str, number: str, before: LoadedModel | None, role: str) -> LoadedModel | None:
        """A version, loaded and warm; None if it cannot predict, which is reported to the supervisor."""
        try:
            if before is not None and before.spec == self.copies.spec(name, number):
                return before
            return await asyncio.to_thread(load, self.copies, name, number, self.most, role)
        except Exception as error:  # any error of an estimator: the old version stays active
            self.copies.refuse(name, number, f"{type(error).__name__}: {error}")
            return None

    def withdraw(self, name: str, reason: str) -> None:
        """Withdraw a canary at once, and report it to the supervisor."""
        canary = self.canaries.pop(name, None)
        if canary is not None:
            self.copies.refuse(name, canary.served.spec.number, reason)

    def _wanted(self) -> dict[str, int]:
        """The models to serve that have a champion, and when the state of each was last set."""
        found = self.copies.changes()
        return {name: changed for name, changed in found.items() if name in self.names} if self.names else found
