"""The HTTP application of one worker: predictions in MLflow's format, health, metrics and OpenAPI."""

from importlib.metadata import version as installed
from typing import Any

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from serving.errors import RequestError
from serving.http import pages
from serving.http.auth import ApiKeyAuth, require, visible
from serving.http.endpoints import ModelEndpoints
from serving.http.openapi import with_model_paths
from serving.inference.canary import CanaryRouter
from serving.inference.hot_swap import Models
from serving.inference.loaded_model import Canary, LoadedModel
from serving.inference.micro_batching import MicroBatcher
from serving.metrics import Metrics
from serving.options import Limits

_UNREADY = "not every model can predict yet, or predictions cannot be logged; the text says why"
_HEALTH: dict[int | str, dict[str, Any]] = {503: {"description": _UNREADY}}


def application(models: Models, batches: MicroBatcher, limits: Limits, worker_metrics: Metrics) -> ApiKeyAuth:
    """The ASGI application of a worker."""
    app = FastAPI(
        title="Evergreen",
        version=installed("evergreen"),
        openapi_url=None,  # its own route below shows each caller the models of its key
        docs_url=None,  # this and the next load files from other hosts; `pages` has one that does not
        redoc_url=None,
    )

    _add_health(app, models, batches)
    _add_state(app, models, worker_metrics)
    _add_pages(app, models)

    @app.exception_handler(RequestError)
    async def denied(_request: Request, error: Any) -> Response:
        return JSONResponse(error.body(), error.status)

    @app.exception_handler(404)
    @app.exception_handler(405)
    async def refused(_request: Request, error: Any) -> Response:
        code = "RESOURCE_DOES_NOT_EXIST" if error.status_code == 404 else "BAD_REQUEST"
        message = f"{error.detail}. See /docs for all routes."
        return JSONResponse({"error_code": code, "message": message}, error.status_code, error.headers)

    return ApiKeyAuth(
        ModelEndpoints(app, models, CanaryRouter(models, batches), limits, worker_metrics),
        limits.per_key,
        worker_metrics.record_request,
    )


def _add_health(app: FastAPI, models: Models, batches: MicroBatcher) -> None:
    @app.get("/ping", responses=_HEALTH, response_class=PlainTextResponse, tags=["state"])
    @app.get("/health", responses=_HEALTH, response_class=PlainTextResponse, tags=["state"])
    async def health() -> Response:
        """200 once every model can predict, and while predictions can be logged."""
        return _health(models.unready() or batches.unready())

    @app.get("/models/{model}/ping", response_class=PlainTextResponse, include_in_schema=False)
    @app.get("/models/{model}/health", response_class=PlainTextResponse, include_in_schema=False)
    async def health_of(model: str, request: Request) -> Response:
        """200 once the model can predict."""
        require(request.scope, model)
        absent = "" if model in models.served else models.unready() or f"There is no model {model!r}."
        return _health(absent or batches.unready())

    @app.get("/version", response_class=PlainTextResponse, tags=["state"])
    async def mlflow_version() -> str:
        """The version of MLflow whose request format this is."""
        return installed("mlflow")


def _add_state(app: FastAPI, models: Models, worker_metrics: Metrics) -> None:
    @app.get("/models", tags=["state"])
    async def standing(request: Request) -> dict[str, Any]:
        """The version of each model that predicts, and its columns; only models of the caller's key."""
        return {
            name: {
                "version": served.spec.number,
                "features": served.spec.features,
                "beside": served.spec.beside,
                "compiled": served.spec.compiled is not None,
                "canary": _canary(models.canaries.get(name)),
            }
            for name, served in _visible(models, request).items()
        }

    @app.get("/metrics", response_class=PlainTextResponse, tags=["state"])
    async def metrics(request: Request) -> Response:
        """Prometheus metrics: requests, latency, versions, swaps, and the lag of the log."""
        return Response(worker_metrics.exposition(request.scope.get("allowed")), media_type=CONTENT_TYPE_LATEST)

    @app.get("/openapi.json", include_in_schema=False)
    async def document(request: Request) -> dict[str, Any]:
        return with_model_paths(app.openapi(), _visible(models, request))


def _add_pages(app: FastAPI, models: Models) -> None:
    @app.get("/", include_in_schema=False)
    async def home(request: Request) -> Response:
        return await run_in_threadpool(pages.home, _visible(models, request), dict(models.canaries), models.unready())

    @app.get("/docs", include_in_schema=False)
    async def reference(request: Request) -> Response:
        served = _visible(models, request)
        address = f"{request.url.scheme}://{request.url.netloc}"
        return await run_in_threadpool(pages.reference, with_model_paths(app.openapi(), served), served, address)


def _canary(canary: Canary | None) -> dict[str, Any] | None:
    return None if canary is None else {"version": canary.served.spec.number, "share": canary.share}


def _health(problem: str) -> Response:
    return PlainTextResponse(f"{problem}\n", 503, {"retry-after": "1"}) if problem else PlainTextResponse("\n")


def _visible(models: Models, request: Request) -> dict[str, LoadedModel]:
    """The models that the caller's key allows."""
    return {name: served for name, served in models.served.items() if visible(request.scope, name)}
