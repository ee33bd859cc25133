"""A trial: a challenger before its judges, with everything it is measured by."""

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
from evergreen.training.plan import split_of, trained_until
from evergreen.training.snapshot import Snapshot
from evergreen.training.split import Split

if TYPE_CHECKING:
    from evergreen.definition.model import Model

Given = Callable[[NDArray[Any] | None], dict[str, Floats]]


@dataclass(frozen=True)
class Candidate:
    """A fitted model, registered or not.

    Attributes
    ----------
    estimator
    path : str
        Where it is stored; empty in a replay, which stores none: nothing is asked of the store then.
    split : Split
        What it was to be trained on, and, of a challenger, what it is to be judged on.
    trained_until : Timestamp
        Just after the newest row that it was fitted on.
    """

    estimator: Any
    path: str
    split: Split
    trained_until: pd.Timestamp


@dataclass(frozen=True)
class Rivals:
    """Whom a challenger meets.

    Attributes
    ----------
    champion : Candidate or None
    earlier : dict of name to Candidate
        Earlier champions.
    gains : list of Gain
        Over this champion, of the challengers of the same model file that met it before, on rows
        that do not overlap.
    """

    champion: Candidate | None
    earlier: dict[str, Candidate]
    gains: list[Gain] = field(default_factory=list)


@dataclass(frozen=True)
class Trial:
    """What came of it: the evidence, and what the picture is drawn from."""

    evidence: Evidence
    target: NDArray[Any]
    predictions: dict[str, Floats]
    importance: Callable[[], dict[str, float]]


def candidate(registry: Registry, version: Version) -> Candidate:
    """A registered version as a candidate."""
    return Candidate(registry.load(version), registry.path(version), split_of(version), trained_until(version))


def rivals(
    registry: Registry,
    model: "Model",
    champion: Version | None,
    versions: list[Version],
    challenger: Version,
    since: pd.Timestamp | None = None,
) -> Rivals:
    """The champion, and among a model's versions the earlier champions that have not seen what is judged on.

    That begins at `since`; by default with the challenger's holdout.
    """
    start = split_of(challenger).holdout_from if since is None else since
    past = [one for one in versions if champion is None or one.number != champion.number]
    if since is not None:  # what is on trial may have been champion once
        past = [one for one in past if one.number != challenger.number]
    once = [version for version in past if version.promoted_at and not version.rolled_back]
    unseen = [one for one in once if trained_until(one) <= start][: model.policy.contenders]
    earlier = {f"version {one.number}": candidate(registry, one) for one in unseen}
    if champion is None:
        return Rivals(None, earlier)
    return Rivals(candidate(registry, champion), earlier, _gains(versions, champion, challenger, start))


def _gains(versions: list[Version], champion: Version, challenger: Version, before: pd.Timestamp) -> list[Gain]:
    """What challengers of the same model file gained over a champion on rows of their own, the newest first."""
    gains = []
    for version in versions:
        low, high = version.judged_from, version.judged_until
        same_file = version.model_file_hash == challenger.model_file_hash
        met = version.gain and version.judged_against == champion.number and same_file
        if met and low is not None and high is not None and high < before:
            gains.append(Gain.parse(version.gain))
            before = low
    return gains


def looks(versions: list[Version], since: pd.Timestamp, until: pd.Timestamp) -> int:
    """How many judgings have looked at rows of ``[since, until)`` before."""
    judged = [version for version in versions if version.decision]  # without one, a judging died on the way
    periods = [(version.judged_from, version.judged_until) for version in judged]
    periods += [period for version in versions for period in version.trial_periods]
    return sum(1 for low, high in periods if low is not None and high is not None and low < until and high >= since)


def hold(snapshot: Snapshot, challenger: Candidate, against: Rivals, looked: int) -> Trial:
    """Score everybody on the newest rows that none of them was trained on.

    Parameters
    ----------
    snapshot : Snapshot
        The challenger's own: what was known then.
    challenger : Candidate
    against : Rivals
    looked : int
        From `looks`.
    """
    model, split, champion = snapshot.model, challenger.split, against.champion
    whole = snapshot.labelled(split.holdout_from, split.holdout_until, also=asked_for(model, _champions(against)))
    start = max(split.holdout_from, champion.trained_until) if champion else split.holdout_from
    rows = whole[whole[model.time] >= start].reset_index(drop=True)
    overlap = int((whole[model.time] < challenger.trained_until).sum())
    return held(snapshot, challenger, against, rows, looks=looked, overlap=overlap)


