"""What every page has: who looks, what is known, the frame, and the headers that keep a browser from anything else."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version as installed
from typing import TYPE_CHECKING, Any

from fastapi import Request
from fastapi.responses import HTMLResponse, Response

from evergreen.definition import model_files
from ui.access.visitor import NOBODY, Visitor
from ui.acts.buttons import Buttons
from ui.acts.ledger import Ledger
from ui.known.activity import Activity
from ui.known.fleet import Fleet, Known
from ui.known.health import Level
from ui.known.opening import opened
from ui.known.parts import Reader
from ui.known.waiting import Waiting
from ui.rendering import Exported, Link, Live, environment

if TYPE_CHECKING:
    from evergreen.stores import Stores

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}


@dataclass(frozen=True)
class Site:
    """What the pages of one UI share.

    Attributes
    ----------
    fleet : Fleet
        What is known of all models.
    activity : Activity
        What was done to them.
    open : callable
        Opens the stores, for what is read of one model.
    read_only : bool
        Whether the pages have no buttons.
    ledger : Ledger
        What was asked for from its pages.
    patience : float
        How many seconds a page waits for what is being read, before it shows what is known.
    reader : Reader
        Reads the parts of pages.
    """

    fleet: Fleet = field(default_factory=Fleet)
    activity: Activity = field(default_factory=Activity)
    open: "Callable[[], Stores]" = opened
    read_only: bool = False
    ledger: Ledger = field(default_factory=Ledger)
    patience: float = 0.2
    reader: Reader = field(default_factory=Reader)

    @property
    def waiting(self) -> Waiting:
        """The details of what waits for a person."""
        return Waiting(self.reader, self.open)

    def page(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        """A page of the UI.

        Parameters
        ----------
        request : Request
        template : str
            The name of a file in ``ui/templates``, without its suffix.
        status : int
        **values
            What the template names.
        """
        known = values.get("known") or self.fleet.known()
        visitor: Visitor = request.scope.get("visitor", NOBODY)
        link: Link = request.scope.get("link") or Live(request.scope.get("root_path", ""))
        frame = {
            "link": link,
            "exported": isinstance(link, Exported),
            "known": known,
            "needs": known.needs + self._beside(known),
            "read_only": self.read_only,
            "visitor": visitor,
            "buttons": Buttons(visitor, self.waiting.server, self.waiting.paused),
            "release": _release(),
            "place": request.url.path.strip("/").partition("/")[0],
            "Level": Level,
        }
        text = environment().get_template(f"{template}.html").render(**frame | values)
        return HTMLResponse(text, status, HEADERS)

    def _beside(self, known: Known) -> int:
        """How many things wait for a person beside the models themselves: failed runs, releases."""
        failed, releases = self.waiting.failed(known).value, self.waiting.releases().value
        return (len(failed.runs) + failed.unseen if failed else 0) + len(releases or ())

    def looked(self, patience: float = 0.2) -> Known:
        """What is known of all models, after a look at what was done to them, too; for both together one wait.

        Parameters
        ----------
        patience : float
            How many seconds to wait at most.
        """
        until = time.monotonic() + patience
        known = self.fleet.known(patience / 2)
        self.activity.wait(max(until - time.monotonic(), 0))
        return known

    def knows(self, model: str, known: Known) -> bool:
        """Whether there is anything of a model: a file, a champion or a log."""
        return known.find(model) is not None or model in model_files.names() or self.activity.knows(model)

    def missing(self, request: Request, model: str) -> Response:
        """The page of a model that is not there."""
        message = f"There is no model {model[:200]!r}."
        return self.page(request, "problem", 404, title="Not found", message=message)


@cache
def _release() -> str:
    return installed("evergreen")


def plain_page(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    """A page for somebody who is not known: nothing of any model is on it."""
    link = Live(request.scope.get("root_path", ""))
    return HTMLResponse(environment().get_template(f"{template}.html").render(link=link, **values), status, HEADERS)
