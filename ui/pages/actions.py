"""The first page: what waits for a person, each with what it takes to decide."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from ui.known import waiting
from ui.known.health import Level
from ui.known.summary import Summary
from ui.refusal import RefusedError
from ui.site import Site

_MOST = 20  # of a kind with their details; a fleet in trouble has its page of models
_PICTURES = ("judged.png", "trial.png")


def router(site: Site) -> APIRouter:
    """The routes of this page."""
    routes = APIRouter()

    @routes.get("/")
    def actions(request: Request) -> Response:
        known = site.fleet.known()
        pending = [found for found in known.summaries if found.pending]
        held = [(found.name, batch) for found in known.summaries for batch in found.quarantined]
        alerts = [found for found in known.summaries if found.unanswered]
        runs, releases = site.waiting.failed(known, site.patience), site.waiting.releases(site.patience)
        failed = runs.value.runs if runs.value else []
        above = {found.name for found in (*pending, *alerts)}
        lapsed = {found.name: said for found in known.summaries if (said := _lapsed(found))}
        above |= {found.name for found in known.summaries if found.health.reason in lapsed.values()}
        above |= {name for name, _ in held} | {run.model for run in failed}
        return site.page(
            request,
            "actions",
            known=known,
            pending=pending,
            proposals=site.waiting.proposals([_key(found) for found in pending[:_MOST]], site.patience),
            held=held,
            batches=site.waiting.batches(held[:_MOST], site.patience),
            alerts=alerts,
            failed=failed,
            unseen=runs.value.unseen if runs.value else 0,
            release=releases.value[0] if releases.value else None,
            beside=(("Failed runs", runs), ("Releases that wait for approval", releases)),
            lapsed=lapsed,
            all_read=runs.is_known and releases.is_known,
            broken=[found for found in known.summaries if found.name not in above and _is_broken(found)],
            most=_MOST,
        )

    @routes.get("/pictures/{model}/{number}/{name}")
    def picture(model: str, number: Annotated[str, Path(pattern=r"^\d+$")], name: str) -> Response:
        if name not in _PICTURES or site.fleet.known().find(model) is None:
            raise RefusedError(404, "There is no such picture.")
        stores = site.open()
        found = waiting.picture(stores, model, number, name) if stores.registry.find(model, number) else None
        if found is None:
            raise RefusedError(404, "There is no such picture.")
        return Response(found, media_type="image/png", headers={"cache-control": "private, max-age=3600"})

    return routes


def _key(summary: Summary) -> tuple[str, str]:
    return summary.name, summary.pending


def _lapsed(summary: Summary) -> str:
    """That the request for its approval has lapsed; empty if it has not."""
    said = (finding.reason for finding in summary.findings if finding.side == "approval" and not summary.pending)
    return next(said, "")


def _is_broken(summary: Summary) -> bool:
    return summary.health.level >= Level.ATTENTION
