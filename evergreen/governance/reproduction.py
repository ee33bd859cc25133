"""Reproduction: a version trained again from its record, in a clean process, and compared with the registered one."""

import json
import os
import subprocess
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evergreen import lifeline, provenance
from evergreen.definition import loader
from evergreen.environments import ENVIRONMENT
from evergreen.errors import EvergreenError, ReproductionError
from evergreen.evaluation import comparison, rivals
from evergreen.files import replace as write
from evergreen.gates.judgement import Judgement, newest_judgement
from evergreen.gates.reevaluation import judged_again
from evergreen.governance import code_record, environment
from evergreen.governance.deep_compare import difference
from evergreen.project import PROJECT
from evergreen.registry.model_store import load_saved, save, trusted_here
from evergreen.registry.registry import Registry
from evergreen.registry.version import CHAMPION, Version
from evergreen.settings import Settings, embed
from evergreen.stores import Stores
from evergreen.training import fitting, recipe
from evergreen.training.snapshot import Snapshot

if TYPE_CHECKING:
    import pandas as pd

    from evergreen.definition.model import Model


@dataclass(frozen=True)
class Finding:
    """The result of one comparison.

    Attributes
    ----------
    version : str
        The number of the compared version: the requested one, or the judged one that it is a refit of.
    what : str
    same : bool
    detail : str
        What is equal, or where the first difference is.
    """

    version: str
    what: str
    same: bool
    detail: str


@dataclass(frozen=True)
class Reproduced:
    """The result of training a version again.

    Attributes
    ----------
    model, version : str
    environment : list of str
        The differences from the recorded environment, a sentence each.
    findings : list of Finding
    """

    model: str
    version: str
    environment: list[str]
    findings: list[Finding]

    @property
    def same(self) -> bool:
        """Whether everything compared is as recorded."""
        return all(finding.same for finding in self.findings)

    @property
    def first(self) -> str:
        """The first difference; empty if there is none."""
        return next((f"{finding.what}: {finding.detail}" for finding in self.findings if not finding.same), "")


def reproduce(registry: Registry, name: str, number: str, exact: bool = False) -> Reproduced:
    """Train a version again from its record, in a clean process, and compare.

    The record is the model file as it was, the table's version, the point in time, the split, the
    parameters that a search chose, and the seed. Nothing is registered and no alias moves.

    Parameters
    ----------
    registry : Registry
    name, number : str
        The number or alias of the version.
    exact : bool
        Use the recorded environment, built from the recorded commit and its lock, instead of this one.

    Raises
    ------
    RegistryError
        There is no such version.
    ReproductionError
        Its record is incomplete, its environment cannot be built, or the training fails now.
    """
    loader.existing(name)
    version = registry.version(name, number)
    files = code_record.read(registry, version)
    place = environment.rebuilt(version) if exact else environment.present()
    differing = environment.differences(version, registry.path(version), place)
    with tempfile.TemporaryDirectory(prefix="evergreen-reproduce-") as folder:
        for path, text in files.items():
            (Path(folder) / path).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / path).write_bytes(text.encode())
        result_file = Path(folder) / "answer.json"
        words = ["evergreen.reproduction", name, version.number, str(result_file)]
        command = [place.python, "-m", *words] if exact else lifeline.command(*words)
        streams: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
        with lifeline.guarded():  # an environment of its own may know no lifeline
            finished = subprocess.run(command, cwd=place.project, env=_environment_in(place, folder), **streams)  # noqa: S603 - no word from outside
        if not result_file.is_file():
            last = (finished.stderr.strip().splitlines() or ["no output"])[-1]
            raise ReproductionError(f"{version} could not be trained again: {last}")
        result = json.loads(result_file.read_text())
    if "error" in result:
        raise ReproductionError(f"{version} could not be trained again: {result['error']}")
    return Reproduced(name, version.number, differing, [Finding(**finding) for finding in result["findings"]])


