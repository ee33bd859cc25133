"""What other programs read: metrics for Prometheus, badges for a README, the feed of all acts."""

from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST

from evergreen import ui_address
from ui.formats import badge, feed, metrics
from ui.pages.activity import Fields
from ui.rendering import address
from ui.site import Site

_BADGE = {"cache-control": "max-age=60"}


def router(site: Site) -> APIRouter:
    """The routes."""
    routes = APIRouter()

    @routes.get("/metrics")
    def of_all(request: Request) -> Response:
        return Response(metrics.exposition(site.fleet.known()), media_type=CONTENT_TYPE_LATEST)

    @routes.get("/badge/{name}.svg")
    def of_model(request: Request, name: str) -> Response:
        found = site.fleet.known().find(name)
        if found is None:
            return Response(badge.unknown(name), 404, _BADGE, "image/svg+xml")
        return Response(badge.badge(found), headers=_BADGE, media_type="image/svg+xml")

    @routes.get("/activity.atom")
    def acts(request: Request) -> Response:
        asked = Fields.of(request)
        site.looked()
        found = site.activity.page(asked.filter(), size=feed.MOST)
        base = ui_address.stated() or str(request.base_url).rstrip("/")

        def link(path: str) -> str:
            return f"{base}/{path}"

        given = {name: asked.text(name) for name in ("model", "act", "by", "since", "until")}
        page, itself = link(address("activity", **given)), link(address("activity.atom", **given))
        return Response(feed.feed(found.lines, link, page, itself), media_type="application/atom+xml")

    return routes
