"""Emit the events of docs/reference/events.md, and record actions in the audit log."""

from typing import Any

import pandas as pd
from prefect.context import FlowRunContext
from prefect.events import emit_event

from evergreen.definition import loader
from evergreen.ingestion.batch import Ingested
from evergreen.lake import audit_log
from evergreen.lake.audit_log import Act, Line
from evergreen.lifecycle import state
from evergreen.registry.version import Version
from evergreen.stores import Stores


def emit(stores: Stores, event: str, model: str, payload: dict[str, Any]) -> None:
    """Emit ``evergreen.<event>`` about a model; the payload repeats its name, so that triggers can pass it on."""
    if not stores.live:
        return
    resource = {"prefect.resource.id": f"evergreen.model.{model}"}
    emit_event(f"evergreen.{event}", resource=resource, payload={"model": model, **payload})


def log_action(
    stores: Stores, act: Act, model: str, subject: str, at: pd.Timestamp, by: str = "", **detail: Any
) -> str:
    """Write an action into the audit log before it is done; return the line's seal, to be stored elsewhere.

    Raises
    ------
    LakeError
        It cannot be written; then the action must not be done either.
    """
    if not stores.live:
        return ""
    return audit_log.write(stores.lake, model, act, subject, at, by=by, run=_run(), detail=detail).seal


def log_move(
    stores: Stores, act: Act, version: Version, at: pd.Timestamp, after: int, by: str = "", **detail: Any
) -> Line:
    """The same for an action that makes a version the champion, decided on when `after` was the newest such line.

    Raises
    ------
    LakeError
        It cannot be written; then the action must not be done either.
    PromotionError
        The champion has been moved since.
    """
    if not stores.live:
        return audit_log.unwritten(version.model, act, version.number, at, detail)
    lake, model, subject = stores.lake, version.model, version.number
    return audit_log.write(lake, model, act, subject, at, by=by, run=_run(), detail=detail, after=after)


def _run() -> str:
    """The flow run that this is part of; empty outside of one."""
    context = FlowRunContext.get()
    return str(context.flow_run.id) if context and context.flow_run else ""


def called_by_flow() -> bool:
    """Whether another flow called the current one."""
    context = FlowRunContext.get()
    return bool(context and context.flow_run and context.flow_run.parent_task_run_id)


def emit_arrival(stores: Stores, model: str, batches: list[Ingested]) -> None:
    """Emit `data.arrived` if this ingest landed rows, or if an interrupted one before it did without an event.

    Only for an ingest that is a flow run of its own. A flow that called the ingest decides about its
    batches itself: if it emitted the event as well, every refresh would start the next one.
    """
    if called_by_flow() or not stores.live:
        return
    landed = {batch.batch: batch.new + batch.corrected for batch in batches if batch.fate == "landed"}
    landed = landed or state.undecided(stores, loader.load(model))
    if landed:
        emit(stores, "data.arrived", model, {"batches": list(landed), "rows": sum(landed.values())})
