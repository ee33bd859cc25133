"""Registry sync: watches the registry, copies each new champion, checks the copy, and activates it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from evergreen.definition.loader import code_of
from evergreen.definition.loader import load as definition_of
from evergreen.errors import EvergreenError, LakeError, RegistryError
from evergreen.lake import audit_log
from evergreen.lake.lake import Lake
from evergreen.registry.registry import Registry
from evergreen.registry.version import CANARY, CHAMPION, SHADOW
from serving.model_cache import AlteredCopyError, ModelCache, ServingState
from serving.process.version_copy import copy_version

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
    _alerted: set[tuple[str, str]] = field(default_factory=set)  # model and subject
    _privacy: dict[str, str] = field(default_factory=dict)  # the code whose private columns all copies have
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
            if self._settled.get(model) == as_it_is:
                continue
            try:
                if not self._update(model, assigned[model]):
                    self._settled[model] = as_it_is
            except RegistryError:  # which is away for all
                raise
            except Exception as error:  # the other models go on
                self._alert_once(model, "its local copies cannot be updated", f"{type(error).__name__}: {error}")

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
        again = self._follow_privacy(model) | self._is_due_again(model, now)
        wanted = self._target_state(model, aliases, now)
        if wanted is None or (wanted == now and not again):
            return any(refused == model for refused, _ in self._refused)  # which is tried again
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
        for alias, number in ((CANARY, canary), (SHADOW, shadow)):
            if number and number == aliases[CHAMPION]:  # it was promoted, so its online evaluation ends
                self.registry.withdraw(model, alias)
        canary = canary if canary and self._fits(model, canary, champion) else None
        shadow = (
            shadow if shadow and self._fits(model, shadow, champion) and self._log_is_complete(model, shadow) else None
        )
        return ServingState(champion, canary, float(aliases["share"]) if canary else 0.0, shadow, before)

    def _follow_privacy(self, model: str) -> bool:
        """Give the copies of a model the private columns that its model file has now; return whether any had others."""
        try:
            digest = code_of(model).digest
            if self._privacy.get(model) == digest:
                return False
            private = dict(definition_of(model).serving.private)
        except EvergreenError:  # a model is served as it was while its file is gone or does not run
            return False
        others = [number for number in self.copies.numbers(model) if self.copies.spec(model, number).private != private]
        for number in others:
            try:
                self.copies.change(model, number, private=private)
            except AlteredCopyError:
                self._drop(model, number)
        self._privacy[model] = digest
        return bool(others)

    def _is_due_again(self, model: str, now: ServingState | None) -> bool:
        """Whether the pause after a failure is over for a version that predicts, so that workers load it once more."""
        due = [
            (refused, number)
            for (refused, number), at in self._refused.items()
            if refused == model and time.monotonic() - at >= _RETRY_AFTER
        ]
        for version in due:
            del self._refused[version]
        return now is not None and bool({number for _, number in due} & {now.champion, now.canary})

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
        if number == champion or not self._copied(model, number):
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
        else:
            self._alert_once(model, f"version {number} cannot predict; the previous version stays active", reason)

    def _alert_once(self, model: str, subject: str, reason: str) -> None:
        if (model, subject) not in self._alerted:
            self._alerted.add((model, subject))
            self.alert(subject, reason, model)
