"""Tell the world: events that automations and other systems react to (docs/events.md)."""

from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any

from prefect.context import FlowRunContext
from prefect.events import emit_event

from evergreen.batch import Ingested
from evergreen.standin import meanwhile

_SILENT: ContextVar[bool] = ContextVar("_SILENT", default=False)


def silence() -> AbstractContextManager[None]:
    """Tell nobody for the length of a block: what is replayed is no news."""
    return meanwhile(_SILENT, True)


def tell(event: str, model: str, payload: dict[str, Any]) -> None:
    """Emit ``evergreen.<event>`` about a model, whose name is in the payload too, for triggers to pass on."""
    if _SILENT.get():
        return
    resource = {"prefect.resource.id": f"evergreen.model.{model}"}
    emit_event(f"evergreen.{event}", resource=resource, payload={"model": model, **payload})


def arrived(model: str, batches: list[Ingested]) -> None:
    """Ask for a refresh, once an ingest of its own has landed something.

    A flow that called the ingest decides about its batches itself: if they asked for a refresh as
    well, every refresh would start the next one.
    """
    landed = [one for one in batches if one.fate == "landed"]
    context = FlowRunContext.get()
    within = context and context.flow_run and context.flow_run.parent_task_run_id
    if landed and not within:
        rows = sum(one.new + one.corrected for one in landed)
        tell("data.arrived", model, {"batches": [one.batch for one in landed], "rows": rows})
