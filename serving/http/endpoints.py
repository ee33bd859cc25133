"""The POST endpoints of models: predictions and labels, handled before FastAPI to save its overhead."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import orjson

from serving.errors import RequestError, overloaded
from serving.http import labels
from serving.http.auth import Message, refuse
from serving.inference.canary import CanaryRouter
from serving.inference.hot_swap import Models
from serving.inference.loaded_model import LoadedModel
from serving.metrics import Metrics
from serving.options import Limits

_TIMED_OUT = "the body is late"
_JSON = (b"content-type", b"application/json")


class DisconnectedError(Exception):
    """The caller has disconnected, so no response can be sent."""


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
    _concurrent: int = 0

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        """Handle an ASGI scope."""
        verb = scope["path"].rpartition("/")[2] if scope["type"] == "http" else ""
        if verb not in ("invocations", "labels"):
            await self.app(scope, receive, send)
            return
        arrived, name, status = time.perf_counter(), "", 500
        self._concurrent += 1
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
            self._concurrent -= 1
            self.metrics.record_request(name, status, time.perf_counter() - arrived)

    async def _respond(
        self, verb: str, served: LoadedModel, scope: Message, receive: Any, arrived: float
    ) -> dict[str, Any]:
        if scope["method"] != "POST":
            raise RequestError(405, "BAD_REQUEST", f"{scope['method']} is not allowed here. Send the {verb} with POST.")
        if self._concurrent > self.limits.at_once:
            raise overloaded(
                f"The worker already has {self.limits.at_once} requests in progress. Send this one again in a second."
            )
        headers = dict(scope["headers"])
        if headers.get(b"content-encoding", b"identity") != b"identity":
            raise RequestError(
                415, "BAD_REQUEST", "The body has a content encoding, which is not supported. Send it uncompressed."
            )
        body = await self._body(headers, receive)
        if verb == "labels":
            return self.router.batches.label(served.spec, labels.read(served.spec, body, self.limits.rows))
        request = served.reader.read(body, headers.get(b"content-type", b"application/json").decode("latin-1"))
        return await self.router.predict(served, request, arrived)

    def _loaded_model(self, scope: Message) -> LoadedModel:
        """The loaded model for a path. A path without a model's name means the only model served."""
        parts, served = scope["path"].strip("/").split("/"), self.models.served
        name = parts[1] if len(parts) == 3 and parts[0] == "models" else ""
        if len(parts) == 1 and len(served) == 1:
            name = next(iter(served))
        allowed = scope.get("allowed")
        if allowed is not None and name not in allowed:
            valid = ", ".join(sorted(allowed))
            message = f"This API key is valid for {valid}, not for {scope['path']!r}. Use a key for this model."
            raise RequestError(403, "PERMISSION_DENIED", message)
        if name not in served:
            known = ", ".join(f"/models/{model}/{parts[-1]}" for model in served) or "none yet"
            message = f"There is no model at {scope['path']!r}. Served: {known}."
            raise RequestError(404, "RESOURCE_DOES_NOT_EXIST", message)
        return served[name]

    async def _body(self, headers: dict[bytes, bytes], receive: Any) -> bytes:
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > self.limits.bytes:
            raise self._too_large()
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task
        timeout = loop.call_later(self.limits.seconds, task.cancel, _TIMED_OUT)  # a tenth of what asyncio.timeout costs
        try:
            return await self._received(receive)
        except asyncio.CancelledError as error:
            if error.args != (_TIMED_OUT,):
                raise
            task.uncancel()
            message = f"The body did not arrive within {self.limits.seconds:g} seconds. Send it faster, or in parts."
            raise RequestError(408, "BAD_REQUEST", message) from None
        finally:
            timeout.cancel()

    async def _received(self, receive: Any) -> bytes:
        parts, size, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise DisconnectedError
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self.limits.bytes:
                raise self._too_large()
            more = message.get("more_body", False)
        return b"".join(parts)

    def _too_large(self) -> RequestError:
        message = f"The body is larger than {self.limits.bytes:,} bytes. Send the rows in parts."
        return RequestError(413, "REQUEST_LIMIT_EXCEEDED", message)
