"""One column of a model beside its reference."""

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from evergreen.lake.lake import OBSERVATIONS, PROFILES
from ui.addresses import text_of
from ui.drawing import distribution
from ui.facts import drift
from ui.pages.asked import Asked
from ui.site import Site


def router(site: Site) -> APIRouter:
    """The routes of these pages."""
    routes = APIRouter(prefix="/models/{name}")

    @routes.get("/drift")
    def columns(request: Request, name: str) -> Response:
        return RedirectResponse(f"{request.scope.get('root_path', '')}/models/{name}#drift")

    @routes.get("/drift/{column:path}")
    def column(request: Request, name: str, column: str) -> Response:
        asked, column = Asked(site, request, name), text_of(column)
        question = asked.question(
            f"column {column}", lambda stores, of: drift.of_column(stores, of, column), OBSERVATIONS, PROFILES
        )
        part = asked.parts(column=question)["column"]
        if part.value is None and not part.problem and not part.pending:
            return asked.missing(f"The newest check of {name} has no column {column!r}.")
        return asked.page(
            "model_drift", part=part, column=column, bars=distribution.bars, distance=distribution.distance
        )

    return routes
