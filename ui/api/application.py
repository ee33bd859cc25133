"""The application of the API: its routes, its document, and its errors as JSON."""

from importlib.metadata import version as installed
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from evergreen.errors import EvergreenError
from ui.api import routes
from ui.site import Site

_ABOUT = """What the pages of Evergreen's web UI show, as JSON: read by the same functions, paged, without acts.

An error is an object with one sentence, "detail". Times are ISO 8601 with their zone."""


def application(site: Site) -> FastAPI:
    """The ASGI application of the API, to be mounted."""
    api = FastAPI(title="Evergreen", description=_ABOUT, version=installed("evergreen"), docs_url=None, redoc_url=None)
    api.include_router(routes.router(site))

    @api.exception_handler(404)
    @api.exception_handler(405)
    def refused(_request: Request, error: Any) -> JSONResponse:
        return JSONResponse({"detail": _sentence(error)}, error.status_code, error.headers)

    @api.exception_handler(RequestValidationError)
    def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        told = (f"{fault['loc'][-1]}: {fault['msg']}, not {fault.get('input')!r:.100}" for fault in error.errors())
        return JSONResponse({"detail": f"{'; '.join(told)}."}, 422)

    @api.exception_handler(EvergreenError)
    def failed(_request: Request, error: EvergreenError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 503)

    return api


def _sentence(error: Any) -> str:
    usual = {"Not Found": "There is no such address; /api lists all.", "Method Not Allowed": "Read it with GET."}
    return str(usual.get(error.detail, error.detail))
