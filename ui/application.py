"""The application: the pages and files of the UI."""

from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, PlainTextResponse, Response
from fastapi.staticfiles import StaticFiles

from evergreen.errors import EvergreenError
from evergreen.reports.html import DESIGN
from ui.guard import Guard
from ui.later import Later
from ui.pages import actions, activity, acts, models, programs, sign_in
from ui.refusal import RefusedError
from ui.site import HEADERS, Site, plain_page

STATIC = Path(__file__).parent / "static"


def application(site: Site) -> FastAPI:
    """The ASGI application of the UI.

    What the pages of all models need is there at once; the others import most of Evergreen, when one is asked for.
    """
    app, guard = _begun(site), Guard(site)
    app.include_router(sign_in.router(guard))
    _add_files(app)
    app.state.later = Later(lambda: _whole(site))
    app.mount("", app.state.later)
    app.middleware("http")(guard)
    app.middleware("http")(_closed)
    return app


def prepare(app: FastAPI) -> None:
    """Make what later pages need, so that the first who asks for one does not wait for it."""
    app.state.later.made()


def _begun(site: Site) -> FastAPI:
    app = FastAPI(title="Evergreen", version=installed("evergreen"), openapi_url=None, docs_url=None, redoc_url=None)
    for place in (actions, acts, models, programs, activity):
        app.include_router(place.router(site))
    _add_errors(app, site)
    return app


def _whole(site: Site) -> FastAPI:
    from ui.api import application as api
    from ui.pages import model, reference

    app, facts = _begun(site), api.application(site)
    app.include_router(model.router(site))
    app.include_router(reference.router(site, facts))
    app.mount("/api", facts)
    return app


def _add_files(app: FastAPI) -> None:
    @app.get("/static/design.css")
    def design() -> Response:
        """The design that all pages share."""
        return FileResponse(DESIGN, media_type="text/css")

    app.mount("/static", StaticFiles(directory=STATIC), name="static")

    @app.get("/health", response_class=PlainTextResponse)
    def health() -> str:
        """200 as soon as the UI answers."""
        return "\n"


def _add_errors(app: FastAPI, site: Site) -> None:
    @app.exception_handler(404)
    def missing(request: Request, error: Any) -> Response:
        said = getattr(error, "detail", "Not Found")
        message = f"There is no page {request.url.path}." if said == "Not Found" else said
        return _problem(site, request, 404, "Not found", message)

    @app.exception_handler(405)
    def not_so(request: Request, error: Any) -> Response:
        message = f"{request.url.path} does not take {request.method}. Forms send to it; it is no page."
        answer = _problem(site, request, 405, "Not a page", message)
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        wrong = "; ".join(f"{'.'.join(map(str, fault['loc'][1:]))}: {fault['msg']}" for fault in error.errors())
        return _problem(
            site, request, 422, "Not an address of a page", f"{request.url.path} was not understood. {wrong}."
        )

    @app.exception_handler(RefusedError)
    def refused(request: Request, error: RefusedError) -> Response:
        return _problem(site, request, error.status, error.title, str(error))

    @app.exception_handler(EvergreenError)
    def failed(request: Request, error: EvergreenError) -> Response:
        return _problem(site, request, 503, "This cannot be shown now", str(error))


def _problem(site: Site, request: Request, status: int, title: str, message: str) -> Response:
    """The page of what went wrong; without what is known of models, for somebody who was not asked who it is."""
    if "visitor" not in request.scope:
        return plain_page(request, "refused", status, title=title, message=message)
    return site.page(request, "problem", status, title=title, message=message)


async def _closed(request: Request, answer: Any) -> Response:
    """Let a browser load nothing from elsewhere, nor show a page within another one."""
    response: Response = await answer(request)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.url.path.startswith("/static/"):
        response.headers["cache-control"] = "public, max-age=300"
    return response
