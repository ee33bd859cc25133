"""Gather the evidence: a challenger and its rivals predict the same rows, and are compared on them."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen.definition.gates import Check
from evergreen.definition.metrics import Floats
from evergreen.errors import TrainingError, ran_out_of_memory
from evergreen.evaluation import bootstrap, fairness, leakage, own_gates, performance
from evergreen.evaluation import evidence as evidences
from evergreen.evaluation import importance as importances
from evergreen.evaluation.bootstrap import Blocks, Interval
from evergreen.evaluation.evidence import Evidence, Soundness
from evergreen.evaluation.rivals import Candidate, Rivals
from evergreen.registry import reload
from evergreen.registry.model_store import directory_size, input_example, stored_signature
from evergreen.training import fitting
from evergreen.training.snapshot import Snapshot

if TYPE_CHECKING:
    from evergreen.definition.model import Model

_OURS = ("challenger", "dummy")  # all others are champions
LoggedPredictions = Callable[[NDArray[Any] | None], dict[str, Floats]]


@dataclass(frozen=True)
class Comparison:
    """The result of comparing models on the same rows: the evidence, and the data for its plot."""

    evidence: Evidence
    target: NDArray[Any]
    predictions: dict[str, Floats]
    importance: Callable[[], dict[str, float]]


def compare_on_holdout(snapshot: Snapshot, challenger: Candidate, against: Rivals, looked: int) -> Comparison:
    """Score all models on the newest rows that neither challenger nor champion was trained on.

    Parameters
    ----------
    snapshot : Snapshot
        The challenger's own snapshot.
    challenger : Candidate
    against : Rivals
    looked : int
        From `looks`.
    """
    model, split, champion = snapshot.model, challenger.split, against.champion
    whole = snapshot.labelled(split.holdout_from, split.holdout_until, also=extra_columns(model, _champions(against)))
    start = max(split.holdout_from, champion.trained_until) if champion else split.holdout_from
    rows = whole[whole[model.time] >= start].reset_index(drop=True)
    overlap = int((whole[model.time] < challenger.trained_until).sum())
    return compare_on_rows(snapshot, challenger, against, rows, looks=looked, overlap=overlap)


def compare_on_rows(
    snapshot: Snapshot,
    challenger: Candidate,
    against: Rivals,
    rows: pd.DataFrame,
    *,
    looks: int,
    overlap: int = 0,
    logged_predictions: LoggedPredictions | None = None,
    latency_ms: float | None = None,
) -> Comparison:
    """Score all models on these rows.

    Parameters
    ----------
    snapshot : Snapshot
        Of the rows that the challenger was trained on.
    challenger, against : Candidate, Rivals
    rows : DataFrame
        Labelled, and used in no training.
    looks : int
        How many earlier evaluations used these rows.
    overlap : int
        Rows that are no later than the newest that the challenger was fitted on.
    logged_predictions : callable, optional
        From all classes in their order to logged predictions by model name; only the other models predict now.
    latency_ms : float, optional
        As the service measured it; by default it is measured here.
    """
    model, champion = snapshot.model, against.champion
    train = snapshot.training(challenger.split)
    estimators = {"challenger": challenger.estimator, "dummy": fitting.dummy(model, train)}
    estimators |= {name: rival.estimator for name, rival in against.earlier.items()}
    estimators |= {"champion": champion.estimator} if champion else {}
    champion_estimator = champion.estimator if champion else None
    classes = _classes(model, estimators, rows)
    target = _target(model, rows, classes)
    logged = logged_predictions(classes) if logged_predictions else {}
    remaining = {name: estimator for name, estimator in estimators.items() if name not in logged}
    predicted, errors = _predictions(model, remaining, rows, classes)
    errors |= _not_finite(logged | predicted)
    predictions = {name: prediction for name, prediction in (logged | predicted).items() if name not in errors}
    if latency_ms is None:
        latency_ms = _latency(model, challenger.estimator, train) if challenger.path else 0.0
    evidence = replace(
        evidences.compare(model, rows, target, predictions, looks=looks),
        overlap=overlap,
        latency_ms=latency_ms,
        champion_error=errors.get("champion", ""),
        stand_in=against.stand_in,
        separation=leakage.separation(model, train, _target(model, train, classes)),
        signature_changes=_changes(champion, challenger.path),
        reload_error=reload_error(challenger),
        size_mb=directory_size(challenger.path) if challenger.path else 0.0,
        disparities=fairness.disparities(model, rows, target, predictions["challenger"]),
        own=_own(model, challenger, champion_estimator, rows),
    )
    better = [name for name, gain in evidence.earlier_over_champion.items() if gain.low > 0]
    evidence = replace(
        evidence,
        earlier=_sound(against, better, predictions),
        earlier_over_answering=_over_answering(model, against, better, rows, looks),
    )
    evidence = evidences.carry(evidence, against.gains, model.gates)
    importance = partial(_importance, model, challenger.estimator, rows, target, classes)
    return Comparison(evidence, target, predictions, importance)


def _own(model: "Model", challenger: Candidate, champion: Any, rows: pd.DataFrame) -> list[Check]:
    """The checks of the custom gates in the model file, each called with its own copy of the rows."""
    gates, private = model.gates.own if len(rows) else [], model.serving.private
    return [
        check
        for own in gates
        for check in own_gates.checks_of(own, challenger.estimator, champion, rows.copy(), private=private)
    ]


def _over_answering(
    model: "Model", against: Rivals, better: list[str], rows: pd.DataFrame, looks: int
) -> dict[str, Interval]:
    """The gains of earlier champions over the champion itself, on rows that are newer than those it has seen.

    The version that takes its place is older by a holdout: who is better than that one may be worse than the champion.
    """
    if against.answering is None or not better:
        return {}
    gates, newer = model.gates, rows[rows[model.time] >= against.answering.trained_until].reset_index(drop=True)
    if len(newer) < gates.min_rows or Blocks.of(model, newer[model.time]).count < gates.min_blocks:
        return {}
    try:
        own = performance.realised(model, against.answering.estimator, newer)
        theirs = {name: performance.realised(model, against.earlier[name].estimator, newer) for name in better}
    except TrainingError:
        return {}
    level = gates.level(looks, len(better))
    gains = {name: performance.gain(model, [realised], [own], level) for name, realised in theirs.items()}
    return {name: gain for name, gain in gains.items() if math.isfinite(gain.low)}


def _sound(against: Rivals, better: list[str], predictions: dict[str, Floats]) -> dict[str, Soundness]:
    """The further requirements for a reinstatement, of the earlier champions that are better than the present one."""
    return {
        name: Soundness(
            finite=evidences.finite_share(predictions[name]),
            signature_changes=_changes(against.champion, against.earlier[name].path),
            reload_error=reload_error(against.earlier[name]),
        )
        for name in better
    }


def _champions(against: Rivals) -> list[Any]:
    """The estimators of the champion and of earlier champions."""
    champion = [present for present in (against.champion, against.answering) if present]
    return [rival.estimator for rival in [*against.earlier.values(), *champion]]


def extra_columns(model: "Model", estimators: list[Any]) -> list[str]:
    """Columns that estimators were fitted on and that are no longer in the model file."""
    return sorted({name for estimator in estimators for name in fitting.fitted_columns(estimator)} - set(model.columns))


def refitted(model: "Model", judged: Any, refit: Any, rows: pd.DataFrame) -> tuple[float, float]:
    """Compare a refit with the judged model, on the rows that only the refit was trained on.

    A refit that differs either was improved by these rows, and then predicts them better, or is
    faulty.

    Returns
    -------
    apart, learnt : float
        Their `disagreement`, and the lower bound of the refit's gain; NaN for too few rows, or
        predictions that are not finite.
    """
    if rows.empty:
        return math.inf, math.nan
    classes = _classes(model, {"judged": judged, "again": refit}, rows)
    old_prediction, new_prediction = (_predict(model, estimator, rows, classes) for estimator in (judged, refit))
    target = _target(model, rows, classes)
    blocks = Blocks.of(model, rows[model.time])
    ours, theirs = (blocks.sums(model.metric, target, prediction) for prediction in (new_prediction, old_prediction))
    gain_low = bootstrap.paired_gain(model.metric, ours, theirs, blocks.drawn, model.gates.level(0)).low
    return disagreement(model, rows, old_prediction, new_prediction), gain_low


def disagreement(model: "Model", rows: pd.DataFrame, predictions: Floats, other_predictions: Floats) -> float:
    """The distance of the predictions of two models.

    Parameters
    ----------
    model : Model
    rows : DataFrame (n,)
        With the target.
    one, other : array (n,) or (n, classes)

    Returns
    -------
    float
        For numbers the mean absolute difference in standard deviations of the target, for
        classes the mean absolute difference of the probabilities. Infinite for no rows or NaN.
    """
    if rows.empty:
        return math.inf
    apart = np.abs(predictions - other_predictions).mean()
    spread = float(np.std(fitting.target(model, rows))) or 1.0 if model.task == "regression" else 1.0
    return float(apart / spread) if np.isfinite(apart) else math.inf


def _classes(model: "Model", estimators: dict[str, Any], rows: pd.DataFrame) -> NDArray[Any] | None:
    """All classes of the labels and estimators, in order; the last of two is the positive one."""
    if model.task == "regression":
        return None
    known = [estimator.classes_ for estimator in estimators.values()]
    return np.unique(np.concatenate([fitting.target(model, rows), *known]))


def _target(model: "Model", rows: pd.DataFrame, classes: NDArray[Any] | None) -> NDArray[Any]:
    labels = fitting.target(model, rows)
    return labels if classes is None else np.searchsorted(classes, labels)


def predicted(model: "Model", estimators: dict[str, Any], rows: pd.DataFrame) -> tuple[NDArray[Any], dict[str, Floats]]:
    """The target as metrics take it, and the predictions of each estimator for the same rows and classes.

    Raises
    ------
    TrainingError
        One of them raised.
    """
    classes = _classes(model, estimators, rows)
    predictions = {name: _predict(model, estimator, rows, classes) for name, estimator in estimators.items()}
    return _target(model, rows, classes), predictions


def _predictions(
    model: "Model", estimators: dict[str, Any], rows: pd.DataFrame, classes: NDArray[Any] | None
) -> tuple[dict[str, Floats], dict[str, str]]:
    """The predictions by name, and the errors of champions that cannot predict these rows."""
    predictions, errors = {}, {}
    for name, estimator in estimators.items():
        try:
            predictions[name] = _predict(model, estimator, rows, classes)
        except TrainingError as error:
            if name in _OURS or ran_out_of_memory(error):
                raise
            errors[name] = str(error)
    return predictions, errors


def _not_finite(predictions: dict[str, Floats]) -> dict[str, str]:
    """Why champions cannot be compared with: a prediction that is no number leaves no score to compare."""
    asked = {name: each for name, each in predictions.items() if name not in _OURS}
    counts = {name: round((1 - evidences.finite_share(each)) * len(each)) for name, each in asked.items()}
    return {
        name: f"{count:,} of its {len(asked[name]):,} predictions are not finite"
        for name, count in counts.items()
        if count
    }


def _predict(model: "Model", estimator: Any, rows: pd.DataFrame, classes: NDArray[Any] | None) -> Floats:
    if rows.empty:
        return np.zeros((0,) if classes is None else (0, len(classes)))
    return fitting.predict(model, estimator, rows, classes)


def _importance(
    model: "Model", estimator: Any, rows: pd.DataFrame, target: NDArray[Any], classes: NDArray[Any] | None
) -> dict[str, float]:
    return {} if rows.empty else importances.permutation_importance(model, estimator, rows, target, classes)


def _changes(champion: Candidate | None, path: str) -> list[str] | None:
    """The changes in the signature of the model at `path` that break callers of the champion."""
    if champion is None:
        return None
    if not path:
        return []
    old, new = stored_signature(champion.path), stored_signature(path)
    before = {column.name: column for column in old.inputs.inputs}
    after = {column.name: column for column in new.inputs.inputs}
    changes = [f"{name} is new" for name in after if name not in before]
    changes += [
        f"{name} was {before[name].type.name}, is {column.type.name}"
        for name, column in after.items()
        if name in before and before[name].type != column.type
    ]
    return changes + ([] if old.outputs == new.outputs else [f"the output was {old.outputs}, is {new.outputs}"])


def reload_error(candidate: Candidate) -> str:
    """Empty if a fresh process that loads the stored model repeats what this one predicts."""
    if not candidate.path:
        return ""
    example = input_example(candidate.path)
    try:
        fresh = reload.helper().repeat(candidate.path, candidate.trusted)
        local = reload.outputs(candidate.estimator, reload.typed(candidate.path, example))
    except Exception as error:
        return f"the stored model cannot predict: {error}"
    if local.shape != fresh.shape:
        return f"it predicts {local.shape} values here, and {fresh.shape} in a fresh process"
    if not np.allclose(local, fresh, rtol=1e-9, atol=1e-12, equal_nan=True):
        return f"predictions differ by up to {np.max(np.abs(local - fresh)):.3g}"
    return ""


def _latency(model: "Model", estimator: Any, train: pd.DataFrame) -> float:
    row = train.tail(1)
    return evidences.latency(lambda: fitting.predict(model, estimator, row))
