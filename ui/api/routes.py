"""The routes of the API; each reads with the functions that the pages read with."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, HTTPException, Path, Query

from evergreen.governance import audit
from evergreen.iso_time import zoned
from evergreen.lake.lake import Bare
from evergreen.lifecycle import decision_log
from evergreen.monitoring import observation
from ui.api.answers import acts, fleet, history
from ui.api.answers.base import Problem
from ui.known.activity import SYSTEM, Filter
from ui.pages.models import listed
from ui.site import Site
from ui.story import KINDS

T = TypeVar("T")
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    422: {"model": Problem, "description": "A parameter is not understood."},
    503: {"model": Problem, "description": "The stores cannot be read now."},
}
_OF_MODEL: dict[int | str, dict[str, Any]] = _PROBLEMS | {404: {"model": Problem, "description": "No such model."}}
_MOST = 100_000  # pages
_ALL_ACTS = ", ".join(KINDS)

Name = Annotated[str, Path(description="The name of a model.", max_length=200)]
Page = Annotated[int, Query(description="The page, from 1.", ge=1, le=_MOST)]
Size = Annotated[int, Query(description="The most items of a page.", ge=1, le=500)]
Acts = Annotated[str, Query(description=f"Only acts of this kind: {_ALL_ACTS}.", max_length=50)]
Person = Annotated[
    str, Query(description=f"Only what this person asked for; `{SYSTEM}` for what nobody did.", max_length=200)
]
Since = Annotated[datetime | None, Query(description="Only from this time on; UTC where no zone is written.")]
Until = Annotated[datetime | None, Query(description="Only before this time; UTC where no zone is written.")]


def router(site: Site) -> APIRouter:
    """The routes."""
    routes = APIRouter()
    for add in (_add_models, _add_what_was_seen, _add_what_is_kept, _add_acts, _add_proofs):
        add(routes, site)
    return routes


def _add_models(routes: APIRouter, site: Site) -> None:
    @routes.get("/models", responses=_PROBLEMS)
    def models(
        q: Annotated[str, Query(description="What name, purpose, owner or reason contain.", max_length=200)] = "",
        level: Annotated[
            Literal["", "good", "unknown", "attention", "bad"], Query(description="Only models of this health.")
        ] = "",
        page: Page = 1,
        size: Size = 50,
    ) -> fleet.Models:
        """List the models, those that need a person first."""
        known = site.fleet.known()
        return fleet.Models.of(known, listed(known.summaries, q, level, page, size), size)

    @routes.get("/models/{model}", responses=_OF_MODEL)
    def model(model: Name) -> fleet.ModelDetails:
        """Show a model: its health with the reasons, its champion, its metric over time."""
        known = site.fleet.known()
        found = known.find(model)
        if found is None:
            reading = f" {known.left} models are still to be read." if known.left else ""
            raise HTTPException(404, f"There is no model {model!r}.{reading}")
        return fleet.ModelDetails.of(found)


def _add_what_was_seen(routes: APIRouter, site: Site) -> None:
    @routes.get("/models/{model}/observations", responses=_OF_MODEL)
    def observations(model: Name, page: Page = 1, size: Size = 50) -> history.Observations:
        """List what the monitor measured, newest first."""
        lake = _known(site, model).lake
        seen = observation.read(lake, Bare(model), most=size + 1, skip=(page - 1) * size)[::-1]
        shown, more = seen[:size], len(seen) > size
        return history.Observations(
            page=page, size=size, more=more, observations=[history.Observation.of(looked) for looked in shown]
        )

    @routes.get("/models/{model}/decisions", responses=_OF_MODEL)
    def decisions(model: Name, page: Page = 1, size: Size = 50) -> history.Decisions:
        """List the decisions on the model, newest first, also those to do nothing."""
        lake = _known(site, model).lake
        entries = decision_log.read(lake, Bare(model), most=size + 1, skip=(page - 1) * size)
        shown, more = entries[:size], len(entries) > size
        return history.Decisions(
            page=page, size=size, more=more, decisions=[history.Decision.of(entry) for entry in shown]
        )


def _add_what_is_kept(routes: APIRouter, site: Site) -> None:
    @routes.get("/models/{model}/versions", responses=_OF_MODEL)
    def versions(model: Name, page: Page = 1, size: Size = 50) -> history.Versions:
        """List the versions, newest first, with their verdicts."""
        found = _known(site, model).registry.versions(model)
        shown, more = _part(found, page, size)
        return history.Versions(
            page=page,
            size=size,
            more=more,
            found=len(found),
            versions=[history.Version.of(version) for version in shown],
        )

    @routes.get("/models/{model}/quarantine", responses=_OF_MODEL)
    def quarantine(model: Name, page: Page = 1, size: Size = 50) -> history.Quarantine:
        """List the batches in quarantine, newest first, without examples of rows."""
        entries = _known(site, model).quarantine.entries(model)[::-1]
        shown, more = _part(entries, page, size)
        return history.Quarantine(
            page=page, size=size, more=more, found=len(entries), batches=[history.Batch.of(entry) for entry in shown]
        )


def _add_acts(routes: APIRouter, site: Site) -> None:
    @routes.get("/models/{model}/activity", responses=_OF_MODEL)
    def of_model(
        model: Name,
        act: Acts = "",
        by: Person = "",
        since: Since = None,
        until: Until = None,
        page: Page = 1,
        size: Size = 50,
    ) -> acts.Acts:
        """List what was done to the model, newest first."""
        _require(site, model)
        return _acts(site, Filter(model, "", act, by, since and zoned(since), until and zoned(until)), page, size)

    @routes.get("/activity", responses=_PROBLEMS)
    def activity(
        model: Annotated[str, Query(description="A part of the model's name.", max_length=200)] = "",
        act: Acts = "",
        by: Person = "",
        since: Since = None,
        until: Until = None,
        page: Page = 1,
        size: Size = 50,
    ) -> acts.Acts:
        """List what was done to all models, newest first."""
        site.looked()
        return _acts(site, Filter("", model, act, by, since and zoned(since), until and zoned(until)), page, size)


def _add_proofs(routes: APIRouter, site: Site) -> None:
    @routes.get("/models/{model}/answered", responses=_OF_MODEL)
    def answered(
        model: Name,
        at: Annotated[datetime, Query(description="A time; UTC where no zone is written.", examples=["2026-03-01"])],
    ) -> acts.Answer:
        """Tell which version answered at a time, since when, until when and by which act."""
        _require(site, model)
        return acts.Answer.of(site.activity.answered(model, zoned(at)))

    @routes.get("/models/{model}/champions", responses=_OF_MODEL)
    def champions(model: Name) -> acts.Champions:
        """List every version that answered, and when, oldest first."""
        _require(site, model)
        return acts.Champions(model=model, spans=[acts.Span.of(span) for span in site.activity.tenures(model)])

    @routes.get("/models/{model}/proof", responses=_OF_MODEL)
    def proof(model: Name) -> acts.Proof:
        """Verify that the model's audit log is whole; this reads all of it."""
        stores = _known(site, model)
        return acts.Proof.of(audit.verify(stores.lake, stores.registry, model))


def _acts(site: Site, wanted: Filter, page: int, size: int) -> acts.Acts:
    if wanted.act and wanted.act not in KINDS:
        raise HTTPException(422, f"act: there is no act {wanted.act!r}. The acts: {_ALL_ACTS}.")
    found = site.activity.page(wanted, page, size)
    beyond, state = page > found.pages, site.activity.state
    return acts.Acts(
        page=page,
        size=size,
        more=page < found.pages,
        found=found.found,
        left=state.left,
        problems=list(state.problems),
        acts=[] if beyond else [acts.Act.of(line) for line in found.lines],
    )


def _part(whole: Sequence[T], page: int, size: int) -> tuple[Sequence[T], bool]:
    """A page of a list, and whether there is more after it."""
    return whole[(page - 1) * size : page * size], len(whole) > page * size


def _require(site: Site, model: str) -> None:
    if not site.knows(model, site.looked()):
        raise HTTPException(404, f"There is no model {model!r}.")


def _known(site: Site, model: str) -> Any:
    _require(site, model)
    return site.open()
