"""Approval: request it from a person where the model file requires it, and record the decision."""

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas import FlowRun
from prefect.client.schemas.filters import FlowFilter, FlowRunFilter
from prefect.states import Cancelled

from evergreen.definition import loader
from evergreen.errors import PromotionError
from evergreen.gates.judgement import Judgement, deciding_judgement
from evergreen.lifecycle import approval
from evergreen.lifecycle.approval import Approval
from evergreen.registry.version import Version
from evergreen.stores import Stores
from tasks.support.events import emit, log_action
from tasks.support.notifications import alert
from tasks.support.pages import every
from tasks.support.retries import DELAYS, is_unavailable


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=is_unavailable)
def request_approval(
    stores: Stores, version: Version, judged: Judgement, as_of: pd.Timestamp, by: str = ""
) -> Approval | None:
    """Request approval of a version, once; None if no approval is required or it is the champion already.

    The log has who asked for it, if a person did: a verdict of an earlier training may be used again.
    """
    definition, registry = loader.load(version.model), stores.registry
    champion = registry.champion(version.model)
    if definition.policy.approval is None or (champion and champion.number == version.number):
        return None
    current = approval.approval_of(version, as_of)
    known = current.judged == judged.version and current.state in ("waiting", "approved", "refused")
    if known and (current.state != "waiting" or registry.version(version.model, judged.version).settled):
        return current  # otherwise the request may have been interrupted before its event was emitted
    if not known:
        detail = {"judged": judged.version, "moment": as_of.isoformat()}
        seal = log_action(stores, "approval", version.model, version.number, as_of, by, state="asked for", **detail)
        registry.tag(version, approval_seal=seal)
        current = approval.request_approval(registry, version, judged, as_of, definition.policy.approval)
    close(version.model, "Superseded", f"{version} is pending approval instead.")
    _emit_waiting(stores, current, judged)
    todo = f"`evergreen approve {version} --reason ...` or `evergreen refuse {version} --reason ...`"
    evidence = f"models/{version.model}/versions/{version.number}"
    alert(
        "a new version is pending approval",
        f"{current.sentence}. {judged.verdict.reason} {todo}",
        version.model,
        evidence,
    )
    return current


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=is_unavailable)
def remind(stores: Stores, name: str, as_of: pd.Timestamp) -> None:
    """Emit the event of a pending approval again if no run is suspended for it: the event may have been lost."""
    registry = stores.registry
    pending = approval.pending_approval(registry.versions(name, approval="waiting"), as_of)
    if pending is not None and not _suspended(name):
        _emit_waiting(stores, pending, deciding_judgement(registry, registry.version(name, pending.judged)))


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=is_unavailable)
def record_answer(
    stores: Stores, request: Approval, approved: bool, reason: str, by: str, as_of: pd.Timestamp
) -> Approval:
    """Record a person's decision before acting on it; an approval cannot be refused afterwards.

    Raises
    ------
    PromotionError
        The version is refused, but was approved before.
    """
    if request.state == "approved" and approved:
        close(
            request.version.model, "Answered", f"{request.sentence}."
        )  # an interrupted call may have left the run suspended
        return request
    if request.state == "approved":
        todo = f"`evergreen rollback {request.version.model} --reason ...` undoes the promotion"
        raise PromotionError(f"{request.sentence}; it cannot be refused any more. {todo}.")
    version, state = request.version, "approved" if approved else "refused"
    detail = {"state": state, "reason": reason, "judged": request.judged}
    seal = log_action(stores, "approval", version.model, version.number, as_of, by, **detail)
    stores.registry.tag(version, approval_seal=seal)
    if not approved:
        emit(stores, "model.refused", version.model, {"version": version.number, "by": by, "reason": reason})
    decision = approval.record_answer(stores.registry, version, approved, reason, by)
    close(version.model, "Answered", f"{decision.sentence}.")
    return decision


def close(model: str, name: str, message: str) -> None:
    """Cancel the runs that are suspended in Prefect for an approval that is no longer needed."""
    with get_client(sync_client=True) as client:
        for run in _suspended(model):
            client.set_flow_run_state(run.id, Cancelled(name=name, message=message), force=True)


def _suspended(model: str) -> list[FlowRun]:
    """The runs that are suspended in Prefect for an approval of a model."""
    run_filter = FlowRunFilter.model_validate({"state": {"type": {"any_": ["PAUSED"]}}})
    flow_filter = FlowFilter.model_validate({"name": {"any_": ["approve"]}})
    with get_client(sync_client=True) as client:
        suspended = every(
            lambda offset: client.read_flow_runs(flow_filter=flow_filter, flow_run_filter=run_filter, offset=offset)
        )
    return [flow_run for flow_run in suspended if flow_run.parameters.get("model") == model]


def _emit_waiting(stores: Stores, pending: Approval, judged: Judgement) -> None:
    payload = {"version": pending.version.number, "replaces": judged.against, "until": pending.until}
    emit(stores, "model.waiting", pending.version.model, payload | {"reason": judged.verdict.reason})
