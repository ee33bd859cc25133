"""What is posted: rows to be answered and labels, with nothing between the socket and the model."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import orjson

from serving.errors import RequestError, overloaded
from serving.http import labels
from serving.http.auth import Message, refuse
from serving.inference.canary import Sharing
from serving.inference.hot_swap import Models
from serving.inference.loaded_model import Served
from serving.metrics import Meters
from serving.options import Limits

_LATE = "the body is late"
_JSON = (b"content-type", b"application/json")


class GoneError(Exception):
    """The caller has hung up; nobody is there to be answered."""


@dataclass
class Posts:
    """Answers ``/models/{name}/invocations`` and ``/models/{name}/labels``, before all routing.

    Parameters
    ----------
    app : ASGI application
        Answers all other paths.
    models : Models
    sharing : Sharing
    limits : Limits
    meters : Meters
    """

    app: Any
    models: Models
    sharing: Sharing
    limits: Limits
    meters: Meters
    _now: int = 0

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        """Answer an ASGI scope."""
        verb = scope["path"].rpartition("/")[2] if scope["type"] == "http" else ""
        if verb not in ("invocations", "labels"):
            await self.app(scope, receive, send)
            return
        came, name, status = time.perf_counter(), "", 500
        self._now += 1
        try:
            served = self._meant(scope)
            name = served.spec.model
            body = orjson.dumps(await self._answer(verb, served, scope, receive, came))
        except RequestError as error:
            status = error.status
            await refuse(send, error)
        except GoneError:
            status = 499  # as nginx counts them
        else:
            status = 200
            length = (b"content-length", str(len(body)).encode())
            await send({"type": "http.response.start", "status": 200, "headers": [_JSON, length]})
            await send({"type": "http.response.body", "body": body})
        finally:
            self._now -= 1
            self.meters.asked(name, status, time.perf_counter() - came)

    async def _answer(self, verb: str, served: Served, scope: Message, receive: Any, came: float) -> dict[str, Any]:
        if scope["method"] != "POST":
            raise RequestError(405, "BAD_REQUEST", f"{scope['method']} is not answered here; POST the {verb}.")
        if self._now > self.limits.at_once:
            raise overloaded(f"{self.limits.at_once} requests are being answered already. Send it again in a second.")
        headers = dict(scope["headers"])
        if headers.get(b"content-encoding", b"identity") != b"identity":
            raise RequestError(415, "BAD_REQUEST", "The body is compressed or encoded; send it as it is.")
        body = await self._body(headers, receive)
        if verb == "labels":
            return self.sharing.batches.label(served.spec, labels.read(served.spec, body, self.limits.rows))
        asked = served.reader.read(body, headers.get(b"content-type", b"application/json").decode("latin-1"))
        return await self.sharing.answer(served, asked, came)

    def _meant(self, scope: Message) -> Served:
        """The version that a path means; without a model's name, that of the one model that is served."""
        parts, served = scope["path"].strip("/").split("/"), self.models.served
        name = parts[1] if len(parts) == 3 and parts[0] == "models" else ""
        if len(parts) == 1 and len(served) == 1:
            name = next(iter(served))
        allowed = scope.get("allowed")
        if allowed is not None and name not in allowed:
            message = f"This API key may ask {', '.join(sorted(allowed))}, not what is at {scope['path']!r}."
            raise RequestError(403, "PERMISSION_DENIED", message)
        if name not in served:
            known = ", ".join(f"/models/{one}/{parts[-1]}" for one in served) or "none yet"
            message = f"There is no model at {scope['path']!r}. Served: {known}."
            raise RequestError(404, "RESOURCE_DOES_NOT_EXIST", message)
        return served[name]

    async def _body(self, headers: dict[bytes, bytes], receive: Any) -> bytes:
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > self.limits.bytes:
            raise self._too_large()
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task
        late = loop.call_later(self.limits.seconds, task.cancel, _LATE)  # a tenth of what asyncio.timeout costs
        try:
            return await self._received(receive)
        except asyncio.CancelledError as error:
            if error.args != (_LATE,):
                raise
            task.uncancel()
            message = f"The body did not come within {self.limits.seconds:g} seconds."
            raise RequestError(408, "BAD_REQUEST", message) from None
        finally:
            late.cancel()

    async def _received(self, receive: Any) -> bytes:
        parts, size, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise GoneError
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self.limits.bytes:
                raise self._too_large()
            more = message.get("more_body", False)
        return b"".join(parts)

    def _too_large(self) -> RequestError:
        message = f"The body is larger than {self.limits.bytes:,} bytes. Send the rows in parts."
        return RequestError(413, "REQUEST_LIMIT_EXCEEDED", message)
