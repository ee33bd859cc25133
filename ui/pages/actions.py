"""The first page: what waits for a person."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from ui.health import Level
from ui.site import Site


def router(site: Site) -> APIRouter:
    """The route of this page."""
    routes = APIRouter()

    @routes.get("/")
    def actions(request: Request) -> Response:
        known = site.fleet.known()
        waiting = [found for found in known.summaries if found.quarantined or found.pending or found.alert]
        broken = [found for found in known.summaries if found not in waiting and found.health.level >= Level.ATTENTION]
        return site.page(request, "actions", known=known, waiting=waiting, broken=broken)

    return routes
