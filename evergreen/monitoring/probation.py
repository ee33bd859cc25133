"""Probation: a new champion compared with the one it replaced, on labels that arrived after its promotion."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from evergreen.errors import TrainingError, ran_out_of_memory
from evergreen.evaluation import comparison, performance
from evergreen.evaluation.bootstrap import Interval
from evergreen.registry.registry import Registry
from evergreen.registry.version import Version
from evergreen.training.recipe import trained_until
from evergreen.training.snapshot import Snapshot

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evergreen.definition.model import Model
    from evergreen.evaluation.performance import Realised


@dataclass(frozen=True)
class Probation:
    """The comparison of a champion with the version that it replaced, on the same rows.

    Attributes
    ----------
    against : str
        The version that it replaced.
    rows : int
        Labelled rows, later than the training rows of both.
    gain : Interval
        By how much the champion is better, paired by block, at the level of one check.
    state : {"worse", "holds", "unknown"}
    reason : str
    """

    against: str
    rows: int
    gain: Interval
    state: Literal["worse", "holds", "unknown"]
    reason: str


def watch(snapshot: Snapshot, registry: Registry, champion: Version, mature_until: pd.Timestamp) -> Probation | None:
    """Score a champion and the version that it replaced on the labels that have matured since.

    The champion is worse if the interval of the paired gain lies below what the gates tolerate,
    their `margin`; or if it cannot predict rows that the other one can. The error probability, the
    gates' `alpha`, holds for the whole probation: its checks, one a unit, share it (Bonferroni).

    Parameters
    ----------
    snapshot : Snapshot
    registry : Registry
    champion : Version
    mature_until : Timestamp
        Up to when labels are mature.

    Returns
    -------
    Probation or None
        None if the champion is not on probation.
    """
    model, before = snapshot.model, _replaced(registry, snapshot.model, champion, mature_until)
    if before is None:
        return None
    since = max(trained_until(champion), trained_until(before))
    until = max(since, min(mature_until, _end(model, champion)))
    ours, theirs = registry.load(champion), registry.load(before)
    rows = snapshot.labelled(since, until, also=comparison.extra_columns(model, [ours, theirs]))
    classes = None if model.task == "regression" else np.union1d(ours.classes_, theirs.classes_)
    own, problem = _scored(model, ours, rows, classes)
    other, obstacle = _scored(model, theirs, rows, classes)
    if own and other:
        return _judged(model, before, own, other)
    if other:  # nothing but its predictions can be at fault: the rows are the same
        reason = f"{problem}; version {before.number} has {model.metric.name} {other.value:.4g} on {len(rows):,} rows"
        return Probation(before.number, len(rows), Interval.unknown(), "worse", reason)
    return Probation(before.number, len(rows), Interval.unknown(), "unknown", f"version {before.number}: {obstacle}")


def _scored(
    model: "Model", estimator: Any, rows: pd.DataFrame, classes: "NDArray[Any] | None"
) -> "tuple[Realised | None, str]":
    """The performance on labelled rows; None, and why, if the estimator raises or a prediction is no number."""
    try:
        scored = performance.realised(model, estimator, rows, classes)
    except TrainingError as error:
        if ran_out_of_memory(error):
            raise
        return None, str(error)
    if scored.rows and not math.isfinite(scored.value):
        return None, f"{model.metric.name} is {scored.value} on {scored.rows:,} rows"
    return scored, ""


def _replaced(registry: Registry, model: "Model", champion: Version, mature_until: pd.Timestamp) -> Version | None:
    """The version to compare the champion with, until all labels of the probation are mature and evaluated.

    None if the policy has no probation, a person restored the champion, or its predecessor was
    itself rolled back.
    """
    if (
        not model.probation_window
        or champion.restored
        or mature_until >= _end(model, champion) + model.monitoring.window
    ):
        return None
    before = registry.previous(model.name)
    return before if before and before.number != champion.number and not before.rolled_back else None


def _end(model: "Model", champion: Version) -> pd.Timestamp:
    return champion.required(Version.promoted_at) + model.probation_window


def _judged(model: "Model", before: Version, ours: "Realised", theirs: "Realised") -> Probation:
    gates = model.gates
    if ours.rows < gates.min_rows or len(ours.blocks) < gates.min_blocks:
        required = f"at least {gates.min_rows} and {gates.min_blocks} are required"
        reason = f"{ours.rows:,} labelled rows in {len(ours.blocks)} blocks since version {before.number}; {required}"
        return Probation(before.number, ours.rows, Interval.unknown(), "unknown", reason)
    checks = max(model.probation_window / model.monitoring.unit, 1)
    gain = performance.gain(model, [ours], [theirs], 1 - 2 * gates.alpha / checks)
    tolerated = gates.margin * abs(theirs.value)
    scores = f"{model.metric.name} {ours.value:.4g} against {theirs.value:.4g} of version {before.number}"
    reason = f"{scores} on {ours.rows:,} rows, a gain of at most {gain.high:.4g}; {-tolerated:.4g} is tolerated"
    return Probation(before.number, ours.rows, gain, "worse" if gain.high < -tolerated else "holds", reason)
