"""Approve: ask for a person's leave where the model file wants it, and keep the answer."""

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowFilter, FlowRunFilter
from prefect.states import Cancelled

from evergreen import approval, model
from evergreen.approval import Leave
from evergreen.errors import PromotionError
from evergreen.judgement import Judgement
from evergreen.registry import Registry, Version
from tasks.alerting import alert
from tasks.retrying import DELAYS, away
from tasks.telling import keep, tell


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=away)
def ask(version: Version, judged: Judgement, as_of: pd.Timestamp) -> Leave | None:
    """Ask for leave to promote a version, once; None where nobody is to be asked, or it is champion already."""
    definition, registry = model.load(version.model), Registry.open()
    champion = registry.champion(version.model)
    if definition.policy.approval is None or (champion and champion.number == version.number):
        return None
    now = approval.leave(version, as_of)
    if now.judged == judged.version and now.state in ("waiting", "approved", "refused"):
        return now
    told = {"judged": judged.version, "moment": as_of.isoformat()}
    keep("approval", version.model, version.number, as_of, state="asked for", **told)
    now = approval.ask(registry, version, judged, as_of, definition.policy.approval)
    close(version.model, "Superseded", f"{version} waits in its place.")
    payload = {"version": version.number, "replaces": judged.against, "until": now.until}
    tell("model.waiting", version.model, payload | {"reason": judged.verdict.reason})
    todo = f"`evergreen approve {version} --reason ...` or `evergreen refuse {version} --reason ...`"
    alert("a new version waits for leave", f"{now.sentence}. {judged.verdict.reason} {todo}", version.model)
    return now


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=away)
def answer(asked: Leave, approved: bool, reason: str, by: str, as_of: pd.Timestamp) -> Leave:
    """Keep what a person answered, before anything follows from it; an answer that was given stands.

    Raises
    ------
    PromotionError
        It is refused, and was approved before.
    """
    if asked.state == "approved" and approved:
        close(asked.version.model, "Answered", f"{asked.sentence}.")  # who died before may have left it open
        return asked
    if asked.state == "approved":
        todo = f"`evergreen rollback {asked.version.model} --reason ...` takes it back"
        raise PromotionError(f"{asked.sentence}; it cannot be refused any more. {todo}.")
    version, state = asked.version, "approved" if approved else "refused"
    keep("approval", version.model, version.number, as_of, by, state=state, reason=reason, judged=asked.judged)
    if not approved:
        tell("model.refused", version.model, {"version": version.number, "by": by, "reason": reason})
    answered = approval.answer(Registry.open(), version, approved, reason, by)
    close(version.model, "Answered", f"{answered.sentence}.")
    return answered


def close(model: str, name: str, message: str) -> None:
    """End the runs that are suspended in Prefect for an answer which nobody needs any more."""
    runs = FlowRunFilter.model_validate({"state": {"type": {"any_": ["PAUSED"]}}})
    flow = FlowFilter.model_validate({"name": {"any_": ["approve"]}})
    with get_client(sync_client=True) as client:
        for run in client.read_flow_runs(flow_filter=flow, flow_run_filter=runs):
            if run.parameters.get("model") == model:
                client.set_flow_run_state(run.id, Cancelled(name=name, message=message), force=True)
