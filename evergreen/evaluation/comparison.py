"""Gather the evidence: a challenger and its rivals predict the same rows, and are compared on them."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen.definition.gates import Check
from evergreen.definition.metrics import Floats
from evergreen.errors import TrainingError
from evergreen.evaluation import bootstrap, fairness, leakage, own_gates
from evergreen.evaluation import evidence as evidences
from evergreen.evaluation import importance as importances
from evergreen.evaluation.bootstrap import Blocks, Gain
from evergreen.evaluation.evidence import Evidence, Soundness
from evergreen.registry import reload
from evergreen.registry.model_store import directory_size, input_example, stored_signature
from evergreen.registry.registry import Registry
from evergreen.registry.version import Version
from evergreen.training import fitting
from evergreen.training.recipe import split_of, trained_until
from evergreen.training.snapshot import Snapshot
from evergreen.training.split import Split

if TYPE_CHECKING:
    from evergreen.definition.model import Model

LoggedPredictions = Callable[[NDArray[Any] | None], dict[str, Floats]]


@dataclass(frozen=True)
class Candidate:
    """A fitted model, registered or not.

    Attributes
    ----------
    estimator
    path : str
        Where it is stored; empty in a replay, which stores no models and skips the checks that need one.
    split : Split
        The periods of training and, for a challenger, of the holdout.
    trained_until : Timestamp
        Just after the newest row that it was fitted on.
    trusted : list of str
        Types that the stored model may have beside the default ones.
    """

    estimator: Any
    path: str
    split: Split
    trained_until: pd.Timestamp
    trusted: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Rivals:
    """The models that a challenger is compared with.

    Attributes
    ----------
    champion : Candidate or None
    earlier : dict of name to Candidate
        Earlier champions.
    gains : list of Gain
        Of earlier challengers of the same model file over this champion, on rows that do not
        overlap.
    """

    champion: Candidate | None
    earlier: dict[str, Candidate]
    gains: list[Gain] = field(default_factory=list)


@dataclass(frozen=True)
class Comparison:
    """The result of comparing models on the same rows: the evidence, and the data for its plot."""

    evidence: Evidence
    target: NDArray[Any]
    predictions: dict[str, Floats]
    importance: Callable[[], dict[str, float]]


def candidate(registry: Registry, version: Version) -> Candidate:
    """A registered version as a candidate."""
    path = registry.path(version)
    trusted = registry.trusted(version) if path else []
    return Candidate(registry.load(version), path, split_of(version), trained_until(version), trusted)


def rivals(
    registry: Registry,
    model: "Model",
    champion: Version | None,
    versions: list[Version],
    challenger: Version,
    since: pd.Timestamp | None = None,
) -> Rivals:
    """The champion, and the earlier champions that were not trained on the rows to judge on.

    These rows begin at `since`, by default the start of the challenger's holdout.
    """
    start = split_of(challenger).holdout_from if since is None else since
    others = [version for version in versions if champion is None or version.number != champion.number]
    if since is not None:  # the version in online evaluation may be an earlier champion
        others = [version for version in others if version.number != challenger.number]
    champions = [version for version in others if version.promoted_at and not version.rolled_back]
    unseen = [version for version in champions if trained_until(version) <= start][: model.policy.contenders]
    earlier = {f"version {version.number}": candidate(registry, version) for version in unseen}
    if champion is None:
        return Rivals(None, earlier)
    return Rivals(candidate(registry, champion), earlier, _gains(versions, champion, challenger, start))


def _gains(versions: list[Version], champion: Version, challenger: Version, before: pd.Timestamp) -> list[Gain]:
    """The gains of challengers of the same model file over a champion, on separate rows, newest first."""
    gains = []
    for version in versions:
        low, high = version.judged_from, version.judged_until
        same_file = version.model_file_hash == challenger.model_file_hash
        met = version.gain and version.judged_against == champion.number and same_file
        if met and low is not None and high is not None and high < before:
            gains.append(Gain.parse(version.gain))
            before = low
    return gains


def looks(versions: list[Version], since: pd.Timestamp, until: pd.Timestamp, *, first: bool = False) -> int:
    """How many earlier evaluations used rows of ``[since, until)``.

    For the `first` model, the settings count that were tried on these rows after earlier ones were not promoted: the
    present setting may have been chosen among them.
    """
    judged = [version for version in versions if version.decision]  # without one, the evaluation was interrupted
    times = [1 + version.settings_tried * first for version in judged]
    periods = [
        (version.judged_from, version.judged_until)
        for version, count in zip(judged, times, strict=True)
        for _ in range(count)
    ]
    periods += [period for version in versions for period in version.trial_periods]
    return sum(1 for low, high in periods if low is not None and high is not None and low < until and high >= since)


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
    predictions = logged | predicted
    if latency_ms is None:
        latency_ms = _latency(model, challenger.estimator, train) if challenger.path else 0.0
    evidence = replace(
        evidences.compare(model, rows, target, predictions, looks=looks),
        overlap=overlap,
        latency_ms=latency_ms,
        champion_error=errors.get("champion", ""),
        separation=leakage.separation(model, train, _target(model, train, classes)),
        signature_changes=_changes(champion, challenger.path),
        reload_error=reload_error(challenger),
        size_mb=directory_size(challenger.path) if challenger.path else 0.0,
        disparities=fairness.disparities(model, rows, target, predictions["challenger"]),
        own=_own(model, challenger, champion_estimator, rows),
    )
    evidence = replace(evidence, earlier=_sound(against, evidence, predictions))
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


def _sound(against: Rivals, evidence: Evidence, predictions: dict[str, Floats]) -> dict[str, Soundness]:
    """The further requirements for a reinstatement, of the earlier champions that are better than the present one."""
    better = [name for name, gain in evidence.earlier_over_champion.items() if gain.low > 0]
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
    champion = [against.champion] if against.champion else []
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
            if name in ("challenger", "dummy") or isinstance(error.__context__, MemoryError):
                raise
            errors[name] = str(error)
    return predictions, errors


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
