"""The HTTP application of one worker: predictions in MLflow's format, health, metrics and OpenAPI."""

from importlib.metadata import version as installed
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from evergreen.definition.kinds.register import kind_of
from serving.http.auth import ApiKeyAuth
from serving.http.endpoints import ModelEndpoints
from serving.inference.canary import CanaryRouter
from serving.inference.hot_swap import Models
from serving.inference.loaded_model import Canary, LoadedModel
from serving.inference.micro_batching import MicroBatcher
from serving.metrics import Metrics
from serving.model_cache import Spec
from serving.options import Limits

_HEALTH: dict[int | str, dict[str, Any]] = {503: {"description": "no model is loaded yet"}}


def application(models: Models, batches: MicroBatcher, limits: Limits, worker_metrics: Metrics) -> ApiKeyAuth:
    """The ASGI application of a worker."""
    app = FastAPI(
        title="Evergreen", version=installed("evergreen"), docs_url=None, redoc_url=None
    )  # both load files from other hosts

    @app.get("/ping", responses=_HEALTH, response_class=PlainTextResponse, tags=["state"])
    @app.get("/health", responses=_HEALTH, response_class=PlainTextResponse, tags=["state"])
    async def health() -> Response:
        """200 once every model can predict."""
        return _health(models.ready())

    @app.get("/models/{model}/ping", response_class=PlainTextResponse, include_in_schema=False)
    @app.get("/models/{model}/health", response_class=PlainTextResponse, include_in_schema=False)
    async def health_of(model: str) -> Response:
        """200 once the model can predict."""
        return _health(model in models.served)

    @app.get("/version", response_class=PlainTextResponse, tags=["state"])
    async def mlflow_version() -> str:
        """The version of MLflow whose request format this is."""
        return installed("mlflow")

    @app.get("/models", tags=["state"])
    async def standing() -> dict[str, Any]:
        """The version of each model that predicts, and its columns."""
        return {
            name: {
                "version": served.spec.number,
                "features": served.spec.features,
                "beside": served.spec.beside,
                "compiled": served.spec.compiled is not None,
                "canary": _canary(models.canaries.get(name)),
            }
            for name, served in models.served.items()
        }

    @app.get("/metrics", response_class=PlainTextResponse, tags=["state"])
    async def metrics() -> Response:
        """Prometheus metrics: requests, latency, versions, swaps, and the lag of the log."""
        return Response(worker_metrics.exposition(), media_type=CONTENT_TYPE_LATEST)

    @app.exception_handler(404)
    @app.exception_handler(405)
    async def refused(_request: Request, error: Any) -> Response:
        code = "RESOURCE_DOES_NOT_EXIST" if error.status_code == 404 else "BAD_REQUEST"
        message = f"{error.detail}. See /openapi.json for all routes."
        return JSONResponse({"error_code": code, "message": message}, error.status_code, error.headers)

    generated = app.openapi
    app.openapi = lambda: _with_model_paths(dict(generated()), models)  # type: ignore[method-assign]
    return ApiKeyAuth(
        ModelEndpoints(app, models, CanaryRouter(models, batches), limits, worker_metrics), limits.per_key
    )


def _canary(canary: Canary | None) -> dict[str, Any] | None:
    return None if canary is None else {"version": canary.served.spec.number, "share": canary.share}


def _health(ready: bool) -> Response:
    return PlainTextResponse("\n" if ready else "no model is loaded yet\n", 200 if ready else 503)


def _with_model_paths(document: dict[str, Any], models: Models) -> dict[str, Any]:
    """The OpenAPI document with the paths of each model and an example of its input."""
    paths = {f"/models/{name}/invocations": _invocations(served) for name, served in models.served.items()}
    paths |= {f"/models/{name}/labels": _labels(served) for name, served in models.served.items()}
    return document | {"paths": document["paths"] | paths}


def _invocations(served: LoadedModel) -> dict[str, Any]:
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
    example = {"dataframe_split": {"columns": list(spec.features), "data": _shown_rows(spec)}}
    content = {"application/json": {"schema": {"oneOf": one_of}, "example": example}}
    return _post(
        f"invoke_{spec.model}",
        f"Predict with {spec.model} (currently version {spec.number})",
        content,
        "predictions, ids, model, version; for a classifier also probabilities",
    )


def _shown_rows(spec: Spec) -> list[list[Any]]:
    """Two rows of the version's example, with a made-up value in each private column."""
    made_up = [kind_of(kind).json_example if name in spec.private else None for name, kind in spec.features.items()]
    return [
        [value if other is None else other for value, other in zip(row, made_up, strict=True)]
        for row in spec.example[:2]
    ]


def _labels(served: LoadedModel) -> dict[str, Any]:
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
            {"id": "the id of a prediction", "value": kind_of(spec.target).json_example, "time": "2026-01-31T12:00:00Z"}
        ]
    }
    content = {"application/json": {"schema": {"oneOf": [label, many]}, "example": example}}
    return _post(
        f"label_{spec.model}", f"Send labels for predictions of {spec.model}", content, "the number of labels accepted"
    )


def _post(name: str, summary: str, content: dict[str, Any], success: str) -> dict[str, Any]:
    descriptions = {
        "200": success,
        "400": "the body has no supported format",
        "401": "API keys are configured, and the request has no valid one",
        "403": "the API key is for other models",
        "404": "no such model",
        "408": "the body did not arrive in time",
        "413": "the body is too large, or has too many rows",
        "415": "the content type is not supported",
        "422": "a row does not match the signature; `field` names the column",
        "429": "too many concurrent requests of one API key",
        "503": "overloaded, or the log cannot be written; send the request again later",
    }
    responses = {code: {"description": text} for code, text in descriptions.items()}
    body = {"required": True, "content": content}
    post = {"tags": ["models"], "operationId": name, "summary": summary, "requestBody": body, "responses": responses}
    return {"post": post}
