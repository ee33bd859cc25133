"""Emit the events of docs/reference/events.md, and keep what is done in the audit log."""

from typing import Any

import pandas as pd
from prefect.context import FlowRunContext
from prefect.events import emit_event

from evergreen.definition import loader
from evergreen.ingestion.batch import Ingested
from evergreen.lake import audit_log
from evergreen.lake.audit_log import Act
from evergreen.lifecycle import state
from evergreen.stores import Stores


def tell(stores: Stores, event: str, model: str, payload: dict[str, Any]) -> None:
    """Emit ``evergreen.<event>`` about a model, whose name is in the payload too, for triggers to pass on."""
    if not stores.live:
        return
    resource = {"prefect.resource.id": f"evergreen.model.{model}"}
    emit_event(f"evergreen.{event}", resource=resource, payload={"model": model, **payload})


def keep(stores: Stores, act: Act, model: str, subject: str, at: pd.Timestamp, by: str = "", **detail: Any) -> str:
    """Write an act into the audit log, before it is done; what of the line is kept elsewhere, as its seal.

    Raises
    ------
    LakeError
        It cannot be written; then the act is not to be done either.
    """
    if not stores.live:
        return ""
    context = FlowRunContext.get()
    run = str(context.flow_run.id) if context and context.flow_run else ""
    return audit_log.write(stores.lake, model, act, subject, at, by=by, run=run, detail=detail).seal


def arrived(stores: Stores, model: str, batches: list[Ingested]) -> None:
    """Ask for a refresh, once an ingest of its own has landed something, or if one before it has and nobody knows.

    A process that died may have landed rows and told nobody. A flow that called the ingest decides
    about its batches itself: if they asked for a refresh as well, every refresh would start the next one.
    """
    context = FlowRunContext.get()
    within = context and context.flow_run and context.flow_run.parent_task_run_id
    if within or not stores.live:
        return
    landed = {one.batch: one.new + one.corrected for one in batches if one.fate == "landed"}
    landed = landed or state.undecided(stores, loader.load(model))
    if landed:
        tell(stores, "data.arrived", model, {"batches": list(landed), "rows": sum(landed.values())})
