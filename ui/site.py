"""What every page has: who looks, what is known, the frame, and the headers that keep a browser from anything else."""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version as installed
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, Response

from evergreen.stores import Stores
from ui.fleet import Fleet, Known
from ui.health import Level
from ui.rendering import Link, Live, environment

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
    open : callable
        Opens the stores, for what is read of one model.
    read_only : bool
        Whether the pages have no buttons.
    """

    fleet: Fleet = field(default_factory=Fleet)
    open: Callable[[], Stores] = Stores.open
    read_only: bool = False

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
        link: Link = request.scope.get("link") or Live(request.scope.get("root_path", ""))
        frame = {
            "link": link,
            "known": known,
            "needs": needs(known),
            "read_only": self.read_only,
            "release": installed("evergreen"),
            "place": request.url.path.strip("/").partition("/")[0],
            "Level": Level,
        }
        text = environment().get_template(f"{template}.html").render(**frame | values)
        return HTMLResponse(text, status, HEADERS)


def needs(known: Known) -> int:
    """How many things wait for a person."""
    return sum(len(found.quarantined) + bool(found.pending) + bool(found.alert) for found in known.summaries)
