"""Registry sync: watches the registry, copies each new champion, checks the copy, and activates it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from evergreen.definition.loader import load as definition_of
from evergreen.definition.model import Model
from evergreen.definition.parsing import columns as parsing
from evergreen.errors import EvergreenError, LakeError
from evergreen.lake import audit_log
from evergreen.lake.lake import Lake
from evergreen.registry import model_store
from evergreen.registry.registry import Registry
from evergreen.registry.trusted import trusted_types
from evergreen.registry.version import CANARY, CHAMPION, SHADOW, Version
from serving import code_copy
from serving.inference import compiler, equivalence
from serving.inference.compiled_pipeline import Floats, Rows
from serving.inference.loaded_model import predictor_of
from serving.model_cache import ModelCache, ServingState, Spec

_KINDS = {"string": "category", "double": "number", "float": "number", "long": "integer", "integer": "integer"}
_WHOLE_EVERY = 10.0  # seconds after which models of which nothing has changed are looked at, too
_RETRY_AFTER = 60.0  # seconds until a version that failed is tried again
_KEPT_COPIES = 5  # copies kept of a model, so that a rollback needs no new copy
Alert = Callable[[str, str, str], object]


@dataclass
class RegistrySync:
    """Keeps the local copies in step with the registry.

    Attributes
    ----------
    copies : ModelCache
    registry : Registry
    lake : Lake
        Its audit log records each canary or shadow that is withdrawn.
    names : list of str
        The models to serve; all that have a champion if empty.
    alert : callable
        Called with a subject, a text and the model's name.
    """

    copies: ModelCache
    registry: Registry
    lake: Lake
    names: list[str]
    alert: Alert
    _refused: dict[tuple[str, str], float] = field(default_factory=dict)  # monotonic time of the refusal
    _alerted: set[tuple[str, str]] = field(default_factory=set)
    _recent: dict[str, list[str]] = field(default_factory=dict)
    _registry_down: bool = False
    _settled: dict[str, tuple[dict[str, str], int]] = field(default_factory=dict)  # aliases, when the state was set
    _looked_at_all: float = 0.0

    def run_once(self) -> None:
        """Update the copies from the registry. If a version cannot be copied, the previous one stays active.

        While the registry is unavailable, the service keeps using its copies.
        """
        try:
            for model, number, reason in self.copies.refusals():
                self._settled.pop(model, None)
                if self.copies.is_altered(model, number):
                    self._drop(model, number)
                else:
                    self._refuse(model, number, reason)
            assigned = self.registry.serving_aliases()
        except EvergreenError as error:
            if not self._registry_down:
                self.alert("the registry is unavailable; the service keeps using its local copies", str(error), "serve")
            self._registry_down = True
            return
        self._registry_down = False
        changes = self.copies.changes()
        self._update_changed(assigned, changes)
        for model in set(changes) - set(assigned):
            self._forget_if_retired(model)

    def _update_changed(self, assigned: dict[str, dict[str, str]], changes: dict[str, int]) -> None:
        """Update the models of which something has changed; after some seconds all, whose copies may be gone."""
        if time.monotonic() - self._looked_at_all > _WHOLE_EVERY:
            self._looked_at_all = time.monotonic()
            self._settled.clear()
        for model in filter(self._is_wanted, assigned):
            as_it_is = assigned[model], changes.get(model, 0)
            if self._settled.get(model) != as_it_is and not self._update(model, assigned[model]):
                self._settled[model] = as_it_is

    def _is_wanted(self, model: str) -> bool:
        return not self.names or model in self.names

    def _forget_if_retired(self, model: str) -> None:
        """Stop serving a model that a person has retired; that its champion is not found proves nothing."""
        state = self.copies.state(model)
        champion = self.registry.find(model, state.champion) if state else None
        if champion is not None and champion.retired_at is not None:
            self.copies.forget(model)

    def _update(self, model: str, aliases: dict[str, str]) -> bool:
        """Bring the copies of a model up to date; return whether there was, or will be, something to do."""
        now = self.copies.state(model)
        wanted = self._target_state(model, aliases, now)
        if wanted is None or wanted == now:
            times = [at for (refused, _), at in self._refused.items() if refused == model]
            return any(time.monotonic() - at < _RETRY_AFTER for at in times)  # which is tried again
        self.copies.set_state(model, wanted)
        used = [number for number in (wanted.before, wanted.champion, wanted.canary, wanted.shadow) if number]
        recent = [number for number in self._recent.get(model, []) if number not in used]
        self._recent[model] = [*recent, *used][-_KEPT_COPIES:]
        self.copies.prune(model, set(self._recent[model]))
        return True

    def _target_state(self, model: str, aliases: dict[str, str], now: ServingState | None) -> ServingState | None:
        """The state that the registry asks for, restricted to versions that are copied and work."""
        champion, before = aliases[CHAMPION], now.champion if now else None
        if now and champion == now.champion:
            before = now.before
        if not self._copied(model, champion):
            if before is None:
                return now
            champion, before = before, None
        canary, shadow = (aliases.get(alias) for alias in (CANARY, SHADOW))
        canary = canary if canary and self._fits(model, canary, champion) else None
        shadow = (
            shadow if shadow and self._fits(model, shadow, champion) and self._log_is_complete(model, shadow) else None
        )
        return ServingState(champion, canary, float(aliases["share"]) if canary else 0.0, shadow, before)

    def _copied(self, model: str, number: str) -> bool:
        """Copy a version unless a copy exists; return whether the copy works."""
        if time.monotonic() - self._refused.get((model, number), -_RETRY_AFTER) < _RETRY_AFTER:
            return False
        try:
            if not self.copies.has(model, number):
                version = self.registry.version(model, number)
                self.copies.add(model, number, lambda folder: copy_version(self.registry, version, folder))
                self._announce(model, number)
        except Exception as error:  # any error of an estimator: the previous version stays active
            self._refuse(model, number, f"{type(error).__name__}: {error}")
            return False
        return True

    def _drop(self, model: str, number: str) -> None:
        """Delete an altered copy, so that it is made again from the registry."""
        self.copies.remove(model, number)
        self.alert(
            f"the local copy of version {number} was altered",
            "It was not loaded, and is made again from the registry. Find out who can write to the home.",
            model,
        )

    def _announce(self, model: str, number: str) -> None:
        """Let the workers load a copy that their state names already, because the copy before it was altered."""
        state = self.copies.state(model)
        if state and number in (state.champion, state.canary):
            self.copies.set_state(model, state)

    def _fits(self, model: str, number: str, champion: str) -> bool:
        """Whether a version can predict the champion's requests."""
        if number == champion:  # it was promoted, so its online evaluation ends
            self.registry.withdraw(model, CANARY, SHADOW)
            return False
        if not self._copied(model, number):
            return False
        reason = self.copies.spec(model, number).incompatibility(self.copies.spec(model, champion))
        if reason:
            self._refuse(model, number, reason)
        return not reason

    def _log_is_complete(self, model: str, number: str) -> bool:
        """Whether the log, from which a shadow predicts, holds all its features unmasked."""
        spec = self.copies.spec(model, number)
        hidden = sorted(set(spec.private) & set(spec.features))
        if hidden:
            self._refuse(model, number, f"a shadow predicts from the log, where {', '.join(hidden)} is masked")
        return not hidden

    def _refuse(self, model: str, number: str, reason: str) -> None:
        self._refused[model, number] = time.monotonic()
        assigned = self.registry.serving_aliases().get(model, {})
        aliases = [alias for alias in (CANARY, SHADOW) if assigned.get(alias) == number]
        if aliases:
            try:
                audit_log.challenge(self.lake, model, number, "no more", reason=reason)
            except LakeError as error:  # protecting callers matters more than the record
                reason = f"{reason} The audit log could not record it: {error}"
            self.registry.withdraw(model, *aliases)
            del self._refused[model, number]  # allows a person to try it again
            self.alert(f"version {number} is withdrawn as {' and '.join(aliases)}", reason, model)
        elif (model, number) not in self._alerted:
            self._alerted.add((model, number))
            self.alert(f"version {number} cannot predict; the previous version stays active", reason, model)


