"""The page of all models: those that need a person first."""

from collections import Counter
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response

from ui.known.health import Level
from ui.known.summary import Summary
from ui.paging import Pages
from ui.site import Site

PAGE = 50  # models


@dataclass(frozen=True)
class Listed:
    """The models that a page shows.

    Attributes
    ----------
    shown : list of Summary
    found, all : int
        How many models meet the filter, and how many there are.
    counts : Counter of str
        How many there are of each level, by its name in small letters.
    page, pages : int
        From 1.
    """

    shown: list[Summary]
    found: int
    all: int
    counts: Counter[str]
    page: int
    pages: int


def listed(summaries: list[Summary], text: str = "", level: str = "", page: int = 1, size: int = PAGE) -> Listed:
    """The models of a filter, the worst first, then by name.

    Parameters
    ----------
    summaries : list of Summary
    text : str
        What the name, purpose, owner or reason has to contain, in letters of any case.
    level : str
        The name of a `Level`, in small letters; empty for all.
    page : int
        From 1; the last one, if it is beyond.
    size : int
        Of a page.
    """
    wanted = text.casefold().strip()
    found = [summary for summary in summaries if wanted in _words(summary)]
    counts = Counter(summary.health.level.name.lower() for summary in found)
    chosen = [summary for summary in found if level in ("", summary.health.level.name.lower())]
    chosen.sort(key=lambda summary: (-summary.health.level, summary.name))
    part = Pages.of(chosen, page, size)
    return Listed(list(part.shown), part.count, len(summaries), counts, part.page, part.pages)


def _words(summary: Summary) -> str:
    return " ".join((summary.name, summary.purpose, summary.owner, summary.health.reason)).casefold()


def router(site: Site) -> APIRouter:
    """The route of this page."""
    routes = APIRouter()

    @routes.get("/models")
    def models(request: Request, q: str = "", level: str = "", page: int = 1) -> Response:
        known = site.fleet.known()
        return site.page(
            request, "models", known=known, found=listed(known.summaries, q, level, page), q=q, level=level, Level=Level
        )

    return routes
