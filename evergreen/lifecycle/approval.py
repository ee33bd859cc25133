"""Approval: a person's permission to promote a version that has passed its gates."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

import pandas as pd

from evergreen.errors import PromotionError
from evergreen.gates.judgement import Judgement
from evergreen.lake import audit_log
from evergreen.lake.audit_log import Line
from evergreen.registry.registry import Registry
from evergreen.registry.version import Version
from evergreen.settings import FOUR_EYES, four_eyes

if TYPE_CHECKING:
    from evergreen.definition.model import Model
    from evergreen.stores import Stores

State = Literal["not asked", "waiting", "approved", "refused", "lapsed", "superseded"]


@dataclass(frozen=True)
class Approval:
    """The state of a version's approval.

    Attributes
    ----------
    version : Version
    state : str
        ``"not asked"``, ``"waiting"``, ``"approved"``, ``"refused"``, ``"lapsed"`` or ``"superseded"``.
    judged : str
        The version whose verdict led to the request.
    until : str
        When the request lapses; ISO 8601.
    by, reason : str
        The person who answered, and why; of a superseded request, the version that replaced it.
    """

    version: Version
    state: State
    judged: str = ""
    until: str = ""
    by: str = ""
    reason: str = ""

    @property
    def sentence(self) -> str:
        """The state of the approval, in words."""
        phrases = {
            "waiting": f"is pending approval until {self.until[:16].replace('T', ' ')} UTC",
            "approved": f"was approved by {self.by}: {self.reason}",
            "refused": f"was refused by {self.by}: {self.reason}",
            "lapsed": f"was not answered by {self.until[:16].replace('T', ' ')} UTC, and the request has lapsed",
            "superseded": f"was superseded by version {self.by} before it was answered",
        }
        return f"{self.version} {phrases.get(self.state, 'was not proposed by any verdict')}"


def approval_of(version: Version, as_of: pd.Timestamp | None = None) -> Approval:
    """The approval of a version at a time; without a time, no request has lapsed."""
    state: State = version.approval or "not asked"  # type: ignore[assignment]
    until = version.approval_until
    if state == "waiting" and until is not None and as_of is not None and as_of > until:
        state = "lapsed"
    return Approval(
        version,
        state,
        judged=version.approval_judged,
        until="" if until is None else until.isoformat(),
        by=version.approval_by,
        reason=version.approval_reason,
    )


def pending_approval(versions: list[Version], as_of: pd.Timestamp | None = None) -> Approval | None:
    """The pending approval among the versions of a model, if there is one."""
    approvals = (approval_of(version, as_of) for version in versions)
    return next((approval for approval in approvals if approval.state == "waiting"), None)


def last_request(versions: list[Version], as_of: pd.Timestamp) -> Approval | None:
    """The request for approval that needs a person: the pending one, or that of the last training, if it has lapsed.

    Parameters
    ----------
    versions : list of Version
        All of a model, newest first.
    as_of : Timestamp
    """
    pending = pending_approval(versions, as_of)
    last = next((version.number for version in versions if not version.refit_of), "")
    lapsed = (
        approval for approval in (approval_of(version, as_of) for version in versions) if approval.state == "lapsed"
    )
    return pending or next((request for request in lapsed if last in (request.version.number, request.judged)), None)


def request_approval(
    registry: Registry, version: Version, judged: Judgement, as_of: pd.Timestamp, within: timedelta
) -> Approval:
    """Request approval for a version; the request replaces a pending one of the model."""
    for pending in registry.versions(version.model, approval="waiting"):
        if pending.number != version.number:
            registry.tag(pending, approval="superseded", approval_by=version.number)
    registry.tag(version, approval_until=as_of + within, approval_judged=judged.version, approval="waiting")
    return approval_of(registry.version(version.model, version.number), as_of)


def open_request(registry: Registry, name: str, number: str, as_of: pd.Timestamp) -> Approval:
    """The approval request that a person is to answer.

    Parameters
    ----------
    registry : Registry
    name, number : str
        The number or alias of the version, or of the judged version that it is a refit of; empty for the
        pending one.
    as_of : Timestamp

    Raises
    ------
    PromotionError
        No request is pending, or the request for this version is closed.
    RegistryError
        There is no such version.
    """
    versions = registry.versions(name)
    pending = pending_approval(versions, as_of)
    if not number:
        if pending is None:
            raise PromotionError(f"No version of {name} is pending approval. `evergreen models {name}` lists them.")
        return pending
    named = registry.version(name, number)
    related = [version for version in versions if named.number in (version.number, version.approval_judged)]
    approvals = [approval_of(version, as_of) for version in related]
    requests = [approval for approval in approvals if approval.state != "not asked"]
    answerable = next((request for request in requests if request.state in ("waiting", "approved")), None)
    if answerable is None:
        closed = (requests or [approval_of(named, as_of)])[0]
        raise PromotionError(f"{closed.sentence}; there is no open request. `evergreen train {name}` creates one.")
    return answerable


def starters(stores: "Stores", version: Version, judged: str) -> list[str]:
    """The persons who requested the training of a version, its online evaluation or its approval, by the audit log.

    Parameters
    ----------
    stores : Stores
    version : Version
    judged : str
        The version whose verdict led to the request for approval; empty for none.
    """
    subjects = {version.number, version.refit_of, judged} - {""}
    lines = [line for line in audit_log.read(stores.lake, version.model) if line.by and line.subject in subjects]
    return sorted({line.by for line in lines if line.act in ("verdict", "challenge") or _asks(line)})


def _asks(line: Line) -> bool:
    """Whether a line of the audit log asks for an approval; others of the kind answer one."""
    return line.act == "approval" and line.details.get("state") == "asked for"


def check_second(stores: "Stores", request: Approval, *persons: str) -> None:
    """Make sure that who approves a version is not who requested it, where the settings ask for four eyes.

    An approval that is recorded is not asked for again: a promotion that was interrupted goes on.

    Parameters
    ----------
    stores : Stores
    request : Approval
    *persons : str
        All names of who approves it.

    Raises
    ------
    PromotionError
        They are the same person.
    """
    if not four_eyes() or request.state == "approved":
        return
    for who in starters(stores, request.version, request.judged):
        if who in persons:
            raise PromotionError(
                f"{request.version} was requested by {who}, and {FOUR_EYES} asks for two persons: somebody else "
                "approves it."
            )


def record_answer(registry: Registry, version: Version, approved: bool, reason: str, by: str) -> Approval:
    """Record a person's answer to an approval request."""
    state: State = "approved" if approved else "refused"
    registry.tag(version, approval_by=by, approval_reason=reason, approval=state)
    return Approval(version, state, version.approval_judged, by=by, reason=reason)


def permit(model: "Model", version: Version, judged: Judgement) -> None:
    """Check that a model which requires approval has it for this version and this verdict.

    Raises
    ------
    PromotionError
        The version is not approved.
    """
    approved = version.approved and version.approval_judged == judged.version
    if model.policy.approval is not None and not approved:
        raise PromotionError(
            f"{version} is not approved, and the model file requires approval (policy.approval); it is not promoted. "
            f"Approve it with `evergreen approve {version} --reason ...`."
        )
