"""The shelf: a registry in memory, and the fits that the policies of one replay share, on disk."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from evergreen import page
from evergreen.errors import RegistryError
from evergreen.reference import ARTIFACT
from evergreen.registry import Registry, Training, Version, trusted_types

if TYPE_CHECKING:
    import pandas as pd

    from evergreen.figures import Picture
    from evergreen.model import Model


@dataclass(frozen=True)
class Fits:
    """What was fitted at each step, and what was made of it: the same for every policy that trains then.

    Attributes
    ----------
    folder : Path
    """

    folder: Path

    def has(self, step: int) -> bool:
        """Whether a step's trainings are there, or the reason why there are none."""
        return self._told(step).is_file()

    def keep(self, step: int, versions: list[Version], seconds: float, problem: str = "") -> None:
        """Say that a step's trainings are there, whole."""
        told = {"versions": [asdict(one) for one in versions], "seconds": seconds, "problem": problem}
        page.replace(self._told(step), json.dumps(told))

    def of(self, step: int) -> tuple[list[Version], float, str]:
        """A step's trainings (the challenger, and what it was refitted to), the CPU seconds they took, and why not."""
        told = json.loads(self._told(step).read_text())
        versions = [Version(**one | {"aliases": ()}) for one in told["versions"]]
        return versions, told["seconds"], told["problem"]

    def store(self, model: "Model", number: str, estimator: Any) -> None:
        """Keep an estimator."""
        import skops.io

        page.replace(self.folder / f"{number}.trusted.json", json.dumps(trusted_types(model, estimator)))
        page.replace(self.folder / f"{number}.skops", skops.io.dumps(estimator))

    def load(self, number: str) -> Any:
        """An estimator that was kept; those used last stay in memory."""
        return _loaded(self.folder, number)

    def reference(self, number: str) -> Path:
        """Where the reference of a version lies, once a policy has made it."""
        return self.folder / f"{number}.{ARTIFACT}"

    def _told(self, step: int) -> Path:
        return self.folder / f"step-{step}.json"


@lru_cache(maxsize=16)
def _loaded(folder: Path, number: str) -> Any:
    import skops.io

    trusted = json.loads((folder / f"{number}.trusted.json").read_text())
    return skops.io.load(folder / f"{number}.skops", trusted=trusted)


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

    def versions(self, name: str, **tags: str) -> list[Version]:
        """All versions that carry these tags, newest first."""
        found = [one for one in self._versions.values() if tags.items() <= one.tags.items()]
        return [self._known(one.number) for one in sorted(found, key=lambda one: -int(one.number))]

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
        self._versions[number] = Version(model.name, number, number, "", dict(made.tags))
        return self._versions[number]

    def end_dead_runs(self, model: "Model") -> None:
        """There are none."""

    def tag(self, version: Version, tags: dict[str, str]) -> None:
        """Set tags on a version."""
        kept = self._versions[version.number]
        self._versions[version.number] = replace(kept, tags=kept.tags | tags)

    def attach(self, version: Version, name: str, page_text: str) -> None:
        """Keep a text; a reference for every policy."""
        if name == ARTIFACT:
            page.replace(self.fits.reference(version.number), page_text)
        else:
            self._texts[version.number, name] = page_text

    def text(self, version: Version, name: str) -> str | None:
        """A text that was kept."""
        path = self.fits.reference(version.number)
        if name == ARTIFACT:
            return path.read_text() if path.is_file() else None
        return self._texts.get((version.number, name))

    def draw(self, version: Version, name: str, figure: "Callable[[], Picture]") -> None:
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
