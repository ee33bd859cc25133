"""Approval: a person's leave to promote a version that has passed its gates."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

import pandas as pd

from evergreen.errors import PromotionError
from evergreen.gates.judgement import Judgement
from evergreen.registry.registry import Registry
from evergreen.registry.version import Version

if TYPE_CHECKING:
    from evergreen.definition.model import Model

State = Literal["not asked", "waiting", "approved", "refused", "lapsed", "superseded"]


@dataclass(frozen=True)
class Leave:
    """How it stands with a version.

    Attributes
    ----------
    version : Version
    state : str
        ``"not asked"``, ``"waiting"``, ``"approved"``, ``"refused"``, ``"lapsed"`` or ``"superseded"``.
    judged : str
        The version whose verdict put it forward.
    until : str
        When the question lapses; ISO 8601.
    by, reason : str
        Of the person who answered; of a superseded one, the version that took its place.
    """

    version: Version
    state: State
    judged: str = ""
    until: str = ""
    by: str = ""
    reason: str = ""

    @property
    def sentence(self) -> str:
        """How it stands, in words."""
        told = {
            "waiting": f"waits for a person's leave until {self.until[:16].replace('T', ' ')} UTC",
            "approved": f"was approved by {self.by}: {self.reason}",
            "refused": f"was refused by {self.by}: {self.reason}",
            "lapsed": f"was not answered by {self.until[:16].replace('T', ' ')} UTC, and the question has lapsed",
            "superseded": f"was superseded by version {self.by} before anybody answered",
        }
        return f"{self.version} {told.get(self.state, 'was put forward by no verdict')}"


def leave(version: Version, as_of: pd.Timestamp | None = None) -> Leave:
    """How it stands with a version at a moment; without one, no question has lapsed."""
    state: State = version.approval or "not asked"  # type: ignore[assignment]
    until = version.approval_until
    if state == "waiting" and until is not None and as_of is not None and as_of > until:
        state = "lapsed"
    return Leave(
        version,
        state,
        judged=version.approval_judged,
        until="" if until is None else until.isoformat(),
        by=version.approval_by,
        reason=version.approval_reason,
    )


def waiting(versions: list[Version], as_of: pd.Timestamp | None = None) -> Leave | None:
    """The one of a model's versions that waits, if any does."""
    found = (leave(one, as_of) for one in versions)
    return next((one for one in found if one.state == "waiting"), None)


def ask(registry: Registry, version: Version, judged: Judgement, as_of: pd.Timestamp, within: timedelta) -> Leave:
    """Let a version wait for leave, in the place of any other of the model that waits."""
    for one in registry.versions(version.model, approval="waiting"):
        if one.number != version.number:
            registry.tag(one, approval="superseded", approval_by=version.number)
    registry.tag(version, approval_until=as_of + within, approval_judged=judged.version, approval="waiting")
    return leave(registry.version(version.model, version.number), as_of)


def asked(registry: Registry, name: str, number: str, as_of: pd.Timestamp) -> Leave:
    """What a person is to answer.

    Parameters
    ----------
    registry : Registry
    name, number : str
        The number or alias of the version, or of the judged one that it is a refit of; empty for the one
        that waits.
    as_of : Timestamp

    Raises
    ------
    PromotionError
        Nothing waits, or the version does not wait any more.
    RegistryError
        There is no such version.
    """
    versions = registry.versions(name)
    open_question = waiting(versions, as_of)
    if not number:
        if open_question is None:
            raise PromotionError(f"No version of {name} waits for leave. `evergreen models {name}` lists them.")
        return open_question
    named = registry.version(name, number)
    found = [leave(one, as_of) for one in versions if named.number in (one.number, one.approval_judged)]
    put_forward = [one for one in found if one.state != "not asked"]
    one = next((one for one in put_forward if one.state in ("waiting", "approved")), None)
    if one is None:
        told = (put_forward or [leave(named, as_of)])[0]
        raise PromotionError(f"{told.sentence}; there is nothing to answer. Train again to be asked again.")
    return one


def answer(registry: Registry, version: Version, approved: bool, reason: str, by: str) -> Leave:
    """Keep what a person answered."""
    state: State = "approved" if approved else "refused"
    registry.tag(version, approval_by=by, approval_reason=reason, approval=state)
    return Leave(version, state, version.approval_judged, by=by, reason=reason)


def permit(model: "Model", version: Version, judged: Judgement) -> None:
    """Make sure that a model which asks for leave has it for this version and this verdict.

    Raises
    ------
    PromotionError
        Nobody has approved it.
    """
    given = version.approved and version.approval_judged == judged.version
    if model.policy.approval is not None and not given:
        raise PromotionError(f"{version} has nobody's leave, which the model file asks for; it is not promoted.")
