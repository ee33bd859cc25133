"""What a page's form asks for, and the page of what it comes to."""

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from ui.acts import catalogue as acts
from ui.acts.catalogue import Act, Wanted
from ui.acts.forms import Form, sent
from ui.acts.ledger import Asked
from ui.known.parts import Part, Question, lasting
from ui.refusal import RefusedError
from ui.rendering import Live
from ui.site import Site

if TYPE_CHECKING:
    from flows.runtime.runs import Run

_PATIENCE = 1.5  # seconds that a form waits for what it asks for


def router(site: Site) -> APIRouter:
    """The routes of acts."""
    routes = APIRouter()

    @routes.post("/act/{name}")
    def act(request: Request, name: str, form: Annotated[Form, Depends(sent)]) -> Response:
        wanted = acts.find(name)
        _require(site, wanted, form)
        if wanted.of_model:
            acts.check_model(form["model"], {summary.name for summary in site.fleet.known(0).summaries})
        reason, who = form.reason(required=wanted.reasoned), form.visitor.name
        asks = Wanted(form["model"], form["subject"], reason, who, form.token)
        what = f"{wanted.label}: {' '.join(filter(None, (asks.model, asks.subject)))}"
        asked = site.ledger.begin(asks.token, Asked(what, asks.model, who), lambda: wanted.work(site.open(), asks))
        asked.wait(_PATIENCE)
        link = request.scope.get("link") or Live(request.scope.get("root_path", ""))
        return RedirectResponse(link(f"acts/{asks.token}"), 303)

    @routes.get("/acts/{token}")
    def outcome(request: Request, token: str) -> Response:
        asked, found = site.ledger.find(token), Part()
        run = asked.run if asked else None
        if run or not asked:
            found = site.reader.part(Question(("run", token), lasting(1.0), lambda: _find(token)), patience=1.0)
            run = found.value or run
        if not (asked or run):
            raise RefusedError(404, found.problem or "Nothing is known of this any more. See Activity.")
        done = run.ended if run else bool(asked and asked.ended)
        return site.page(
            request,
            "act",
            asked=asked,
            run=run,
            soon=not done,
            problem=found.problem,
            model=asked.model if asked else run.model if run else "",
        )

    return routes


def _require(site: Site, wanted: Act, form: Form) -> None:
    """Make sure that the sender of a form may do what it asks for.

    Raises
    ------
    RefusedError
        They may not.
    """
    if site.read_only:
        raise RefusedError(403, "This UI is read-only: nothing can be done from its pages.")
    if form.visitor.role < wanted.role:
        raise RefusedError(403, f"{form.visitor.name} may not do this: it takes the role {wanted.role.word}.")


def _find(token: str) -> "Run | None":
    from flows.runtime import runs

    return runs.find(token)
