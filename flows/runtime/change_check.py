"""The check of a change of model files, before it is merged: `evergreen ci`."""

import os
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from evergreen.definition import disclosure, loader
from evergreen.definition.feasibility import assess
from evergreen.errors import EvergreenError, ExperimentError, LakeError, RegistryError
from evergreen.experiments import rolling
from evergreen.experiments.comparison import Compared
from evergreen.experiments.model_change import Judged, ModelChange, signature_notes
from evergreen.experiments.overlay_registry import OverlayRegistry
from evergreen.experiments.revision import Affected, Revision
from evergreen.experiments.run import run
from evergreen.experiments.variant import Variant, require_comparable
from evergreen.ingestion import contract
from evergreen.ingestion.quarantine import Quarantine
from evergreen.lake.lake import time_range
from evergreen.process_pool import process_pool, without_ctrl_c
from evergreen.replay.fit_cache import FitCache
from evergreen.replay.point_in_time import PointInTimeLake
from evergreen.sql import column, columns
from evergreen.stores import Stores
from tasks.evaluate import evaluate
from tasks.judge import judge
from tasks.train import train

if TYPE_CHECKING:
    from evergreen.definition.model import Model

Shown = Callable[[Sequence["Future[Any]"]], AbstractContextManager[Any]]


@dataclass(frozen=True)
class Check:
    """What the models of a change are checked with.

    Attributes
    ----------
    base : Revision
    models : Path
        The folder of the model files now.
    folder : Path
        Where finished fits are kept.
    at : Timestamp
        Now; what becomes known later is not read.
    periods : int
        Of the comparison on production's history.
    step : timedelta or None
        Of a period.
    """

    base: Revision
    models: Path
    folder: Path
    at: pd.Timestamp
    periods: int
    step: timedelta | None = None


def checked(check: Check, affected: Affected, shown: Shown) -> ModelChange:
    """Find out what a change does to one model; production's lake and registry are only read.

    A store that does not answer, or rows of the pinned version that are gone, leave it untold, and the comment says so:
    else that of the commit before would stand there.

    Parameters
    ----------
    check : Check
    affected : Affected
    shown : callable
        Progress, from the parts that are waited for.
    """
    try:
        return _checked(check, affected, shown)
    except (LakeError, RegistryError) as error:
        return ModelChange(affected.model, affected.kind, affected.reason, unread=str(error))


def _checked(check: Check, affected: Affected, shown: Shown) -> ModelChange:
    name, found = affected.model, ModelChange(affected.model, affected.kind, affected.reason)
    if affected.kind == "removed":
        return found
    try:
        now = loader.load(name, check.models)
        assess.require(now)
    except EvergreenError as error:
        return replace(found, problems=[str(error)])
    stores = Stores.open()
    stores.registry.versions(name)  # a registry that does not answer is told before anything is fitted
    if affected.kind == "added" or not stores.lake.exists(name):
        return replace(found, notes=[] if affected.kind == "added" else [f"{name} has no rows in the lake."])
    version = stores.lake.version(name)  # of the table, for all that is read of it
    before = loader.load(name, check.base.folder)
    notes, problems = signature_notes(before, now), _broken_contract(stores, before, now, version)
    compared: Compared | None = None
    try:
        require_comparable(before, now, stores.lake.columns(name, version))
        if affected.kind == "changed":
            compared = _compared(check, stores, name, version, shown)
    except EvergreenError as error:
        if error.may_pass:  # production could not be read
            raise
        return replace(found, problems=problems, notes=[*notes, str(error)])
    head, base = _both_judged(check, name, version, alone=affected.kind != "changed", shown=shown)
    return replace(found, problems=problems, notes=notes, compared=compared, base=base, head=head)


def _broken_contract(stores: Stores, before: "Model", now: "Model", version: int) -> list[str]:
    """The expectations of a changed contract that the newest rows break: the next batch would be quarantined."""
    if before.contract == now.contract or set(now.columns) - set(stores.lake.columns(now.name, version)):
        return []
    _, newest = time_range(stores.lake, now, now.time, version)
    since = {"since": (newest - now.monitoring.window).to_pydatetime()}
    sql = f"SELECT {columns(now.columns)} FROM rows WHERE {column(now.time)} > $since"
    rows = stores.lake.query(now, sql, since, version=version)
    report = contract.check(rows, now.contract, disclosure.without_examples(now))
    return [
        f"the newest {report.rows:,} rows break the contract, so the next batch would be quarantined: {result.type} "
        f"{result.column} {result.expected}, found {result.found}."
        for result in report.failures
        if not result.warn
    ]


def _compared(check: Check, stores: Stores, name: str, version: int, shown: Shown) -> Compared:
    own = Variant("base", loader.existing(name, check.base.folder), model=name)
    head = Variant("head", loader.existing(name, check.models), model=name)
    folder = check.folder / name
    experiment = rolling.planned(stores.lake, [head], own, folder, check.at, check.periods, check.step, version)
    return run(experiment, shown)


def _both_judged(check: Check, name: str, version: int, *, alone: bool, shown: Shown) -> tuple[Judged, Judged | None]:
    """The challengers of head and base, each judged in a process of its own that sees the files of its side only."""
    folders = [check.models] if alone else [check.models, check.base.folder]
    with process_pool("the check", ExperimentError) as pool:
        with without_ctrl_c():
            futures = [pool.submit(judged_alone, check, name, version, str(folder)) for folder in folders]
        with shown(futures) as steps:
            for _, future in zip(steps, futures, strict=True):
                future.result()
    head, *base = [future.result() for future in futures]
    return head, base[0] if base else None


def judged_alone(check: Check, name: str, version: int, models: str) -> Judged:
    """Train a challenger with the model files of a folder, and judge it by the gates against production's champion.

    Nothing is registered: production's lake and registry are read, and what is written stays in memory.
    """
    os.environ["EVERGREEN_MODELS"] = models
    started = time.process_time()
    model, production = loader.load(name), Stores.open()
    lake = PointInTimeLake.of(production.lake, model, version).at(check.at)
    with tempfile.TemporaryDirectory(prefix="evergreen-ci-") as folder:
        registry = OverlayRegistry(
            fits=FitCache(Path(folder), tuple(loader.trusted(name))), production=production.registry, model=name
        )
        stores = Stores(lake, registry, Quarantine("memory://ci"), live=False)
        try:
            with warnings.catch_warnings(action="ignore"):  # of models that nobody keeps
                challenger = train.fn(stores, name, check.at, "demand")
                judged = judge.fn(stores, challenger, evaluate.fn(stores, challenger))
        except EvergreenError as error:
            if error.may_pass:  # production could not be read
                raise
            return Judged("failed", str(error), seconds=time.process_time() - started)
    kept_out = [gate.name for gate in judged.verdict.checks if gate.outcome in ("failed", "unknown")]
    seconds = time.process_time() - started
    return Judged(judged.verdict.decision, judged.verdict.reason, judged.against or "", kept_out, seconds)
