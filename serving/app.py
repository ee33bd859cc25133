"""The HTTP face of one worker: MLflow's wire format for every champion, and what says how the worker is."""

import asyncio
import time
from importlib.metadata import version as installed
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, Response

from serving.batching import Batches
from serving.errors import RequestError, overloaded
from serving.models import Models
from serving.version import Served

Message = dict[str, Any]
_JSON = [(b"content-type", b"application/json")]
_TYPES = {
    "number": {"type": ["number", "null"]},
    "integer": {"type": "integer"},
    "boolean": {"type": ["boolean", "null"]},
    "datetime": {"type": ["string", "null"], "format": "date-time"},
}
_TEXT = {"type": ["string", "null"]}


class Invocations:
    """The path that is asked millions of times: before all routing, with nothing between it and the model.

    Parameters
    ----------
    app : ASGI application
        Answers all other paths.
    models : Models
    batches : Batches
    largest : int
        Bytes of a body.
    seconds : float
        How long a body may take to come.
    most : int
        Requests at one time.
    """

    def __init__(self, app: Any, models: Models, batches: Batches, largest: int, seconds: float, most: int) -> None:
        self._app, self._models, self._batches = app, models, batches
        self._largest, self._seconds, self._most = largest, seconds, most
        self._now = 0

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        """Answer an ASGI scope."""
        if scope["type"] != "http" or not scope["path"].endswith("/invocations"):
            await self._app(scope, receive, send)
            return
        came = time.perf_counter()
        self._now += 1
        try:
            status, told = 200, await self._answer(scope, receive, came)
        except RequestError as error:
            status, told = error.status, error.body()
        finally:
            self._now -= 1
        extra = [(b"retry-after", b"1")] if status == 503 else []
        body = orjson.dumps(told)
        length = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": status, "headers": [*_JSON, length, *extra]})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Message, receive: Any, came: float) -> dict[str, Any]:
        served = self._asked(scope["path"])
        if scope["method"] != "POST":
            raise RequestError(405, "BAD_REQUEST", f"{scope['method']} is not answered here; POST the rows.")
        if self._now > self._most:
            raise overloaded(f"{self._most} requests are being answered already. Send it again in a second.")
        headers = dict(scope["headers"])
        body = await self._body(headers, receive)
        asked = served.reader.read(body, headers.get(b"content-type", b"application/json").decode("latin-1"))
        return await self._batches.answer(served, asked, came)

    def _asked(self, path: str) -> Served:
        """The version that answers a path; ``/invocations`` alone will do where one model is served."""
        parts = path.strip("/").split("/")
        served = self._models.served
        if len(parts) == 1 and len(served) == 1:
            return next(iter(served.values()))
        if len(parts) == 3 and parts[0] == "models" and parts[1] in served:
            return served[parts[1]]
        known = ", ".join(f"/models/{name}/invocations" for name in served) or "none yet"
        raise RequestError(404, "RESOURCE_DOES_NOT_EXIST", f"There is no model at {path!r}. Served: {known}.")

    async def _body(self, headers: dict[bytes, bytes], receive: Any) -> bytes:
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > self._largest:
            raise self._too_large()
        try:
            async with asyncio.timeout(self._seconds):
                message = await receive()
                body: bytes = message.get("body", b"")
                while message.get("more_body"):
                    message = await receive()
                    body += message.get("body", b"")
                    if len(body) > self._largest:
                        raise self._too_large()
        except TimeoutError:
            raise RequestError(408, "BAD_REQUEST", f"The body did not come within {self._seconds:g} seconds.") from None
        return body

    def _too_large(self) -> RequestError:
        message = f"The body is larger than {self._largest:,} bytes. Send the rows in parts."
        return RequestError(413, "REQUEST_LIMIT_EXCEEDED", message)


def application(
    models: Models, batches: Batches, *, largest: int = 16_000_000, seconds: float = 30.0, most: int = 1000
) -> Any:
    """The ASGI application of a worker; parameters as those of `Invocations`."""
    app = FastAPI(title="Evergreen", version=installed("evergreen"), description="Every champion, by HTTP.")

    @app.get("/ping", response_class=PlainTextResponse, tags=["state"])
    @app.get("/health", response_class=PlainTextResponse, tags=["state"])
    @app.get("/models/{model}/ping", response_class=PlainTextResponse, include_in_schema=False)
    @app.get("/models/{model}/health", response_class=PlainTextResponse, include_in_schema=False)
    async def health(model: str = "") -> Response:
        """200 once the model, or every model, answers."""
        ready = model in models.served if model else models.ready()
        return PlainTextResponse("\n" if ready else "no model answers yet\n", 200 if ready else 503)

    @app.get("/version", response_class=PlainTextResponse, tags=["state"])
    @app.get("/models/{model}/version", response_class=PlainTextResponse, include_in_schema=False)
    async def mlflow_version(model: str = "") -> str:
        """The version of MLflow whose wire format this is."""
        return installed("mlflow")

    @app.get("/models", tags=["state"])
    async def standing() -> dict[str, Any]:
        """Which version of each model answers, and what it takes."""
        return {
            name: {"version": one.spec.number, "features": one.spec.features, "beside": one.spec.beside}
            for name, one in models.served.items()
        }

    usual = app.openapi
    app.openapi = lambda: _described(dict(usual()), models)  # type: ignore[method-assign]
    return Invocations(app, models, batches, largest, seconds, most)


def _described(document: dict[str, Any], models: Models) -> dict[str, Any]:
    """The OpenAPI document with a path for each model, and a real example of its input."""
    paths = {f"/models/{name}/invocations": _path(one) for name, one in models.served.items()}
    return document | {"paths": document["paths"] | paths}


def _path(served: Served) -> dict[str, Any]:
    spec = served.spec
    columns = spec.features | spec.beside
    row = {
        "type": "object",
        "properties": {name: _TYPES.get(kind, _TEXT) for name, kind in columns.items()},
        "required": list(spec.features),
        "additionalProperties": False,
    }
    records = {"type": "array", "items": row, "minItems": 1}
    split = {
        "type": "object",
        "properties": {
            "columns": {"type": "array", "items": {"enum": list(columns)}},
            "data": {"type": "array", "items": {"type": "array"}, "minItems": 1},
        },
        "required": ["columns", "data"],
    }
    forms = {"dataframe_split": split, "dataframe_records": records, "instances": records, "inputs": records}
    one_of = [
        {"type": "object", "properties": {form: schema}, "required": [form], "additionalProperties": False}
        for form, schema in forms.items()
    ]
    example = {"dataframe_split": {"columns": list(spec.features), "data": spec.example[:2]}}
    content = {"application/json": {"schema": {"oneOf": one_of}, "example": example}}
    told = {"400": "not of a known form", "413": "too large", "415": "of another type", "422": "a row does not fit"}
    return {
        "post": {
            "tags": ["models"],
            "operationId": f"invoke_{spec.model}",
            "summary": f"What {spec.model} answers (version {spec.number} now)",
            "requestBody": {"required": True, "content": content},
            "responses": {"200": {"description": "predictions, ids, model, version; of classes also probabilities"}}
            | {code: {"description": text} for code, text in told.items()}
            | {"503": {"description": "overloaded, or the log cannot be written; send it again"}},
        }
    }
