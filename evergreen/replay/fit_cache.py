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
class FitCache:
    """The versions trained at each step, and their references: shared by all policies that train at that step.

    Attributes
    ----------
    folder : Path
    """

    folder: Path

    def has(self, step: int) -> bool:
        """Whether a step's trainings, or the reason why there are none, are stored."""
        return self._record_of(step).is_file()

    def keep(self, step: int, versions: list[Version], seconds: float, problem: str = "") -> None:
        """Record that a step's trainings are complete."""
        record = {"versions": [asdict(version) for version in versions], "seconds": seconds, "problem": problem}
        files.replace(self._record_of(step), json.dumps(record))

    def of(self, step: int) -> tuple[list[Version], float, str]:
        """A step's trainings (the challenger and its refit), their CPU seconds, and the problem if there are none."""
        record = json.loads(self._record_of(step).read_text())
        versions = [Version(**fields | {"aliases": ()}) for fields in record["versions"]]
        return versions, record["seconds"], record["problem"]

    def store(self, model: "Model", number: str, estimator: Any) -> None:
        """Keep an estimator."""
        import skops.io

        files.replace(self.folder / f"{number}.trusted.json", json.dumps(trusted_types(model, estimator)))
        files.replace(self.folder / f"{number}.skops", skops.io.dumps(estimator))

    def load(self, number: str) -> Any:
        """A stored estimator; the most recently used ones stay in memory."""
        return _loaded(self.folder, number)

    def reference(self, number: str) -> Path:
        """The path of the reference of a version, once a policy has built it."""
        return self.folder / f"{number}.{ARTIFACT}"

    def _record_of(self, step: int) -> Path:
        return self.folder / f"step-{step}.json"


@lru_cache(maxsize=16)
def _loaded(folder: Path, number: str) -> Any:
    import skops.io

    trusted = json.loads((folder / f"{number}.trusted.json").read_text())
    return skops.io.load(folder / f"{number}.skops", trusted=trusted)
