"""The POST endpoints of models: predictions and labels, handled before FastAPI to save its overhead."""

import time
from dataclasses import dataclass, field
from typing import Any

import orjson

from serving.content_type import CSV, JSON, check_type
from serving.errors import RequestError, overloaded, unsupported
from serving.http import labels
from serving.http.auth import Message, refuse, require, visible
from serving.http.bodies import Bodies, DisconnectedError
from serving.inference.canary import CanaryRouter
from serving.inference.hot_swap import Models
from serving.inference.loaded_model import LoadedModel
from serving.metrics import Metrics
from serving.options import Limits

_JSON = (b"content-type", b"application/json")
_TYPES = {"labels": (JSON,), "invocations": (JSON, CSV)}


@dataclass
class ModelEndpoints:
    """Handles ``/models/{name}/invocations`` and ``/models/{name}/labels``.

    Parameters
    ----------
    app : ASGI application
        Handles all other paths.
    models : Models
    router : CanaryRouter
    limits : Limits
    metrics : Metrics
    """

    app: Any
    models: Models
    router: CanaryRouter
    limits: Limits
    metrics: Metrics
    _bodies: Bodies = field(init=False)
    _concurrent: int = 0

    def __post_init__(self) -> None:
        self._bodies = Bodies(self.limits)

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        """Handle an ASGI scope."""
        verb = scope["path"].rpartition("/")[2] if scope["type"] == "http" else ""
        if verb not in ("invocations", "labels"):
            await self.app(scope, receive, send)
            return
        arrived, name, status = time.perf_counter(), "", 500
        try:
            served = self._loaded_model(scope)
            name = served.spec.model
            body = orjson.dumps(await self._respond(verb, served, scope, receive, arrived))
        except RequestError as error:
            status = error.status
            await refuse(send, error)
        except DisconnectedError:
            status = 499  # as nginx counts them
        else:
            status = 200
            length = (b"content-length", str(len(body)).encode())
            await send({"type": "http.response.start", "status": 200, "headers": [_JSON, length]})
            await send({"type": "http.response.body", "body": body})
        finally:
            self.metrics.record_request(name, status, time.perf_counter() - arrived)

    async def _respond(
        self, verb: str, served: LoadedModel, scope: Message, receive: Any, arrived: float
    ) -> dict[str, Any]:
        if scope["method"] != "POST":
            raise RequestError(405, "BAD_REQUEST", f"{scope['method']} is not allowed here. Send the {verb} with POST.")
        headers = dict(scope["headers"])
        if headers.get(b"content-encoding", b"identity") != b"identity":
            raise unsupported("The body has a content encoding, which is not supported. Send it uncompressed.")
        content = headers.get(b"content-type", b"").decode("latin-1")
        check_type(content, _TYPES[verb])
        body = await self._bodies.read(headers, receive)
        if verb == "labels":
            return self.router.batches.label(served.spec, labels.read(served.spec, body, self.limits.rows))
        return await self._predict(served, body, content, arrived)

    async def _predict(self, served: LoadedModel, body: bytes, content: str, arrived: float) -> dict[str, Any]:
        """Predict, unless too many requests are in progress. A request is so from when its body is whole."""
        if self._concurrent >= self.limits.at_once:
            raise overloaded(
                f"The worker already has {self.limits.at_once} requests in progress. Send this one again in a second."
            )
        self._concurrent += 1
        try:
            return await self.router.predict(served, served.reader.read(body, content), arrived)
        finally:
            self._concurrent -= 1

    def _loaded_model(self, scope: Message) -> LoadedModel:
        """The loaded model for a path. A path without a model's name means the only model served."""
        parts, served = scope["path"].strip("/").split("/"), self.models.served
        name = parts[1] if len(parts) == 3 and parts[0] == "models" else ""
        if len(parts) == 1 and len(served) == 1:
            name = next(iter(served))
        require(scope, name)
        if name not in served and self.models.expects(name):
            raise overloaded(f"{self.models.unready()} Send the request again then.")
        if name not in served:
            known = ", ".join(f"/models/{model}/{parts[-1]}" for model in served if visible(scope, model)) or "none yet"
            message = f"There is no model at {scope['path']!r}. Served: {known}."
            raise RequestError(404, "RESOURCE_DOES_NOT_EXIST", message)
        return served[name]