def held(
    snapshot: Snapshot,
    challenger: Candidate,
    against: Rivals,
    rows: pd.DataFrame,
    *,
    looks: int,
    overlap: int = 0,
    given: Given | None = None,
    latency_ms: float | None = None,
) -> Trial:
    """Score everybody on rows.

    Parameters
    ----------
    snapshot : Snapshot
        Of the rows that the challenger was trained on.
    challenger, against : Candidate, Rivals
    rows : DataFrame
        Labelled, and seen by nobody.
    looks : int
        How often these rows were judged on before.
    overlap : int
        Rows that are no later than the newest that the challenger was fitted on.
    given : callable, optional
        From all classes in their order to answers that were given before, by name; only who has none is asked.
    latency_ms : float, optional
        As the service measured it; by default it is measured here.
    """
    model, champion = snapshot.model, against.champion
    train = snapshot.training(challenger.split)
    estimators = {"challenger": challenger.estimator, "dummy": fitting.dummy(model, train)}
    estimators |= {name: one.estimator for name, one in against.earlier.items()}
    estimators |= {"champion": champion.estimator} if champion else {}
    standing = champion.estimator if champion else None
    classes = _classes(model, estimators, rows)
    target = _target(model, rows, classes)
    told = given(classes) if given else {}
    asked = {name: one for name, one in estimators.items() if name not in told}
    answered, mute = _answers(model, asked, rows, classes)
    predictions = told | answered
    if latency_ms is None:
        latency_ms = _latency(model, challenger.estimator, train) if challenger.path else 0.0
    evidence = replace(
        evidences.compare(model, rows, target, predictions, looks=looks),
        overlap=overlap,
        latency_ms=latency_ms,
        champion_error=mute.get("champion", ""),
        separation=leakage.separation(model, train, _target(model, train, classes)),
        signature_changes=_changes(champion, challenger.path),
        reload_error=reload_error(challenger),
        size_mb=directory_size(challenger.path) if challenger.path else 0.0,
        disparities=fairness.disparities(model, rows, target, predictions["challenger"]),
        own=_own(model, challenger, standing, rows),
    )
    evidence = replace(evidence, earlier=_sound(against, evidence, predictions))
    evidence = evidences.carry(evidence, against.gains, model.gates)
    importance = partial(_importance, model, challenger.estimator, rows, target, classes)
    return Trial(evidence, target, predictions, importance)


def _own(model: "Model", challenger: Candidate, champion: Any, rows: pd.DataFrame) -> list[Check]:
    """What the model file's own gates say, each of rows of its own."""
    asked = model.gates.own if len(rows) else []
    return [check for own in asked for check in own_gates.asked_of(own, challenger.estimator, champion, rows.copy())]


def _sound(against: Rivals, evidence: Evidence, predictions: dict[str, Floats]) -> dict[str, Soundness]:
    """What else is asked of the earlier champions that beat the present one, before any of them comes back."""
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
    """The estimators that answer, or once did."""
    champion = [against.champion] if against.champion else []
    return [one.estimator for one in [*against.earlier.values(), *champion]]


def asked_for(model: "Model", estimators: list[Any]) -> list[str]:
    """Columns that estimators were fitted on, and the model file has no longer."""
    return sorted({name for one in estimators for name in fitting.seen_by(one)} - set(model.columns))


def refitted(model: "Model", judged: Any, again: Any, rows: pd.DataFrame) -> tuple[float, float]:
    """How a refit stands to the model that was judged, on the rows that only the refit has learnt.

    A refit that differs has either learnt what is new in these rows, and then answers them better, or
    has gone wrong.

    Returns
    -------
    apart, learnt : float
        Their `disagreement`, and the low end of the refit's gain; NaN for too few rows, or
        predictions that are no numbers.
    """
    if rows.empty:
        return math.inf, math.nan
    classes = _classes(model, {"judged": judged, "again": again}, rows)
    then, now = (_predict(model, one, rows, classes) for one in (judged, again))
    target = _target(model, rows, classes)
    blocks = Blocks.of(model, rows[model.time])
    ours, theirs = (blocks.sums(model.metric, target, one) for one in (now, then))
    learnt = bootstrap.gained(model.metric, ours, theirs, blocks.drawn, model.gates.level(0)).low
    return disagreement(model, rows, then, now), learnt


