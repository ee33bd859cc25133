"""Reproduction: a version trained again from its record, in a clean process, and compared with the registered one."""

import json
import os
import subprocess
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evergreen import provenance
from evergreen.definition import loader
from evergreen.errors import EvergreenError, ReproductionError
from evergreen.evaluation import comparison
from evergreen.files import replace as write
from evergreen.gates.judgement import Judgement, recorded
from evergreen.gates.reevaluation import judged_again
from evergreen.governance import environment
from evergreen.governance.deep_compare import difference
from evergreen.registry.model_store import revived, save, stored_types
from evergreen.registry.registry import Registry
from evergreen.registry.version import CHAMPION, Version
from evergreen.settings import Settings, embed
from evergreen.stores import Stores
from evergreen.training import fitting, plan
from evergreen.training.snapshot import Snapshot

if TYPE_CHECKING:
    import pandas as pd

    from evergreen.definition.model import Model


@dataclass(frozen=True)
class Finding:
    """One thing that was compared.

    Attributes
    ----------
    version : str
        The number of the version that it is of: the one asked for, or the judged one that it is a refit of.
    what : str
    same : bool
    detail : str
        What was found alike, or where the first difference is.
    """

    version: str
    what: str
    same: bool
    detail: str


@dataclass(frozen=True)
class Reproduced:
    """What came of training a version again.

    Attributes
    ----------
    model, version : str
    environment : list of str
        How the environment is not the recorded one, a sentence each.
    findings : list of Finding
    """

    model: str
    version: str
    environment: list[str]
    findings: list[Finding]

    @property
    def same(self) -> bool:
        """Whether all that was compared is as it was recorded."""
        return all(one.same for one in self.findings)

    @property
    def first(self) -> str:
        """The first difference; empty if there is none."""
        return next((f"{one.what}: {one.detail}" for one in self.findings if not one.same), "")


def reproduce(registry: Registry, name: str, number: str, exact: bool = False) -> Reproduced:
    """Train a version again from its record, in a clean process, and compare.

    The record is the model file as it was, the table's version, the moment, the split, the parameters
    that a search chose, and the seed. Nothing is registered and nothing moves.

    Parameters
    ----------
    registry : Registry
    name, number : str
        The number or alias of the version.
    exact : bool
        In the recorded environment, built from the recorded commit and its lock, instead of this one.

    Raises
    ------
    RegistryError
        There is no such version.
    ReproductionError
        Its record does not suffice, its environment cannot be built, or the training fails now.
    """
    loader.existing(name)
    version = registry.version(name, number)
    text = registry.text(version, loader.MODEL_FILE)
    if text is None or not version.recorded:
        raise ReproductionError(f"{version} was not trained by Evergreen: nothing says what it was made of.")
    place = environment.rebuilt(version) if exact else environment.present()
    differing = environment.differences(version, registry.path(version), place)
    with tempfile.TemporaryDirectory(prefix="evergreen-reproduce-") as folder:
        (Path(folder) / f"{name}.py").write_bytes(text.encode())
        answer = Path(folder) / "answer.json"
        command = [place.python, "-m", "evergreen.reproduction", name, version.number, str(answer)]
        heard: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
        done = subprocess.run(command, cwd=place.code, env=_own(folder), **heard)  # noqa: S603 - no word from outside
        if not answer.is_file():
            last = (done.stderr.strip().splitlines() or ["no word"])[-1]
            raise ReproductionError(f"{version} could not be trained again: {last}")
        told = json.loads(answer.read_text())
    if "error" in told:
        raise ReproductionError(f"{version} could not be trained again: {told['error']}")
    return Reproduced(name, version.number, differing, [Finding(**one) for one in told["findings"]])


def named(words: list[str]) -> list[tuple[str, str]]:
    """Models and versions as a person names them.

    Parameters
    ----------
    words : list of str
        ``airtime``, ``airtime@7`` or ``airtime@champion``.

    Examples
    --------
    >>> named(["airtime@7", "late"])
    [('airtime', '7'), ('late', 'champion')]
    """
    return [(name, number or CHAMPION) for name, _, number in (word.partition("@") for word in words)]


def promoted(registry: Registry, models: list[str]) -> list[tuple[str, str]]:
    """Every version of some models that ever was champion, the oldest first: the model and the number."""
    once = {name: [version for version in registry.versions(name) if version.promoted_at] for name in models}
    return [(name, version.number) for name, versions in once.items() for version in reversed(versions)]


def _own(models_folder: str) -> dict[str, str]:
    """The environment of the clean process: the same stores, and the model file as it was."""
    settings = Settings.read()
    stores = {
        "EVERGREEN_HOME": str(settings.home),
        "EVERGREEN_LAKE": settings.lake,
        "MLFLOW_TRACKING_URI": settings.tracking_uri,
        "EVERGREEN_MODELS": models_folder,
    }
    return os.environ | stores


def compared(stores: Stores, name: str, number: str) -> list[Finding]:
    """Train a version again here and now, and the judged one that it is a refit of, and compare both."""
    definition, registry = loader.load(name), stores.registry
    version = registry.version(name, number)
    origin = registry.origin(version)
    with tempfile.TemporaryDirectory(prefix="evergreen-again-") as folder:
        again = _Again(definition, stores, Path(folder))
        found = [_file(definition, version), *again.judged(origin)]
        return found if origin.number == version.number else found + again.refitted(origin, version)


