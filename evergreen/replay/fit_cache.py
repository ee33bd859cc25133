"""Trainings of a replay, kept on disk so that policies share them."""

import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evergreen import files
from evergreen.monitoring.reference import ARTIFACT
from evergreen.registry.model_store import trusted_types
from evergreen.registry.version import Version

if TYPE_CHECKING:
    from evergreen.definition.model import Model


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
        files.replace(self._told(step), json.dumps(told))

    def of(self, step: int) -> tuple[list[Version], float, str]:
        """A step's trainings (the challenger, and what it was refitted to), the CPU seconds they took, and why not."""
        told = json.loads(self._told(step).read_text())
        versions = [Version(**one | {"aliases": ()}) for one in told["versions"]]
        return versions, told["seconds"], told["problem"]

    def store(self, model: "Model", number: str, estimator: Any) -> None:
        """Keep an estimator."""
        import skops.io

        files.replace(self.folder / f"{number}.trusted.json", json.dumps(trusted_types(model, estimator)))
        files.replace(self.folder / f"{number}.skops", skops.io.dumps(estimator))

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