def disagreement(model: "Model", rows: pd.DataFrame, one: Floats, other: Floats) -> float:
    """How far two models' predictions lie apart on rows.

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
    apart = np.abs(one - other).mean()
    spread = float(np.std(fitting.target(model, rows))) or 1.0 if model.task == "regression" else 1.0
    return float(apart / spread) if np.isfinite(apart) else math.inf


def _classes(model: "Model", estimators: dict[str, Any], rows: pd.DataFrame) -> NDArray[Any] | None:
    """All classes that anybody knows, in order; the last of two is the positive one."""
    if model.task == "regression":
        return None
    return np.unique(np.concatenate([fitting.target(model, rows), *(one.classes_ for one in estimators.values())]))


def _target(model: "Model", rows: pd.DataFrame, classes: NDArray[Any] | None) -> NDArray[Any]:
    labels = fitting.target(model, rows)
    return labels if classes is None else np.searchsorted(classes, labels)


def _answers(
    model: "Model", estimators: dict[str, Any], rows: pd.DataFrame, classes: NDArray[Any] | None
) -> tuple[dict[str, Floats], dict[str, str]]:
    """Everybody's predictions, and why a champion of now or before gave none: on new data it may raise."""
    predictions, mute = {}, {}
    for name, one in estimators.items():
        try:
            predictions[name] = _predict(model, one, rows, classes)
        except TrainingError as error:
            if name in ("challenger", "dummy") or isinstance(error.__cause__, MemoryError):
                raise
            mute[name] = str(error)
    return predictions, mute


def _predict(model: "Model", estimator: Any, rows: pd.DataFrame, classes: NDArray[Any] | None) -> Floats:
    if rows.empty:
        return np.zeros((0,) if classes is None else (0, len(classes)))
    return fitting.predict(model, estimator, rows, classes)


def _importance(
    model: "Model", estimator: Any, rows: pd.DataFrame, target: NDArray[Any], classes: NDArray[Any] | None
) -> dict[str, float]:
    return {} if rows.empty else importances.permutation_importance(model, estimator, rows, target, classes)


def _changes(champion: Candidate | None, path: str) -> list[str] | None:
    """What a caller of the champion would trip over with the model at `path`."""
    if champion is None:
        return None
    if not path:
        return []
    old, new = stored_signature(champion.path), stored_signature(path)
    had = {one.name: one for one in old.inputs.inputs}
    wants = {one.name: one for one in new.inputs.inputs}
    changes = [f"{name} is new" for name in wants if name not in had]
    changes += [
        f"{name} was {had[name].type.name}, is {one.type.name}"
        for name, one in wants.items()
        if name in had and had[name].type != one.type
    ]
    return changes + ([] if old.outputs == new.outputs else [f"the output was {old.outputs}, is {new.outputs}"])


def reload_error(candidate: Candidate) -> str:
    """Empty if a fresh process that loads the stored model repeats what this one predicts."""
    if not candidate.path:
        return ""
    example = input_example(candidate.path)
    try:
        there = reload.helper().repeat(candidate.path)
        here = reload.asked(candidate.estimator, reload.typed(candidate.path, example))
    except Exception as error:
        return f"the stored model does not answer: {error}"
    if here.shape != there.shape:
        return f"here it answers {here.shape} values, in a fresh process {there.shape}"
    if not np.allclose(here, there, rtol=1e-9, atol=1e-12, equal_nan=True):
        return f"predictions differ by up to {np.max(np.abs(here - there)):.3g}"
    return ""


def _latency(model: "Model", estimator: Any, train: pd.DataFrame) -> float:
    one = train.tail(1)
    return evidences.latency(lambda: fitting.predict(model, estimator, one))
