"""A registry that reads production's versions, and keeps in memory what is trained beside them."""

from dataclasses import dataclass
from typing import Any

from evergreen.registry.registry import Registry
from evergreen.registry.version import Version
from evergreen.replay.memory_registry import MemoryRegistry


@dataclass(frozen=True, kw_only=True)
class OverlayRegistry(MemoryRegistry):
    """Production's versions with their aliases, which are only read, and further ones in memory.

    Attributes
    ----------
    production : Registry
    model : str
    """

    production: Registry
    model: str

    def __post_init__(self) -> None:
        """Read production's versions."""
        versions = self.production.versions(self.model)
        for version in versions:
            self.add(version)
            for alias in version.aliases:
                self.alias(version, alias)
        newest = max((int(version.number) for version in versions), default=0)
        object.__setattr__(self, "next", newest + 1 - len(versions))

    def load(self, version: Version) -> Any:
        """A version's estimator."""
        return self.production.load(version) if version.source else super().load(version)

    def text(self, version: Version, name: str) -> str | None:
        """A text that was kept here, or in production."""
        kept = super().text(version, name)
        return self.production.text(version, name) if kept is None and version.source else kept