def named(words: list[str]) -> list[tuple[str, str]]:
    """Models and versions from the command line.

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
    """Every version of these models that was ever champion, the oldest first: the model and the number."""
    once = {name: [version for version in registry.versions(name) if version.promoted_at] for name in models}
    return [(name, version.number) for name, versions in once.items() for version in reversed(versions)]


def _environment_in(place: environment.Place, models_folder: str) -> dict[str, str]:
    """The environment of the clean process: the same stores, the code of that place, and the model file as it was."""
    settings = Settings.read()
    stores = {
        "EVERGREEN_HOME": str(settings.home),
        "EVERGREEN_LAKE": settings.lake,
        "MLFLOW_TRACKING_URI": settings.tracking_uri,
        "EVERGREEN_MODELS": models_folder,
    }
    inherited = "" if place.exact else os.environ.get("PYTHONPATH", "")
    path = os.pathsep.join(filter(None, [str(place.code or ""), inherited]))
    project = {PROJECT: str(place.project or ""), ENVIRONMENT: ""}  # whose settings these are already
    return os.environ | stores | project | {"PYTHONPATH": path}


def compared(stores: Stores, name: str, number: str) -> list[Finding]:
    """Train a version again in this process, and the judged one that it is a refit of, and compare both."""
    definition, registry = loader.load(name), stores.registry
    version = registry.version(name, number)
    origin = registry.origin(version)
    with tempfile.TemporaryDirectory(prefix="evergreen-again-") as folder:
        retraining = _Retraining(definition, stores, Path(folder))
        findings = [_file(definition, version), *retraining.judged(origin)]
        return findings if origin.number == version.number else findings + retraining.refitted(origin, version)


@dataclass(frozen=True)
class _Retraining:
    """Trains versions again in a folder."""

    definition: "Model"
    stores: Stores
    folder: Path

    def judged(self, version: Version) -> list[Finding]:
        """Compare a judged version: rows, fitted parameters, predictions and verdict."""
        snapshot, split = self._snapshot(version), recipe.split_of(version)
        fitted = self._trained(version, snapshot.training(split))
        holdout = snapshot.labelled(split.holdout_from, split.holdout_until)
        return [*fitted.findings, self._predictions(fitted, holdout), *self._verdict(fitted)]

    def refitted(self, origin: Version, version: Version) -> list[Finding]:
        """Compare a refit of a judged version: rows, fitted parameters and predictions on the holdout."""
        snapshot = self._snapshot(origin)
        fitted = self._trained(version, snapshot.training(recipe.plan_refit(origin, snapshot).split))
        split = recipe.split_of(origin)
        return [*fitted.findings, self._predictions(fitted, snapshot.labelled(split.holdout_from, split.holdout_until))]

    def _snapshot(self, version: Version) -> Snapshot:
        return Snapshot.of(self.stores.lake, self.definition, version)

    def _trained(self, version: Version, rows: "pd.DataFrame") -> "_Fitted":
        """Fit, store and load again, as for the registered version."""
        now, then = provenance.data_hash(rows), version.data_hash
        detail = f"{len(rows):,} rows of version {version.table_version} of the table, hash {now}"
        if now != then:
            detail += f"; recorded are {version.rows:,} rows, hash {then}"
        rows_found = Finding(version.number, "training rows", now == then, detail)
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
        return load_saved(path, trusted_here(model, path)), str(path)

    def _predictions(self, fitted: "_Fitted", holdout: "pd.DataFrame") -> Finding:
        model, what = self.definition, "predictions for the holdout"
        then, now = (fitting.predict(model, estimator, holdout) for estimator in (fitted.stored, fitted.estimator))
        count = f"{len(holdout):,} rows"
        if np.array_equal(then, now, equal_nan=True):
            return Finding(fitted.version.number, what, True, f"{count}, equal to the last bit")
        if fitted.deterministic:
            return Finding(fitted.version.number, what, False, f"{count}; {difference(then, now, 'row')}")
        apart = comparison.disagreement(model, holdout, then, now)
        tolerance = model.training.refit_tolerance
        detail = (
            f"{count}; they differ by {apart:.3g} of the target's spread, at most {tolerance:.3g} (refit_tolerance)"
        )
        return Finding(fitted.version.number, what, apart <= tolerance, detail)

    def _verdict(self, fitted: "_Fitted") -> list[Finding]:
        """Compare the verdict, if there was one, without the measured latency and size."""
        version = fitted.version
        if not version.decision:
            return []
        then = newest_judgement(self.stores.registry, version, trained=True)
        challenger = replace(
            rivals.candidate(self.stores.registry, version), estimator=fitted.estimator, path=fitted.path
        )
        now = Judgement.parse(judged_again(self.stores, self.definition, version, challenger).dump())
        if not fitted.deterministic:
            apart = difference(then.verdict.decision, now.verdict.decision, "decision")
        else:
            apart = difference(_timeless(then), _timeless(now), "verdict")
        detail = apart or f"{now.verdict.decision}, with the same evidence to the last digit"
        return [Finding(version.number, "verdict", not apart, detail)]


@dataclass(frozen=True)
class _Fitted:
    """A registered version, and the result of training it again."""

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
            detail = "equal to the last bit"
        elif self.deterministic:
            detail = self.apart
        else:
            detail = f"{self.apart}; two trainings here differ too, so the predictions decide"
        return [
            self.rows,
            Finding(self.version.number, "fitted parameters", not (self.apart and self.deterministic), detail),
        ]


def _file(definition: "Model", version: Version) -> Finding:
    now, then = loader.file_hash(definition.name), version.model_file_hash
    modules = len(loader.code_of(definition.name).python.modules)
    with_modules = f", with {modules - 1} module{'s' * (modules > 2)} that it imports" if modules else ""
    detail = f"kept with the run, hash {now}{with_modules}" + ("" if now == then else f"; recorded is {then}")
    return Finding(version.number, "model file", now == then, detail)


def _timeless(judgement: Judgement) -> dict[str, Any]:
    """A judgement without what depends on the machine (latency, size on disk) or on the wording of a release."""
    fields = asdict(judgement)
    for name in ("latency_ms", "size_mb"):
        fields["evidence"].pop(name)
    for verdict in filter(None, (fields["verdict"], fields["comeback_verdict"])):
        verdict["checks"] = [
            {"name": check["name"], "outcome": check["outcome"]}
            if check["name"] in ("latency", "size")
            else {name: check[name] for name in ("name", "outcome", "value", "threshold")}
            for check in verdict["checks"]
        ]
        verdict["reason"] = ""  # is derived from the checks
    return fields


def main(name: str, number: str, path: Path) -> None:
    """Reproduce a version in this process and write the findings, or the error, to a file as JSON."""
    embed()
    try:
        result: dict[str, Any] = {"findings": [asdict(finding) for finding in compared(Stores.open(), name, number)]}
    except EvergreenError as error:
        result = {"error": str(error)}
    write(path, json.dumps(result))
