"""The lineage of a version back to its source, and of a batch forward to predictions."""

from fastapi import APIRouter, Request
from fastapi.responses import Response
from markupsafe import Markup

from evergreen.errors import TraceError
from evergreen.governance import lineage
from evergreen.governance.lineage import Origin
from evergreen.lake.lake import AUDIT, PREDICTIONS, SERVED
from evergreen.reports.html import chain
from ui.addresses import text_of
from ui.pages.model_request import ModelRequest
from ui.site import Site


def router(site: Site) -> APIRouter:
    """The routes of these pages."""
    routes = APIRouter(prefix="/models/{name}")

    @routes.get("/versions/{number}/lineage")
    def origin(request: Request, name: str, number: str) -> Response:
        asked = ModelRequest(site, request, name)
        question = asked.question(
            f"lineage {number}",
            lambda stores, of: lineage.origin(stores, of, number),
            AUDIT,
            SERVED,
            PREDICTIONS,
        )
        part = asked.parts(origin=question)["origin"]
        steps = _chain(part.value) if part.value else ""
        return asked.page("model_lineage", part=part, number=number, chain=steps)

    @routes.get("/batches/{batch}")
    def batch(request: Request, name: str, batch: str) -> Response:
        asked, batch = ModelRequest(site, request, name), text_of(batch)
        trained = asked.parts(trained=asked.question("trained on", lineage.trained_on, AUDIT))["trained"]
        if trained.value is None:
            return asked.page("model_batch", part=trained, batch=batch)
        question = asked.question(
            f"batch {batch}",
            lambda stores, of: lineage.of_batch(stores, of, batch, trained.value),
            AUDIT,
            SERVED,
            PREDICTIONS,
            given=trained.value,
        )
        return asked.page("model_batch", part=asked.parts(batch=question)["batch"], batch=batch)

    @routes.get("/prediction")
    def prediction(request: Request, name: str, id: str = "") -> Response:
        asked = ModelRequest(site, request, name)
        assert asked.summary  # an unknown model has made none
        try:
            found = lineage.of_prediction(site.open(), name, id)
        except TraceError as error:
            return asked.missing(str(error))
        return asked.page("model_prediction", found=found, id=id, chain=_chain(found.origin))

    return routes


def _chain(origin: Origin) -> Markup:
    """The steps from the source to the predictions."""
    return Markup(chain(origin.steps))  # noqa: S704 - made by a template that escapes
