"""A recipe: everything that determines one training, with its fingerprint and its record."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd

from evergreen import provenance
from evergreen.addresses import without_secrets
from evergreen.definition import loader
from evergreen.definition.options import AUTO
from evergreen.errors import NotEnoughDataError, TrainingError, ran_out_of_memory
from evergreen.registry.registry import Registry, TrainingRecord
from evergreen.registry.version import TagValues, Version
from evergreen.training import window
from evergreen.training.snapshot import Snapshot
from evergreen.training.split import Split, refit, split
from evergreen.training.window import WindowComparison, WindowRecord

if TYPE_CHECKING:
    from evergreen.definition.model import Model

T = TypeVar("T")


@dataclass(frozen=True)
class Recipe:
    """A planned training.

    Attributes
    ----------
    snapshot : Snapshot
    split : Split
    reason : str
        Why it is trained; not part of its identity.
    refit_of : str
        The number of the judged version whose recipe this repeats on all rows; else empty.
    """

    snapshot: Snapshot
    split: Split
    reason: str
    refit_of: str = ""

    @property
    def definition(self) -> "Model":
        """The model that is trained."""
        return self.snapshot.model

    @property
    def fingerprint(self) -> str:
        """Equal for two trainings that would give the same model and the same verdict."""
        bounds = (self.split.train_from, self.split.train_until)
        parts = [
            loader.fingerprint(self.definition.name),
            self.snapshot.version,
            *bounds,
            self.refit_of,
            provenance.lock_hash(),
        ]
        if self.definition.label_time:
            # The rows can be the same while more of their labels become known, so their count is part of the identity.
            parts.append(self.snapshot.count(self.split.train_from, self.split.holdout_until))
        return provenance.fingerprint(parts)

    def record(
        self,
        rows: pd.DataFrame,
        params: dict[str, Any],
        beside: tuple[float, float] | None = None,
        pages: Callable[[], dict[str, str]] = dict,
        windows: Sequence[WindowComparison] = (),
    ) -> TrainingRecord:
        """The record of this training for the registry, including its lineage.

        Parameters
        ----------
        rows : DataFrame
            The training rows.
        params : dict
            The estimator's arguments.
        beside : tuple of float, optional
            A refit's disagreement with the judged model and its gain, from `evergreen.evaluation.comparison.refitted`.
        pages : callable
            Returns the texts to store with the run, by file name; called after the run has started.
        windows : sequence of WindowComparison
            The comparisons of training windows that this training adds to the record.
        """
        definition = self.definition
        environment = provenance.environment()
        file, code = loader.path_of(definition.name), loader.code_of(definition.name)
        commit, uncommitted = provenance.commit(file, *(file.parent / path for path in code.modules))
        digest = provenance.data_hash(rows)
        times = rows[definition.time]
        values: TagValues = {
            "fingerprint": self.fingerprint,
            "reason": self.reason,
            "as_of": self.snapshot.as_of,
            "table_version": self.snapshot.version,
            "data_hash": digest,
            "data_from": times.min(),
            "data_until": times.max(),
            "rows": len(rows),
            "train_from": self.split.train_from,
            "train_until": self.split.train_until,
            "holdout_from": self.split.holdout_from,
            "holdout_until": self.split.holdout_until,
            "label_maturity": self.snapshot.maturity.dump() if self.snapshot.maturity else "",
            "params": params,
            "refit_of": self.refit_of,
            "commit": commit,
            "environment": provenance.environment_name(),
            "uncommitted": uncommitted,
            "lock_hash": provenance.lock_hash(),
            "model_file_hash": loader.file_hash(definition.name),
            "code_hash": code.digest,
            "evergreen_version": provenance.release(),
            "python_version": environment["python"],
            "platform": environment["platform"],
        }
        if windows:
            values["window_record"] = WindowRecord(list(windows)).dump()
        if beside is not None:
            values |= {"refit_disagreement": beside[0], "refit_gain": beside[1]}
        dataset = {
            "name": f"{definition.name} rows",
            "digest": digest,
            "uri": without_secrets(self.snapshot.lake.uri(definition.name)),
            "version": str(self.snapshot.version),
            "rows": str(len(rows)),
            "from": times.min().isoformat(),
            "until": times.max().isoformat(),
        }
        planned = {name: str(value) for name, value in definition.training if name != "search"}
        logged = {"seed": definition.seed, **planned, **params}
        title = f"{definition.name} · {'refit' if self.refit_of else self.reason} · {self.snapshot.as_of:%Y-%m-%d}"
        return TrainingRecord(title, logged, {"training_rows": float(len(rows))}, values, dataset, pages)


def plan(definition: "Model", snapshot: Snapshot, reason: str, comparisons: Sequence[WindowComparison] = ()) -> Recipe:
    """Plan a training on the labels that are known in a snapshot; comparisons choose the window, unless it is fixed."""
    bounds = whole(snapshot)
    chosen = window.choose(snapshot, bounds.holdout_from, bounds.train_until, comparisons)
    return Recipe(snapshot, bounds.reaching_back(chosen), reason)


def first_fitted(planned: Recipe, fit: Callable[[Recipe], T]) -> tuple[Recipe, T, list[WindowComparison]]:
    """Fit on the planned window; where that cannot be done, on the next longer one of those that are compared.

    Parameters
    ----------
    planned : Recipe
    fit : callable

    Returns
    -------
    recipe, fitted, failed : Recipe, object, list of WindowComparison
        The recipe that was fitted, what `fit` returned, and a record of the windows that could not be fitted.

    Raises
    ------
    NotEnoughDataError, TrainingError
        What `fit` raised of a fixed window, or of all history; or of too little memory, which more rows do not help.
    """
    failed: list[WindowComparison] = []
    while True:
        try:
            return planned, fit(planned), failed
        except (NotEnoughDataError, TrainingError) as error:
            wider = None if ran_out_of_memory(error) else longer(planned)
            if wider is None:
                raise
            failed.append(window.unfitted(planned.split, wider.split))
            planned = wider


def longer(planned: Recipe) -> Recipe | None:
    """The same training on the next longer window; None of a fixed window, and where it is all history already.

    Rows are counted before a window is chosen, but a short one can lack a class, or fail in a cross-validation.
    """
    used = planned.split.window
    if planned.definition.training.window != AUTO or used is None:
        return None
    lengths = window.lengths(planned.snapshot, planned.split.train_until)
    wider = [length for length in lengths if length is None or length > used]
    return replace(planned, split=planned.split.reaching_back(wider[-1]))


def whole(snapshot: Snapshot) -> Split:
    """The bounds of a training on all history."""
    training = snapshot.model.training
    return split(snapshot.newest(), window=None, holdout=training.holdout, gap=snapshot.label_delay)


def plan_refit(judged: Version, snapshot: Snapshot) -> Recipe:
    """Plan the same training on all rows that were known when `judged` was trained, including the holdout."""
    bounds = refit(split_of(judged))
    return Recipe(snapshot, bounds, judged.reason, refit_of=judged.number)


def split_of(version: Version) -> Split:
    """The bounds of a version's training rows and holdout."""
    bounds = (Version.train_until, Version.holdout_from, Version.holdout_until)
    return Split(version.train_from, *(version.required(bound) for bound in bounds))


def trained_until(version: Version) -> pd.Timestamp:
    """Just after the newest row that a version was fitted on, which can be earlier than its recipe planned."""
    newest = version.data_until
    return split_of(version).train_until if newest is None else newest + pd.Timedelta(1, "us")


def find(registry: Registry, planned: Recipe) -> Version | None:
    """The version that an identical training registered before, or None."""
    return next(iter(registry.versions(planned.definition.name, fingerprint=planned.fingerprint)), None)


def preferred(definition: "Model", judged: Version, refitted: Version) -> Version:
    """The refitted version if it agrees with the judged one or scores better on the holdout; else the judged one."""
    agrees = refitted.refit_disagreement <= definition.training.refit_tolerance
    return refitted if agrees or refitted.refit_gain > 0 else judged
