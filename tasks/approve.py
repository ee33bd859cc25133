"""Approve: ask for a person's leave where the model file wants it, and keep the answer."""

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas import FlowRun
from prefect.client.schemas.filters import FlowFilter, FlowRunFilter
from prefect.states import Cancelled

from evergreen.definition import loader
from evergreen.errors import PromotionError
from evergreen.gates.judgement import Judgement, deciding
from evergreen.lifecycle import approval
from evergreen.lifecycle.approval import Leave
from evergreen.registry.version import Version
from evergreen.stores import Stores
from tasks.support.alerts import alert
from tasks.support.events import keep, tell
from tasks.support.retries import DELAYS, away


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=away)
def ask(stores: Stores, version: Version, judged: Judgement, as_of: pd.Timestamp) -> Leave | None:
    """Ask for leave to promote a version, once; None where nobody is to be asked, or it is champion already."""
    definition, registry = loader.load(version.model), stores.registry
    champion = registry.champion(version.model)
    if definition.policy.approval is None or (champion and champion.number == version.number):
        return None
    now = approval.leave(version, as_of)
    known = now.judged == judged.version and now.state in ("waiting", "approved", "refused")
    if known and (now.state != "waiting" or registry.version(version.model, judged.version).settled):
        return now  # else who asked may have died before anybody was told
    if not known:
        told = {"judged": judged.version, "moment": as_of.isoformat()}
        keep(stores, "approval", version.model, version.number, as_of, state="asked for", **told)
        now = approval.ask(registry, version, judged, as_of, definition.policy.approval)
    close(version.model, "Superseded", f"{version} waits in its place.")
    _tell(stores, now, judged)
    todo = f"`evergreen approve {version} --reason ...` or `evergreen refuse {version} --reason ...`"
    alert("a new version waits for leave", f"{now.sentence}. {judged.verdict.reason} {todo}", version.model)
    return now


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=away)
def remind(stores: Stores, name: str, as_of: pd.Timestamp) -> None:
    """Tell again of a version that waits for leave where no run is suspended for it: the event may have been lost."""
    registry = stores.registry
    waits = approval.waiting(registry.versions(name, approval="waiting"), as_of)
    if waits is not None and not _suspended(name):
        _tell(stores, waits, deciding(registry, registry.version(name, waits.judged)))


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=DELAYS, retry_condition_fn=away)
def answer(stores: Stores, asked: Leave, approved: bool, reason: str, by: str, as_of: pd.Timestamp) -> Leave:
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
    keep(stores, "approval", version.model, version.number, as_of, by, state=state, reason=reason, judged=asked.judged)
    if not approved:
        tell(stores, "model.refused", version.model, {"version": version.number, "by": by, "reason": reason})
    answered = approval.answer(stores.registry, version, approved, reason, by)
    close(version.model, "Answered", f"{answered.sentence}.")
    return answered


def close(model: str, name: str, message: str) -> None:
    """End the runs that are suspended in Prefect for an answer which nobody needs any more."""
    with get_client(sync_client=True) as client:
        for run in _suspended(model):
            client.set_flow_run_state(run.id, Cancelled(name=name, message=message), force=True)


def _suspended(model: str) -> list[FlowRun]:
    """The runs that wait in Prefect for an answer about a model."""
    runs = FlowRunFilter.model_validate({"state": {"type": {"any_": ["PAUSED"]}}})
    flow = FlowFilter.model_validate({"name": {"any_": ["approve"]}})
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(flow_filter=flow, flow_run_filter=runs)
    return [run for run in found if run.parameters.get("model") == model]


def _tell(stores: Stores, waits: Leave, judged: Judgement) -> None:
    payload = {"version": waits.version.number, "replaces": judged.against, "until": waits.until}
    tell(stores, "model.waiting", waits.version.model, payload | {"reason": judged.verdict.reason})
