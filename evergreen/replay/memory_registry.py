"""The shelf: a registry in memory, and the fits that the policies of one replay share, on disk."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Unpack

from evergreen import files
from evergreen.errors import RegistryError
from evergreen.monitoring.reference import ARTIFACT
from evergreen.registry.registry import Registry, Training
from evergreen.registry.version import TagValues, Version, stored
from evergreen.replay.fit_cache import Fits

if TYPE_CHECKING:
    import pandas as pd

    from evergreen.definition.model import Model


@dataclass(frozen=True, kw_only=True)
class Shelf(Registry):
    """The versions that one policy has, and their aliases; nothing of it reaches MLflow.

    Attributes
    ----------
    fits : Fits
    next : int
        The number of the next version that is trained here.
    """

    stores: ClassVar[bool] = False

    uri: str = "memory:"
    fits: Fits
    next: int = 1
    _versions: dict[str, Version] = field(default_factory=dict)
    _pointing: dict[str, str] = field(default_factory=dict)
    _texts: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def client(self) -> Any:
        """There is none.

        Raises
        ------
        RegistryError
            Always.
        """
        raise RegistryError("A replay records nothing in MLflow.")

    def adopt(self, version: Version) -> None:
        """Take in a version that was trained before, by whichever policy."""
        self._versions.setdefault(version.number, version)

    def versions(self, name: str, **values: Unpack[TagValues]) -> list[Version]:
        """All versions whose properties have these values, newest first."""
        tags = stored(values)
        found = [version for version in self._versions.values() if tags.items() <= version.tags.items()]
        return [self._known(version.number) for version in sorted(found, key=lambda version: -int(version.number))]

    def load(self, version: Version) -> Any:
        """A version's estimator."""
        return self.fits.load(version.number)

    def path(self, version: Version) -> str:
        """Nowhere: what a registry checks of a stored model is not checked here."""
        return ""

    def train_record(self, model: "Model", estimator: Any, example: "pd.DataFrame", made: Training) -> Version:
        """Keep a training."""
        number = str(self.next + len(self._versions))
        self.fits.store(model, number, estimator)
        self._versions[number] = Version(model.name, number, number, "", stored(made.tags))
        return self._versions[number]

    def end_dead_runs(self, model: "Model") -> None:
        """There are none."""

    def tag(self, version: Version, **values: Unpack[TagValues]) -> None:
        """Store values of a version's properties."""
        kept = self._versions[version.number]
        self._versions[version.number] = replace(kept, tags=kept.tags | stored(values))

    def attach(self, version: Version, name: str, page_text: str) -> None:
        """Keep a text; a reference for every policy."""
        if name == ARTIFACT:
            files.replace(self.fits.reference(version.number), page_text)
        else:
            self._texts[version.number, name] = page_text

    def text(self, version: Version, name: str) -> str | None:
        """A text that was kept."""
        path = self.fits.reference(version.number)
        if name == ARTIFACT:
            return path.read_text() if path.is_file() else None
        return self._texts.get((version.number, name))

    def draw(self, version: Version, name: str, figure: "Callable[[], Any]") -> None:
        """Nothing is drawn."""

    def measure(self, version: Version, metrics: dict[str, float]) -> None:
        """The evidence has them."""

    def chart(self, model: "Model", series: list[tuple[str, dict[str, float]]]) -> None:
        """The observation has them."""

    def describe(self, version: Version, text: str) -> None:
        """The verdict has it."""

    def alias(self, version: Version, alias: str) -> None:
        """Point an alias at a version."""
        self._pointing[alias] = version.number

    def _found(self, name: str, number: str) -> Version | None:
        number = self._pointing.get(number, number)
        return self._known(number) if number in self._versions else None

    def _known(self, number: str) -> Version:
        aliases = tuple(alias for alias, one in self._pointing.items() if one == number)
        return replace(self._versions[number], aliases=aliases)