@dataclass(frozen=True)
class _Again:
    """Where versions are trained again."""

    definition: "Model"
    stores: Stores
    folder: Path

    def judged(self, version: Version) -> list[Finding]:
        """A version that was judged: its rows, what was fitted, what it predicts, and the verdict."""
        snapshot, split = self._snapshot(version), plan.split_of(version)
        fitted = self._trained(version, snapshot.training(split))
        held = snapshot.labelled(split.holdout_from, split.holdout_until)
        return [*fitted.findings, self._predictions(fitted, held), *self._verdict(fitted)]

    def refitted(self, origin: Version, version: Version) -> list[Finding]:
        """A refit of a judged version: its rows, what was fitted, and what it predicts for the holdout."""
        snapshot = self._snapshot(origin)
        fitted = self._trained(version, snapshot.training(plan.plan_refit(origin, snapshot).split))
        split = plan.split_of(origin)
        return [*fitted.findings, self._predictions(fitted, snapshot.labelled(split.holdout_from, split.holdout_until))]

    def _snapshot(self, version: Version) -> Snapshot:
        return Snapshot.of(self.stores.lake, self.definition, version)

    def _trained(self, version: Version, rows: "pd.DataFrame") -> "_Fitted":
        """Fit, store and load again, as the registered one was."""
        now, then = provenance.data_hash(rows), version.data_hash
        told = f"{len(rows):,} rows of version {version.table_version} of the table, hash {now}"
        if now != then:
            told += f"; recorded are {version.rows:,} rows, hash {then}"
        rows_found = Finding(version.number, "training rows", now == then, told)
        estimator, path = self._fit(version, rows, "first")
        stored = self.stores.registry.load(version)
        apart = difference(stored, estimator)
        deterministic = not apart or not difference(estimator, self._fit(version, rows, "second")[0])
        return _Fitted(version, stored, estimator, path, apart, deterministic, rows_found)

    def _fit(self, version: Version, rows: "pd.DataFrame", name: str) -> tuple[Any, str]:
        model = self.definition
        path = self.folder / f"{version.number}-{name}"
        fresh = fitting.fit(model, rows, version.params)
        save(model, fresh, fitting.example(model, rows), str(path))
        return revived(path, stored_types(str(path))), str(path)

    def _predictions(self, fitted: "_Fitted", held: "pd.DataFrame") -> Finding:
        model, what = self.definition, "predictions for the holdout"
        then, now = (fitting.predict(model, one, held) for one in (fitted.stored, fitted.estimator))
        count = f"{len(held):,} rows"
        if np.array_equal(then, now, equal_nan=True):
            return Finding(fitted.version.number, what, True, f"{count}, equal to the last bit")
        if fitted.deterministic:
            return Finding(fitted.version.number, what, False, f"{count}; {difference(then, now, 'row')}")
        apart = comparison.disagreement(model, held, then, now)
        tolerance = model.training.refit_tolerance
        told = f"{count}; apart by {apart:.3g} of the target's spread, at most {tolerance:.3g} (refit_tolerance)"
        return Finding(fitted.version.number, what, apart <= tolerance, told)

    def _verdict(self, fitted: "_Fitted") -> list[Finding]:
        """The verdict, unless there was none: the same evidence, but for what a clock or a disk measured."""
        version = fitted.version
        if not version.decision:
            return []
        then = recorded(self.stores.registry, version, trained=True)
        challenger = replace(
            comparison.candidate(self.stores.registry, version), estimator=fitted.estimator, path=fitted.path
        )
        now = Judgement.parse(judged_again(self.stores, self.definition, version, challenger).dump())
        if not fitted.deterministic:
            apart = difference(then.verdict.decision, now.verdict.decision, "decision")
        else:
            apart = difference(_timeless(then), _timeless(now), "verdict")
        told = apart or f"{now.verdict.decision}, with the same evidence to the last digit"
        return [Finding(version.number, "verdict", not apart, told)]


@dataclass(frozen=True)
class _Fitted:
    """A version as it is registered, and as it came out again."""

    version: Version
    stored: Any
    estimator: Any
    path: str
    apart: str
    deterministic: bool
    rows: Finding

    @property
    def findings(self) -> list[Finding]:
        """The rows and the parameters."""
        if not self.apart:
            told = "equal to the last bit"
        elif self.deterministic:
            told = self.apart
        else:
            told = f"{self.apart}; two trainings here differ as well, so that its predictions decide"
        return [
            self.rows,
            Finding(self.version.number, "fitted parameters", not (self.apart and self.deterministic), told),
        ]


def _file(definition: "Model", version: Version) -> Finding:
    now, then = loader.fingerprint(definition.name), version.model_file_hash
    told = f"kept with the run, hash {now}" + ("" if now == then else f"; the version says {then}")
    return Finding(version.number, "model file", now == then, told)


def _timeless(judged: Judgement) -> dict[str, Any]:
    """A judgement without what depends on the machine: the time of a prediction and the size on disk."""
    told = asdict(judged)
    for name in ("latency_ms", "size_mb"):
        told["evidence"].pop(name)
    for verdict in filter(None, (told["verdict"], told["comeback_verdict"])):
        verdict["checks"] = [
            {"name": one["name"], "outcome": one["outcome"]} if one["name"] in ("latency", "size") else one
            for one in verdict["checks"]
        ]
        verdict["reason"] = ""  # is made of the checks
    return told


def main(name: str, number: str, path: Path) -> None:
    """Reproduce a version in this process and write the findings, or the error, to a file as JSON."""
    embed()
    try:
        told: dict[str, Any] = {"findings": [asdict(one) for one in compared(Stores.open(), name, number)]}
    except EvergreenError as error:
        told = {"error": str(error)}
    write(path, json.dumps(told))
