"""The HTTP face of one worker: MLflow's wire format for every champion, and what says how the worker is."""

from importlib.metadata import version as installed
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from evergreen.definition.kinds.table import kind_of
from serving.http.auth import Guard
from serving.http.endpoints import Posts
from serving.inference.canary import Sharing
from serving.inference.hot_swap import Models
from serving.inference.loaded_model import Canary, Served
from serving.inference.micro_batching import Batches
from serving.metrics import Meters
from serving.options import Limits

_HEALTH: dict[int | str, dict[str, Any]] = {503: {"description": "no model answers yet"}}


def application(models: Models, batches: Batches, limits: Limits, meters: Meters) -> Guard:
    """The ASGI application of a worker."""
    app = FastAPI(
        title="Evergreen", version=installed("evergreen"), docs_url=None, redoc_url=None
    )  # both load from elsewhere

    @app.get("/ping", responses=_HEALTH, response_class=PlainTextResponse, tags=["state"])
    @app.get("/health", responses=_HEALTH, response_class=PlainTextResponse, tags=["state"])
    async def health() -> Response:
        """200 once every model answers."""
        return _health(models.ready())

    @app.get("/models/{model}/ping", response_class=PlainTextResponse, include_in_schema=False)
    @app.get("/models/{model}/health", response_class=PlainTextResponse, include_in_schema=False)
    async def health_of(model: str) -> Response:
        """200 once the model answers."""
        return _health(model in models.served)

    @app.get("/version", response_class=PlainTextResponse, tags=["state"])
    async def mlflow_version() -> str:
        """The version of MLflow whose wire format this is."""
        return installed("mlflow")

    @app.get("/models", tags=["state"])
    async def standing() -> dict[str, Any]:
        """Which version of each model answers, and what it takes."""
        return {
            name: {
                "version": one.spec.number,
                "features": one.spec.features,
                "beside": one.spec.beside,
                "compiled": one.spec.compiled is not None,
                "canary": _canary(models.canaries.get(name)),
            }
            for name, one in models.served.items()
        }

    @app.get("/metrics", response_class=PlainTextResponse, tags=["state"])
    async def metrics() -> Response:
        """What Prometheus reads: requests, latency, versions, swaps, and how far the log lags behind."""
        return Response(meters.page(), media_type=CONTENT_TYPE_LATEST)

    @app.exception_handler(404)
    @app.exception_handler(405)
    async def refused(_request: Request, error: Any) -> Response:
        code = "RESOURCE_DOES_NOT_EXIST" if error.status_code == 404 else "BAD_REQUEST"
        message = f"{error.detail}. /openapi.json says what there is."
        return JSONResponse({"error_code": code, "message": message}, error.status_code, error.headers)

    usual = app.openapi
    app.openapi = lambda: _described(dict(usual()), models)  # type: ignore[method-assign]
    return Guard(Posts(app, models, Sharing(models, batches), limits, meters), limits.per_key)


def _canary(canary: Canary | None) -> dict[str, Any] | None:
    return None if canary is None else {"version": canary.served.spec.number, "share": canary.share}


def _health(ready: bool) -> Response:
    return PlainTextResponse("\n" if ready else "no model answers yet\n", 200 if ready else 503)


def _described(document: dict[str, Any], models: Models) -> dict[str, Any]:
    """The OpenAPI document with a path for each model, and a real example of its input."""
    paths = {f"/models/{name}/invocations": _invocations(one) for name, one in models.served.items()}
    paths |= {f"/models/{name}/labels": _labels(one) for name, one in models.served.items()}
    return document | {"paths": document["paths"] | paths}


def _invocations(served: Served) -> dict[str, Any]:
    spec = served.spec
    columns = spec.features | spec.beside
    row = {
        "type": "object",
        "properties": {name: kind_of(kind).json_schema for name, kind in columns.items()},
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
    return _post(
        f"invoke_{spec.model}",
        f"What {spec.model} answers (version {spec.number} now)",
        content,
        "predictions, ids, model, version; of classes also probabilities",
    )


def _labels(served: Served) -> dict[str, Any]:
    spec = served.spec
    label = {
        "type": "object",
        "properties": {
            "id": {"type": "string", "minLength": 1},
            "value": kind_of(spec.target).json_schema,
            "time": {"type": ["string", "null"], "format": "date-time"},
        },
        "required": ["id", "value"],
        "additionalProperties": False,
    }
    many = {
        "type": "object",
        "properties": {"labels": {"type": "array", "items": label, "minItems": 1}},
        "required": ["labels"],
        "additionalProperties": False,
    }
    example = {
        "labels": [
            {"id": "the id of an answer", "value": kind_of(spec.target).json_example, "time": "2026-01-31T12:00:00Z"}
        ]
    }
    content = {"application/json": {"schema": {"oneOf": [label, many]}, "example": example}}
    return _post(f"label_{spec.model}", f"What became of what {spec.model} was asked", content, "how many were taken")


def _post(name: str, summary: str, content: dict[str, Any], answered: str) -> dict[str, Any]:
    told = {
        "200": answered,
        "400": "not of a known form",
        "401": "no API key that is known, where keys are configured",
        "403": "the key is for other models",
        "404": "no such model",
        "408": "the body came too slowly",
        "413": "too large",
        "415": "of another type",
        "422": "a row does not fit; `field` names the column",
        "429": "too many requests of one key at one time",
        "503": "overloaded, or the log cannot be written; send it again",
    }
    responses = {code: {"description": text} for code, text in told.items()}
    body = {"required": True, "content": content}
    post = {"tags": ["models"], "operationId": name, "summary": summary, "requestBody": body, "responses": responses}
    return {"post": post}