def copy_version(store: Registry, version: Version, folder: Path) -> Spec:
    """Copy a version's estimator into a folder, load it from there, and predict its input example.

    Raises
    ------
    Exception
        Whatever loading or predicting raises: the version cannot be served.
    """
    path = store.path(version)
    data = model_store.verified(version, path)
    (folder / model_store.ESTIMATOR).write_bytes(data)
    also, model = store.trusted(version), definition_of(version.model)
    estimator, trusted = model_store.loaded(data, Path(path), also, str(version)), trusted_types(data, also)
    code_copy.add(data, folder)
    features = _features(model, path)
    example = _rows(model_store.input_example(path)[list(features)])
    predict = predictor_of(estimator, model.name, model.task, features, model.timezone, model.serving.private)
    answers = predict(example)
    if not np.isfinite(answers).all():
        raise ValueError("its predictions for its input example are not all finite")
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
        parsing=parsing.stored(model.parsing),
        time=model.time,
        classes=classes,
        likeliest=likeliest,
        example=example,
        answers=answers.tolist(),
        trusted=trusted,
        private=dict(model.serving.private),
        compiled=_compiled(estimator, features, predict, example, folder) if classes is None or likeliest else None,
    )


def _compiled(
    estimator: Any, features: dict[str, str], predict: Callable[[Rows], Floats], example: Rows, folder: Path
) -> float | None:
    """Compile an estimator into a folder if the predictions agree; return the largest difference, or None."""
    for pipeline in compiler.candidates(estimator, features):
        difference = equivalence.difference(pipeline, predict, features, example)
        if equivalence.agrees(pipeline, difference):
            pipeline.save(folder)
            return difference
    return None


def _features(model: Model, path: str) -> dict[str, str]:
    """The version's features. Kinds are as declared, or from its signature for columns no longer declared."""
    inputs = model_store.stored_signature(path).inputs
    stored = dict(zip(inputs.input_names(), inputs.input_types(), strict=True))
    return {name: model.columns.get(name) or _KINDS.get(kind.name, kind.name) for name, kind in stored.items()}


def _beside(model: Model) -> dict[str, str]:
    """Columns that a request may send besides the features: all declared columns but the label."""
    label = {model.target, model.label_time}
    return {name: kind for name, kind in model.columns.items() if name not in label}


def _rows(example: Any) -> list[list[Any]]:
    """The rows of a frame in the form of a request: plain values, times as text, None for missing values."""
    plain = example.astype("object").where(example.notna(), None)
    return [[_plain(value) for value in row] for row in plain.to_numpy().tolist()]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return value.item() if isinstance(value, np.generic) else value


def _likeliest(estimator: Any) -> bool:
    """Whether the predicted class is the one with the highest probability; false for a tuned decision threshold."""
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    return hasattr(estimator, "predict_proba") and "Threshold" not in type(last).__name__
