"""Tell the world: events that automations and other systems react to (docs/events.md)."""

from typing import Any

from prefect.events import emit_event


def tell(event: str, model: str, payload: dict[str, Any]) -> None:
    """Emit ``evergreen.<event>`` about a model."""
    emit_event(f"evergreen.{event}", resource={"prefect.resource.id": f"evergreen.model.{model}"}, payload=payload)
