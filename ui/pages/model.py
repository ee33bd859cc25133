"""The page of a model, and those of its decisions and of its performance as a table."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from evergreen.lake.lake import AUDIT, DECISIONS, OBSERVATIONS, SERVED, Bare
from evergreen.lifecycle import decision_log
from evergreen.lifecycle.decision_log import Entry
from evergreen.reports.model_page import grouped_decisions
from evergreen.stores import Stores
from ui.drawing import performance as drawing
from ui.facts import drift, performance, replays, service, versions
from ui.known.parts import Question
from ui.pages import model_drift, model_kept, model_lineage, model_quarantine, model_version
from ui.pages.model_request import ModelRequest
from ui.paging import Pages
from ui.site import Site

DECISIONS_A_PAGE, MOMENTS_A_PAGE = 50, 100
_BELOW = (model_version, model_lineage, model_drift, model_quarantine, model_kept)
_FIRST_DECISIONS, _FIRST_VERSIONS, _FIRST_MOMENTS, _FIRST_COLUMNS = 25, 12, 60, 40


def router(site: Site) -> APIRouter:
    """The routes of these pages."""
    routes = APIRouter(prefix="/models/{name}")

    @routes.get("")
    def model(request: Request, name: str) -> Response:
        asked = ModelRequest(site, request, name)
        known = asked.parts(
            performance=_performance(asked),
            checked=asked.question("checked", drift.checked, OBSERVATIONS),
            decided=_decisions(asked, _FIRST_DECISIONS + 1, 0),
            versions=asked.question("versions", versions.listed),
            quarantine=asked.question("quarantine", lambda stores, of: stores.quarantine.entries(of)),
            service=asked.question("service", service.of, SERVED, renewed=True),
            replay=asked.question("replay", lambda _, of: replays.of(of), renewed=True),
        )
        return asked.page(
            "model",
            parts=known,
            grouped=grouped_decisions,
            approval=versions.approval_now,
            most_decisions=_FIRST_DECISIONS,
            most_versions=_FIRST_VERSIONS,
            most_moments=_FIRST_MOMENTS,
            most_columns=_FIRST_COLUMNS,
        )

    @routes.get("/performance")
    def over_time(request: Request, name: str, page: int = 1) -> Response:
        asked = ModelRequest(site, request, name)
        part = asked.parts(performance=_performance(asked))["performance"]
        moments = part.value.performance.moments[::-1] if part.value else []
        return asked.page("model_performance", part=part, pages=Pages.of(moments, page, MOMENTS_A_PAGE))

    @routes.get("/performance.csv")
    def table(request: Request, name: str) -> Response:
        asked = ModelRequest(site, request, name)
        assert asked.summary  # an unknown model has no table
        text = performance.of(site.open(), name).csv()
        sent = {"content-disposition": f'attachment; filename="{name}.performance.csv"'}
        return Response(text, media_type="text/csv; charset=utf-8", headers=sent)

    @routes.get("/decisions")
    def decisions(request: Request, name: str, page: int = 1) -> Response:
        asked = ModelRequest(site, request, name)
        page = max(page, 1)
        part = asked.parts(decided=_decisions(asked, DECISIONS_A_PAGE + 1, (page - 1) * DECISIONS_A_PAGE))["decided"]
        more = bool(part.value) and len(part.value) > DECISIONS_A_PAGE
        shown = grouped_decisions((part.value or [])[:DECISIONS_A_PAGE])
        return asked.page("model_decisions", part=part, shown=shown, number=page, more=more)

    @routes.get("/decisions/{key}")
    def decision(request: Request, name: str, key: str) -> Response:
        asked = ModelRequest(site, request, name)
        found = decision_log.find(site.open().lake, Bare(name), key)
        if found is None:
            return asked.missing(f"{name} has no decision {key}.")
        return asked.page("model_decision", decision=found)

    whole = APIRouter()
    for part in (routes, *(place.router(site) for place in _BELOW)):
        whole.include_router(part)
    return whole


def _performance(asked: ModelRequest) -> Question:
    return asked.question("performance", drawing.of, OBSERVATIONS, DECISIONS)


def _decisions(asked: ModelRequest, most: int, skip: int) -> Question:
    def read(stores: Stores, name: str) -> list[Entry]:
        return decision_log.read(stores.lake, Bare(name), most=most, skip=skip)

    return asked.question(f"decisions {most} {skip}", read, DECISIONS, AUDIT)
