"""The reference: a summary of a champion's training rows and baseline, with which windows are compared."""

import json
import math
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from evergreen import time_units
from evergreen.definition.kinds.register import kind_of
from evergreen.drift import profile, scan
from evergreen.drift.bins import bins_of
from evergreen.drift.profile import Profile
from evergreen.evaluation import performance
from evergreen.evaluation.importance import permutation_importance
from evergreen.evaluation.performance import Observed
from evergreen.lake.lake import PREDICTIONS, ROWS
from evergreen.monitoring.estimation import Estimator
from evergreen.registry.registry import Registry
from evergreen.registry.version import Version
from evergreen.sql import RESERVED, column, columns, literal, quoted, within
from evergreen.training import fitting
from evergreen.training.recipe import split_of
from evergreen.training.snapshot import Snapshot

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evergreen.definition.metrics import Floats
    from evergreen.definition.model import Model
    from evergreen.definition.options import Kind

PREDICTION = f"{RESERVED}prediction"  # the champion's prediction among a table's columns
ANSWER = '"_answers"[-1]'  # a number, or the probability of the last class
ARTIFACT = "reference.json"
_BEFORE = "_prediction"  # the name in references and profiles of earlier releases


@dataclass(frozen=True)
class Reference:
    """The reference of one version of a model.

    Attributes
    ----------
    model : Model
    profile : Profile
        By unit: features and label from the start of the training rows, or from before it (`Model.reference_span`), to
        the end of the holdout, and the judged model's predictions on the holdout only, since those on its training
        rows are better than any later ones.
    importance : dict of feature to float
        By how much the metric worsens when the feature is shuffled.
    judged : Observed
        The baseline: the performance on the holdout.
    estimator : Estimator
        Estimates performance before labels arrive.
    known : list
        The classes of the predictions, in their order; empty for regression.
    estimated : list
        The classes that `estimator` takes, those of the holdout too; empty of an earlier release, and for regression.
    """

    model: "Model"
    profile: Profile
    importance: dict[str, float]
    judged: Observed
    estimator: Estimator
    known: list[Any]
    estimated: list[Any] = field(default_factory=list)

    @property
    def classes(self) -> "NDArray[Any] | None":
        """The classes of the predictions; None for regression."""
        return np.asarray(self.known) if self.model.task == "classification" else None

    def estimate(self, rows: pd.DataFrame, answers: "Floats") -> float:
        """The expected metric of predictions of the version that is monitored; NaN where it cannot be estimated."""
        if self.classes is None or not len(rows):
            return self.estimator.estimate(rows, answers)
        wanted, curves = np.asarray(self.estimated or self.known), len(self.estimator.learnt.curves)
        if not self.fits(answers) or curves not in (0, 1 if len(wanted) == 2 else len(wanted)):
            return math.nan  # by an earlier release, from a version that knew other classes
        return self.estimator.estimate(rows, fitting.aligned(answers, self.classes, wanted))

    def fits(self, answers: "Floats") -> bool:
        """Whether predictions are of these classes; those of a refit need not be in references of earlier releases."""
        return self.classes is None or answers.shape[1] == len(self.classes)

    def dump(self) -> str:
        """As JSON."""
        return json.dumps(
            {
                "profile": self.profile.dump(),
                "importance": self.importance,
                "judged": self.judged.dump(),
                "estimator": self.estimator.dump(),
                "known": self.known,
                "estimated": self.estimated,
            }
        )

    @classmethod
    def parse(cls, model: "Model", text: str) -> "Reference":
        """Read what `dump` wrote."""
        fields = json.loads(text)
        return cls(
            model,
            _parsed(fields["profile"]),
            fields["importance"],
            Observed.parse(fields["judged"]),
            Estimator.parse(model, fields["estimator"]),
            fields["known"],
            fields.get("estimated", []),
        )


def name_of(kept: str, known: Collection[str]) -> str:
    """The profiled column for a stored name, given the known columns.

    Earlier releases stored the prediction under a name that a user's column can have.
    """
    return PREDICTION if kept == _BEFORE and _BEFORE not in known else kept


def _parsed(fields: Any) -> Profile:
    stored = Profile.parse(fields)
    if PREDICTION in stored.columns:
        return stored
    return replace(stored, columns={name_of(name, ()): column for name, column in stored.columns.items()})


def kinds(model: "Model") -> dict[str, "Kind"]:
    """The columns that are profiled, and their kinds."""
    assert model.target_kind is not None
    label: Kind = "category" if model.task == "classification" else model.target_kind
    return {**model.features, model.target: label, PREDICTION: "number"}


