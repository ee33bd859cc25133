"""Trainings of a replay, kept on disk so that policies share them."""

import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from evergreen import files
from evergreen.monitoring.reference import ARTIFACT
from evergreen.registry import skops_nodes
from evergreen.registry.model_store import load_estimator
from evergreen.registry.trusted import trusted_types
from evergreen.registry.version import Version


@dataclass(frozen=True)
class FitCache:
    """The versions trained at each step, and their references: shared by all policies that train at that step.

    Attributes
    ----------
    folder : Path
    trusted : tuple of str
        Types that the model file trusts; the folder may not say it of itself.
    """

    folder: Path
    trusted: tuple[str, ...] = ()

    def has(self, step: int | str) -> bool:
        """Whether a step's trainings, or the reason why there are none, are stored."""
        return self._record_of(step).is_file()

    def keep(self, step: int | str, versions: list[Version], seconds: float, problem: str = "") -> None:
        """Record that a step's trainings are complete."""
        record = {"versions": [asdict(version) for version in versions], "seconds": seconds, "problem": problem}
        files.replace(self._record_of(step), json.dumps(record))

    def of(self, step: int | str) -> tuple[list[Version], float, str]:
        """A step's trainings (the challenger and its refit), their CPU seconds, and the problem if there are none."""
        record = json.loads(self._record_of(step).read_text())
        versions = [Version(**fields | {"aliases": ()}) for fields in record["versions"]]
        return versions, record["seconds"], record["problem"]

    def store(self, number: str, estimator: Any) -> None:
        """Keep an estimator."""
        import skops.io

        skops_nodes.register()
        files.replace(self.folder / f"{number}.skops", skops.io.dumps(estimator))

    def load(self, number: str) -> Any:
        """A stored estimator; the most recently used ones stay in memory."""
        return _loaded(self.folder, number, self.trusted)

    def reference(self, number: str) -> Path:
        """The path of the reference of a version, once a policy has built it."""
        return self.folder / f"{number}.{ARTIFACT}"

    def _record_of(self, step: int | str) -> Path:
        return self.folder / f"step-{step}.json"


@lru_cache(maxsize=16)
def _loaded(folder: Path, number: str, trusted: tuple[str, ...]) -> Any:
    stored = (folder / f"{number}.skops").read_bytes()
    return load_estimator(stored, trusted_types(stored, trusted), f"version {number} of a replay")
