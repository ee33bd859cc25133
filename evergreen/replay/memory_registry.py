"""A registry in memory: the versions of one policy of a replay, and their aliases."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Unpack

from evergreen import files
from evergreen.errors import RegistryError
from evergreen.monitoring.reference import ARTIFACT
from evergreen.registry.registry import Registry, TrainingRecord
from evergreen.registry.version import CANARY, CHAMPION, SHADOW, TagValues, Version, stored
from evergreen.replay.fit_cache import FitCache

if TYPE_CHECKING:
    import pandas as pd

    from evergreen.definition.model import Model
    from evergreen.registry.runs import BacktestKind, BacktestRun


@dataclass(frozen=True, kw_only=True)
class MemoryRegistry(Registry):
    """The versions of one policy, and their aliases; nothing is written to MLflow.

    Estimators and references lie on disk, shared by all policies of the replay. Pictures, metrics and
    descriptions are not kept: the evidence, the observations and the verdict hold what they show.

    Attributes
    ----------
    fits : Fits
    next : int
        The number of the next version that is trained here.
    """

    fits: FitCache
    next: int = 1
    _versions: dict[str, Version] = field(default_factory=dict)
    _numbers: dict[str, str] = field(default_factory=dict)  # by alias
    _texts: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def reloads(self) -> bool:
        """No: there is no stored model to reload."""
        return False

    def add(self, version: Version) -> None:
        """Register a version that was trained before by any policy."""
        self._versions.setdefault(version.number, version)

    def versions(self, name: str, **values: Unpack[TagValues]) -> list[Version]:
        """All versions whose properties have these values, newest first."""
        tags = stored(values)
        matching = [version for version in self._versions.values() if tags.items() <= version.tags.items()]
        newest_first = sorted(matching, key=lambda version: -int(version.number))
        return [self._with_aliases(version.number) for version in newest_first]

    def find(self, name: str, number: str) -> Version | None:
        """The version of that number or alias, if there is one."""
        number = self._numbers.get(number, number)
        return self._with_aliases(number) if number in self._versions else None

    def serving_aliases(self) -> dict[str, dict[str, str]]:
        """The number by alias, once there is a champion."""
        champion = self.find("", CHAMPION)
        return {champion.model: self._numbers | {"share": "0"}} if champion else {}

    def alias(self, version: Version, alias: str) -> None:
        """Point an alias at a version."""
        self._numbers[alias] = version.number

    def challenge(self, version: Version, share: float | None) -> None:
        """Point the alias of a canary or a shadow at a version; it gets no requests."""
        self.alias(version, SHADOW if share is None else CANARY)

    def withdraw(self, name: str, *aliases: str) -> list[str]:
        """Remove aliases; return the numbers of the versions that had one."""
        return [self._numbers.pop(alias) for alias in aliases if alias in self._numbers]

    def load(self, version: Version) -> Any:
        """A version's estimator."""
        return self.fits.load(version.number)

    def path(self, version: Version) -> str:
        """Empty: there is no stored model."""
        return ""

    def record_training(
        self, model: "Model", estimator: Any, example: "pd.DataFrame", training: TrainingRecord
    ) -> Version:
        """Keep a training."""
        number = str(self.next + len(self._versions))
        self.fits.store(number, estimator)
        self._versions[number] = Version(model.name, number, number, "", stored(training.tags))
        return self._versions[number]

    def open_runs(self, model: "Model") -> list[str]:
        """None: a training has no run here."""
        return []

    def end_dead_runs(self, model: "Model") -> None:
        """There are none."""

    def tag(self, version: Version, **values: Unpack[TagValues]) -> None:
        """Store values of a version's properties."""
        known = self._versions[version.number]
        self._versions[version.number] = replace(known, tags=known.tags | stored(values))

    def describe(self, version: Version, text: str) -> None:
        """Not kept."""

    def attach(self, version: Version, name: str, page: str) -> None:
        """Keep a text; a reference for every policy."""
        if name == ARTIFACT:
            files.replace(self.fits.reference(version.number), page)
        else:
            self._texts[version.number, name] = page

    def text(self, version: Version, name: str) -> str | None:
        """A text that was kept."""
        path = self.fits.reference(version.number)
        if name == ARTIFACT:
            return path.read_text() if path.is_file() else None
        return self._texts.get((version.number, name))

    def artifact(self, version: Version, name: str) -> bytes | None:
        """A text that was kept, as bytes."""
        text = self.text(version, name)
        return None if text is None else text.encode()

    def draw(self, version: Version, name: str, figure: "Callable[[], Any]") -> None:
        """Not drawn."""

    def measure(self, version: Version, metrics: dict[str, float]) -> None:
        """Not kept."""

    def chart(self, model: "Model", series: list[tuple[str, dict[str, float]]]) -> None:
        """Not kept."""

    def record_backtest(
        self, model: "Model", key: str, note: str, backtests: "list[BacktestRun]", kind: "BacktestKind" = "replay"
    ) -> None:
        """A replay does not replay itself.

        Raises
        ------
        RegistryError
            Always.
        """
        raise RegistryError("A replay records nothing in MLflow.")

    def _with_aliases(self, number: str) -> Version:
        aliases = tuple(alias for alias, pointed in self._numbers.items() if pointed == number)
        return replace(self._versions[number], aliases=aliases)