def build(snapshot: Snapshot, registry: Registry, judged: Version, promoted: Version | None = None) -> Reference:
    """Build the reference of a judged version from its training snapshot.

    Parameters
    ----------
    snapshot : Snapshot
    registry : Registry
    judged : Version
    promoted : Version, optional
        Its refit, whose predictions are monitored; it may know other classes.
    """
    model, split, estimator = snapshot.model, split_of(judged), registry.load(judged)
    rows = snapshot.labelled(split.train_from, split.holdout_until)
    holdout = rows[rows[model.time] >= split.holdout_from].reset_index(drop=True)
    predictions = shown = fitting.predict(model, estimator, holdout)
    classes = None if model.task == "regression" else np.asarray(estimator.classes_)
    labels = fitting.target(model, holdout)
    known = classes if classes is None or promoted is None else np.asarray(registry.load(promoted).classes_)
    all_classes = None if classes is None or known is None else np.unique(np.concatenate([labels, classes, known]))
    target = labels if all_classes is None else np.searchsorted(all_classes, labels)
    aligned = predictions
    if classes is not None and known is not None and all_classes is not None:
        aligned = fitting.aligned(predictions, classes, all_classes)
        shown = aligned[:, all_classes == known[-1]]
    since = None if split.train_from is None else min(split.train_from, split.holdout_until - model.reference_span)
    counted = _profile(snapshot, rows, (since, split.holdout_until))
    return Reference(
        model,
        counted.beside(_answered(model, holdout, shown)),
        permutation_importance(model, estimator, holdout, target, all_classes),
        performance.observed(model, holdout, predictions, classes=classes),
        Estimator.fit(model, holdout, aligned, target),
        [] if known is None else known.tolist(),
        [] if all_classes is None else all_classes.tolist(),
    )


def _profile(snapshot: Snapshot, rows: pd.DataFrame, period: tuple[pd.Timestamp | None, pd.Timestamp]) -> Profile:
    """Features and label of all rows of the period, in bins of those whose label is known."""
    model, (since, until) = snapshot.model, period
    counted = {name: kind for name, kind in kinds(model).items() if name != PREDICTION}
    private = [name for name in counted if name in model.serving.private]
    bins = {name: bins_of(rows[name], kind, private=name in private) for name, kind in counted.items()}
    low = f"{column(model.time)} >= $since AND" if since is not None else ""
    source = f"(SELECT * FROM {ROWS} WHERE {low} {column(model.time)} < $until)"
    bounds = {name: at.to_pydatetime() for name, at in (("since", since), ("until", until)) if at is not None}
    sql = scan.sql(bins, counted, source, model.time, model.monitoring.unit)
    counts = scan.read(bins, snapshot.lake.query(model, sql, bounds, version=snapshot.version))
    return counts.without_single_rows(private)


def _answered(model: "Model", holdout: pd.DataFrame, predictions: "Floats") -> Profile:
    last = pd.Series(predictions.reshape(len(holdout), -1)[:, -1])
    bins = {PREDICTION: bins_of(last, "number")}
    units = ((holdout[model.time] - time_units.ORIGIN) // model.monitoring.unit).to_numpy()
    places, at = np.unique(units, return_inverse=True)
    starts = [time_units.ORIGIN + place * pd.Timedelta(model.monitoring.unit) for place in places]
    counted = profile.count(bins[PREDICTION], kind_of("number").numbers(last), at, len(places))
    return Profile(
        np.array([start.tz_localize(None) for start in starts], dtype="datetime64[us]"), {PREDICTION: counted}
    )


def store(registry: Registry, version: Version, reference: Reference) -> None:
    """Store a reference with its version."""
    registry.attach(version, ARTIFACT, reference.dump())


def load(registry: Registry, model: "Model", version: Version) -> Reference | None:
    """The stored reference of a version; None if there is none."""
    text = registry.text(version, ARTIFACT)
    return Reference.parse(model, text) if text else None


def window_source(model: "Model", version: str) -> str:
    """The rows from ``$since`` to ``$until`` with the predictions of one version, as a query in brackets."""
    key, period = columns(model.key), within(model.time)
    return f"""(
        SELECT {columns([model.time, *model.features, model.target], ROWS)}, {ANSWER} AS {quoted(PREDICTION)}
        FROM (SELECT * FROM {ROWS} WHERE {period}) AS {ROWS}
        LEFT JOIN (
            SELECT {key}, "_answers" FROM {PREDICTIONS} WHERE {period} AND "_version" = {literal(version)}
        ) USING ({key})
    )"""
