"""The interface of a model registry: `MlflowRegistry` is the installation's, a replay has one in memory."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Unpack

import pandas as pd

from evergreen.errors import RegistryError
from evergreen.registry.runs import BacktestKind, BacktestRun
from evergreen.registry.version import CHAMPION, PREVIOUS, TagValues, Version

if TYPE_CHECKING:
    from evergreen.definition.model import Model


@dataclass(frozen=True)
class TrainingRecord:
    """What is recorded of one training beside the model itself."""

    title: str
    params: dict[str, Any]
    metrics: dict[str, float]
    tags: TagValues
    dataset: dict[str, str]
    pages: Callable[[], dict[str, str]] = dict


class Registry(Protocol):
    """The versions of models, their aliases, and what is kept with each."""

    @property
    def reloads(self) -> bool:
        """Whether a fresh process can load a version from where it is stored."""
        ...

    def versions(self, name: str, **values: Unpack[TagValues]) -> list[Version]:
        """All versions of a model whose properties have these values, newest first."""
        ...

    def find(self, name: str, number: str) -> Version | None:
        """The version of that number or alias, if there is one."""
        ...

    def version(self, name: str, number: str) -> Version:
        """One version, by its number or by an alias.

        Raises
        ------
        RegistryError
            There is none.
        """
        version = self.find(name, number)
        if version is None:
            raise RegistryError(f"{name} has no version {number!r}. See `evergreen models {name}`.")
        return version

    def champion(self, name: str) -> Version | None:
        """The version that serves now; None before the first promotion."""
        return self.find(name, CHAMPION)

    def previous(self, name: str) -> Version | None:
        """The champion before the current one; None before the second promotion."""
        return self.find(name, PREVIOUS)

    def beside(self, name: str, role: str) -> Version | None:
        """The version that runs beside the champion as canary or as shadow; None if there is none."""
        return self.find(name, role)

    def origin(self, version: Version) -> Version:
        """The version that was judged: the one that this is a refit of, or else itself."""
        return self.version(version.model, version.refit_of) if version.refit_of else version

    def serving_aliases(self) -> dict[str, dict[str, str]]:
        """Every model that has a champion: the number by alias, and the canary's ``share``."""
        ...

    def fingerprints(self) -> dict[str, str] | None:
        """Of each model what changes whenever its versions do; None where that is not known without reading them."""
        return None

    def alias(self, version: Version, alias: str) -> None:
        """Point an alias at a version."""
        ...

    def challenge(self, version: Version, share: float | None) -> None:
        """Run a version beside the champion: as canary for a share of the requests, or as shadow for the log only.

        Parameters
        ----------
        version : Version
        share : float or None
            Above 0 and below 1; None for the log only.
        """
        ...

    def withdraw(self, name: str, *aliases: str) -> list[str]:
        """Remove aliases; return the numbers of the versions that had one."""
        ...

    def load(self, version: Version) -> Any:
        """Load a version's estimator; nothing is unpickled.

        Raises
        ------
        AlteredModelError
            The stored model is not the one that was registered, or asks for types that are not trusted.
        """
        ...

    def trusted(self, version: Version) -> list[str]:
        """What loading a version may build beside the default types, and the packages of user's code that may run."""
        return []

    def path(self, version: Version) -> str:
        """A local copy of the stored model; empty where `reloads` is false.

        Raises
        ------
        AlteredModelError
            The stored model is not the one that was registered.
        """
        ...

    def digest(self, version: Version) -> str:
        """The SHA-256 of the stored model as it is now; empty where nothing is stored any more."""
        return ""

    def verify(self, version: Version) -> None:
        """Check that the stored model is the one that was registered, without loading it.

        Raises
        ------
        AlteredModelError
            It is not.
        """
        self.path(version)

    def record_training(
        self, model: "Model", estimator: Any, example: pd.DataFrame, training: TrainingRecord
    ) -> Version:
        """Record a training with its model, and register the model as a new version.

        Raises
        ------
        TrainingError
            The estimator cannot be stored without pickle.
        RegistryError
            The store cannot be reached, is read-only or full.
        """
        ...

    def open_runs(self, model: "Model") -> list[str]:
        """The ids of the runs of trainings of this model that have not ended."""
        ...

    def end_dead_runs(self, model: "Model") -> None:
        """End the runs that a training of this model left open when its process died."""
        ...

    def tag(self, version: Version, **values: Unpack[TagValues]) -> None:
        """Store values of a version's properties, in this order."""
        ...

    def describe(self, version: Version, text: str) -> None:
        """Set the text that is shown for the version."""
        ...

    def attach(self, version: Version, name: str, page: str) -> None:
        """Keep a text with the version's run."""
        ...

    def text(self, version: Version, name: str) -> str | None:
        """A text that was kept with the version's run; None if it was not."""
        ...

    def artifact(self, version: Version, name: str) -> bytes | None:
        """A file that was kept with the version's run; None if it was not."""
        ...

    def draw(self, version: Version, name: str, figure: Callable[[], Any]) -> None:
        """Draw a picture, and keep it with the version's run."""
        ...

    def measure(self, version: Version, metrics: dict[str, float]) -> None:
        """Add metrics to the version's run."""
        ...

    def chart(self, model: "Model", series: list[tuple[str, dict[str, float]]]) -> None:
        """Add to the model's metric series, one run for all time.

        Repeated values at the same time are one point.

        Parameters
        ----------
        model : Model
        series : list of (time, dict of name to float)
            ISO 8601, whose day is the step; what is not finite is left out.
        """
        ...

    def record_backtest(
        self, model: "Model", key: str, note: str, backtests: list[BacktestRun], kind: BacktestKind = "replay"
    ) -> None:
        """Record what each policy of a replay or each variant of an experiment came to; repeating it changes nothing.

        Parameters
        ----------
        model : Model
        key : str
            Identifies the replay: a run of the same title and key that has finished is not recorded again.
        note : str
            For people.
        backtests : list of BacktestRun
        kind : {"replay", "experiment"}
            Experiments have an experiment of their own in MLflow, so that the model's shows what production did.
        """
        ...
