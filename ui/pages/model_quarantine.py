"""The quarantine of a model, and one of its batches."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from ui.addresses import text_of
from ui.pages.model_request import ModelRequest
from ui.paging import Pages
from ui.site import Site

_A_PAGE = 50


def router(site: Site) -> APIRouter:
    """The routes of these pages."""
    routes = APIRouter(prefix="/models/{name}")

    @routes.get("/quarantine")
    def batches(request: Request, name: str, page: int = 1) -> Response:
        asked = ModelRequest(site, request, name)
        question = asked.question("quarantine", lambda stores, of: stores.quarantine.entries(of))
        part = asked.parts(entries=question)["entries"]
        newest = list(reversed(part.value or []))
        newest.sort(key=lambda entry: entry.state != "held")
        return asked.page("model_quarantine", part=part, pages=Pages.of(newest, page, _A_PAGE))

    @routes.get("/quarantine/{batch}")
    def batch(request: Request, name: str, batch: str) -> Response:
        asked, batch = ModelRequest(site, request, name), text_of(batch)
        entries = site.open().quarantine.entries(name) if asked.summary else []
        found = next((entry for entry in entries if entry.batch == batch), None)
        if found is None:
            return asked.missing(f"{name} has no batch {batch!r} in quarantine.")
        return asked.page("model_quarantined", entry=found)

    return routes
