"""What was written of a model and is shown as it is: cards, data pages, its newest replay."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from evergreen.governance.artifact_erasure import DATA_PAGE
from evergreen.reports import model_card
from ui.facts import replays, versions
from ui.pages.model_request import ModelRequest
from ui.site import HEADERS, Site

# Such a page has styles and scripts of its own. It is shown in a world apart: it reaches neither the pages of the UI
# nor a network.
_KEPT = HEADERS | {
    "content-security-policy": "sandbox allow-scripts allow-popups; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data:; font-src data:; frame-ancestors 'none'"
}


def router(site: Site) -> APIRouter:
    """The routes of these pages."""
    routes = APIRouter(prefix="/models/{name}")

    @routes.get("/versions/{number}/card")
    def card(request: Request, name: str, number: str) -> Response:
        asked = ModelRequest(site, request, name)
        assert asked.summary  # an unknown model has none
        stores = site.open()
        if stores.registry.find(name, number) is None:
            return asked.missing(f"{name} has no version {number}.")
        return HTMLResponse(model_card.page(stores, name, number), headers=_KEPT)

    @routes.get("/versions/{number}/data")
    def data(request: Request, name: str, number: str) -> Response:
        asked, stores = ModelRequest(site, request, name), site.open()
        found = stores.registry.find(name, number)
        text = versions.page_of(stores, found, DATA_PAGE) if found else None
        if text is None:
            return asked.missing(f"No data page was kept with version {number} of {name}.")
        return HTMLResponse(text, headers=_KEPT)

    @routes.get("/replay")
    def replay(request: Request, name: str) -> Response:
        asked = ModelRequest(site, request, name)
        assert asked.summary  # an unknown model has none
        try:
            text = replays.page(name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return asked.missing(f"No replay of {name} has been written here. `evergreen replay {name}` makes one.")
        return HTMLResponse(text, headers=_KEPT)

    return routes
