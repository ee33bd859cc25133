"""The keeper: watches the registry, copies each new champion, proves the copy, and lets it answer."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from evergreen.definition.loader import load as definition_of
from evergreen.definition.model import Model
from evergreen.errors import EvergreenError, LakeError
from evergreen.lake import audit_log
from evergreen.lake.lake import Lake
from evergreen.registry import model_store
from evergreen.registry.registry import Registry
from evergreen.registry.version import CANARY, CHAMPION, SHADOW, Version
from serving.inference import compiler, equivalence
from serving.inference.compiled_pipeline import Floats, Rows
from serving.inference.loaded_model import own
from serving.model_cache import ModelCache, ServingState, Spec

_KINDS = {"string": "category", "double": "number", "float": "number", "long": "integer", "integer": "integer"}
_RETRY_AFTER = 60.0  # seconds until a version that could not answer is tried again
_KEPT_COPIES = 5  # copies of a model, so that a rollback finds its version there
Alert = Callable[[str, str, str], object]


@dataclass
class RegistrySync:
    """Keeps the local copies as the registry has them.

    Attributes
    ----------
    copies : ModelCache
    registry : Registry
    lake : Lake
        Whose audit log tells of a canary or shadow that is taken back.
    names : list of str
        The models to serve; all that have a champion if empty.
    alert : callable
        Given a subject, a text and the model's name.
    """

    copies: ModelCache
    registry: Registry
    lake: Lake
    names: list[str]
    alert: Alert
    _refused: dict[tuple[str, str], float] = field(default_factory=dict)  # when, by the monotonic clock
    _alerted: set[tuple[str, str]] = field(default_factory=set)
    _recent: dict[str, list[str]] = field(default_factory=dict)
    _registry_down: bool = False

    def run_once(self) -> None:
        """Bring copies and registry together; what cannot be copied leaves the old one answering.

        While the registry is away, what was copied goes on answering.
        """
        try:
            for model, number, reason in self.copies.refusals():
                self._refuse(model, number, reason)
            found = self.registry.answering()
        except EvergreenError as error:
            if not self._registry_down:
                self.alert("the registry is away; the service goes on with its copies", str(error), "serve")
            self._registry_down = True
            return
        self._registry_down = False
        for model, told in found.items():
            if not self.names or model in self.names:
                self._follow(model, told)

    def _follow(self, model: str, told: dict[str, str]) -> None:
        now = self.copies.state(model)
        wanted = self._target_state(model, told, now)
        if wanted is None or wanted == now:
            return
        self.copies.set_state(model, wanted)
        used = [one for one in (wanted.before, wanted.champion, wanted.canary, wanted.shadow) if one]
        recent = [one for one in self._recent.get(model, []) if one not in used]
        self._recent[model] = [*recent, *used][-_KEPT_COPIES:]
        self.copies.prune(model, set(self._recent[model]))

    def _target_state(self, model: str, told: dict[str, str], now: ServingState | None) -> ServingState | None:
        """What is to answer, as far as it is copied and can."""
        champion, before = told[CHAMPION], now.champion if now else None
        if now and champion == now.champion:
            before = now.before
        if not self._copied(model, champion):
            if before is None:
                return now
            champion, before = before, None
        canary, shadow = (told.get(alias) for alias in (CANARY, SHADOW))
        canary = canary if canary and self._fits(model, canary, champion) else None
        shadow = (
            shadow if shadow and self._fits(model, shadow, champion) and self._log_is_complete(model, shadow) else None
        )
        return ServingState(champion, canary, float(told["share"]) if canary else 0.0, shadow, before)

    def _copied(self, model: str, number: str) -> bool:
        """Copy a version unless it is there; False where it cannot answer."""
        if time.monotonic() - self._refused.get((model, number), -_RETRY_AFTER) < _RETRY_AFTER:
            return False
        try:
            if not self.copies.has(model, number):
                version = self.registry.version(model, number)
                self.copies.add(model, number, lambda folder: copy_version(self.registry, version, folder))
        except Exception as error:  # of any estimator: the old version goes on answering
            self._refuse(model, number, f"{type(error).__name__}: {error}")
            return False
        return True

    def _fits(self, model: str, number: str, champion: str) -> bool:
        """Whether a version can answer what the champion is asked."""
        if number == champion:  # it has taken over: its trial is at its end
            self.registry.withdraw(model, CANARY, SHADOW)
            return False
        if not self._copied(model, number):
            return False
        unlike = self.copies.spec(model, number).incompatibility(self.copies.spec(model, champion))
        if unlike:
            self._refuse(model, number, unlike)
        return not unlike

    def _log_is_complete(self, model: str, number: str) -> bool:
        """Whether the log, from which a shadow answers, has all that it takes."""
        spec = self.copies.spec(model, number)
        hidden = sorted(set(spec.private) & set(spec.features))
        if hidden:
            self._refuse(model, number, f"a shadow answers from the log, which has {', '.join(hidden)} not as it came")
        return not hidden

    def _refuse(self, model: str, number: str, reason: str) -> None:
        self._refused[model, number] = time.monotonic()
        told = self.registry.answering().get(model, {})
        aliases = [alias for alias in (CANARY, SHADOW) if told.get(alias) == number]
        if aliases:
            try:
                audit_log.challenge(self.lake, model, number, "no more", reason=reason)
            except LakeError as error:  # callers come before the record
                reason = f"{reason} The audit log does not tell of it: {error}"
            self.registry.withdraw(model, *aliases)
            del self._refused[model, number]  # a person may try it again
            self.alert(f"version {number} is taken back, it is no {' nor '.join(aliases)} any more", reason, model)
        elif (model, number) not in self._alerted:
            self._alerted.add((model, number))
            self.alert(f"version {number} cannot answer; the one before it goes on", reason, model)


def copy_version(store: Registry, version: Version, folder: Path) -> Spec:
    """Copy a version's estimator into a folder, load it from there, and ask it for its example's answers.

    Raises
    ------
    Exception
        Whatever loading or asking it raises: it cannot answer.
    """
    path = store.path(version)
    shutil.copyfile(Path(path) / model_store.ESTIMATOR, folder / model_store.ESTIMATOR)
    trusted = model_store.stored_types(path)
    estimator, model = model_store.revived(folder, trusted), definition_of(version.model)
    features = _features(model, path)
    example = _rows(model_store.input_example(path)[list(features)])
    ask = own(estimator, model.name, model.task, features, model.timezone)
    answers = ask(example)
    if not np.isfinite(answers).all():
        raise ValueError("its answers to its input example are not all finite")
    likeliest = _likeliest(estimator)
    classes = None if model.task == "regression" else np.asarray(estimator.classes_).tolist()
    return Spec(
        model=model.name,
        number=version.number,
        task=model.task,
        features=features,
        beside={name: kind for name, kind in _beside(model).items() if name not in features},
        key=model.key,
        target=model.columns[model.target],
        timezone=model.timezone,
        classes=classes,
        likeliest=likeliest,
        example=example,
        answers=answers.tolist(),
        trusted=trusted,
        private=dict(model.serving.private),
        compiled=_compiled(estimator, features, ask, example, folder) if classes is None or likeliest else None,
    )


def _compiled(
    estimator: Any, features: dict[str, str], ask: Callable[[Rows], Floats], example: Rows, folder: Path
) -> float | None:
    """Compile an estimator into a folder if that answers alike; the greatest difference that was found."""
    made = compiler.compiled(estimator, features)
    if made is None:
        return None
    apart = equivalence.difference(made, ask, features, example)
    if apart > equivalence.AGREED:
        return None
    made.save(folder)
    return apart


def _features(model: Model, path: str) -> dict[str, str]:
    """What the version was fitted on: kinds as declared, or as its signature has what is declared no more."""
    inputs = model_store.stored_signature(path).inputs
    stored = dict(zip(inputs.input_names(), inputs.input_types(), strict=True))
    return {name: model.columns.get(name) or _KINDS.get(kind.name, kind.name) for name, kind in stored.items()}


def _beside(model: Model) -> dict[str, str]:
    """What a request may send beside the features: all that is declared but the label."""
    label = {model.target, model.label_time}
    return {name: kind for name, kind in model.columns.items() if name not in label}


def _rows(example: Any) -> list[list[Any]]:
    """A frame as a request gives it: plain values, a time as text, None where one is missing."""
    plain = example.astype("object").where(example.notna(), None)
    return [[_plain(one) for one in row] for row in plain.to_numpy().tolist()]


def _plain(one: Any) -> Any:
    if isinstance(one, datetime):
        return one.isoformat()
    return one.item() if isinstance(one, np.generic) else one


def _likeliest(estimator: Any) -> bool:
    """Whether the class predicted is that of the highest probability; not so where a threshold was chosen."""
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    return hasattr(estimator, "predict_proba") and "Threshold" not in type(last).__name__
