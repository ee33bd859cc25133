"""The versions of a model: all of them, and one with its verdicts and what became of it."""

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from evergreen.registry.version import CANARY, CHALLENGER, CHAMPION, PREVIOUS, SHADOW, Version
from evergreen.training.window import told
from ui.facts import versions
from ui.pages.model_request import ModelRequest
from ui.paging import Pages
from ui.site import Site

_A_PAGE = 50
_ALIASES = (CHAMPION, CHALLENGER, PREVIOUS, CANARY, SHADOW)


def router(site: Site) -> APIRouter:
    """The routes of these pages."""
    routes = APIRouter(prefix="/models/{name}")

    @routes.get("/versions")
    def all_versions(request: Request, name: str, page: int = 1) -> Response:
        asked = ModelRequest(site, request, name)
        part = asked.parts(versions=asked.question("versions", versions.listed))["versions"]
        return asked.page(
            "model_versions", part=part, pages=Pages.of(part.value or [], page, _A_PAGE), approval=versions.approval_now
        )

    @routes.get("/versions/{number}")
    def version(request: Request, name: str, number: str) -> Response:
        asked = ModelRequest(site, request, name)
        if not number.isdigit():
            return _to_number(asked, number)
        question = asked.question(f"version {number}", lambda stores, of: versions.of(stores, of, number))
        part = asked.parts(version=question)["version"]
        if part.value is None and not part.problem and not part.pending:
            return asked.missing(f"{name} has no version {number}.")
        return asked.page("model_version", part=part, number=number, recorded=versions.recorded, window=told)

    return routes


def _to_number(asked: ModelRequest, alias: str) -> Response:
    """From an alias, such as `champion`, to the version that has it now."""
    assert asked.summary
    found: Version | None = asked.site.open().registry.find(asked.name, alias) if alias in _ALIASES else None
    if found is None:
        return asked.missing(f"{asked.name} has no version {alias!r}.")
    root = asked.request.scope.get("root_path", "")
    return RedirectResponse(f"{root}/models/{asked.name}/versions/{found.number}")
