"""The columns of a model by drift, and one beside its reference."""

from dataclasses import replace

from fastapi import APIRouter, Request
from fastapi.responses import Response

from evergreen.lake.lake import OBSERVATIONS, PROFILES
from ui.addresses import text_of
from ui.drawing import distribution
from ui.facts import drift
from ui.pages.model_request import ModelRequest
from ui.paging import Pages
from ui.site import Site

_A_PAGE = 100


def router(site: Site) -> APIRouter:
    """The routes of these pages."""
    routes = APIRouter(prefix="/models/{name}")

    @routes.get("/drift")
    def columns(request: Request, name: str, page: int = 1) -> Response:
        asked = ModelRequest(site, request, name)
        part = asked.parts(checked=asked.question("checked", drift.checked, OBSERVATIONS))["checked"]
        found = part.value.columns if part.value else []
        return asked.page("model_columns", part=part, pages=Pages.of(found, page, _A_PAGE))

    @routes.get("/drift/{column:path}")
    def column(request: Request, name: str, column: str) -> Response:
        asked, column = ModelRequest(site, request, name), text_of(column)
        known = asked.parts(columns=asked.question("columns", drift.of_columns, OBSERVATIONS, PROFILES))["columns"]
        part = replace(known, value=(known.value or {}).get(column))
        if part.value is None and not part.problem and not part.pending:
            return asked.missing(f"The newest check of {name} has no column {column!r}.")
        return asked.page(
            "model_drift", part=part, column=column, bars=distribution.bars, distance=distribution.distance
        )

    return routes
