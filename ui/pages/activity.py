"""Activity: what was done to all models, what answered when, and the proof that a log is whole."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, Request
from fastapi.responses import Response

from evergreen.governance import audit
from evergreen.iso_time import parsed
from flows.runtime import runs
from ui import story
from ui.known.activity import SYSTEM, Filter
from ui.site import Site

_FEW = 300  # models that a field offers
_DAY = "%Y-%m-%d"


@dataclass
class Fields:
    """What a request asks for, and what of it cannot be understood.

    Attributes
    ----------
    given : dict of str to str
        The fields as they were sent, without spaces around.
    wrong : list of str
        A sentence for each field that is not understood, and so left out.
    """

    given: dict[str, str]
    wrong: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, request: Request) -> "Fields":
        """What was sent in the address."""
        return cls({name: value.strip() for name, value in request.query_params.items()})

    def text(self, name: str) -> str:
        """A field; empty if it was not sent."""
        return self.given.get(name, "")

    def page(self) -> int:
        """The number of the page; the first one where it is none."""
        return _whole(self.text("page")) or 1

    def moment(self, name: str, after: timedelta = timedelta(0)) -> datetime | None:
        """A time, in UTC where no zone is written; None if there is none."""
        text = self.text(name)
        if not text:
            return None
        try:
            return parsed(text) + after
        except (ValueError, OverflowError):
            self.wrong.append(f"{text!r} is no time: write it as 2026-03-01 or 2026-03-01T06:30.")
            return None

    def filter(self) -> Filter:
        """The lines that are wanted; the day `until` is part of it."""
        act = self.text("act")
        if act and act not in story.KINDS:
            self.wrong.append(f"There is no act {act!r}. The acts: {', '.join(story.KINDS)}.")
            act = ""
        whole_day = timedelta(days=1) if len(self.text("until")) == len("2026-03-01") else timedelta(0)
        return Filter(
            like=self.text("model"),
            act=act,
            person=self.text("by"),
            since=self.moment("since"),
            until=self.moment("until", whole_day),
        )


def router(site: Site) -> APIRouter:
    """The routes of these pages."""
    routes = APIRouter()

    @routes.get("/activity")
    def activity(request: Request) -> Response:
        asked, known = Fields.of(request), site.looked()
        found = site.activity.page(asked.filter(), asked.page())
        models = site.activity.models()
        return site.page(
            request,
            "activity",
            422 if asked.wrong else 200,
            known=known,
            model="",
            found=found,
            told=[story.told(line) for line in found.lines],
            models=models if len(models) <= _FEW else [],
            **_shared(site, asked),
        )

    @routes.get("/activity/{model}")
    def of_model(request: Request, model: str) -> Response:
        asked, known = Fields.of(request), site.looked()
        if not site.knows(model, known):
            return site.missing(request, model)
        found = site.activity.page(replace(asked.filter(), like="", model=model), asked.page())
        at = asked.moment("at")
        tenures = site.activity.tenures(model)
        return site.page(
            request,
            "activity",
            422 if asked.wrong else 200,
            known=known,
            model=model,
            found=found,
            told=[story.told(line) for line in found.lines],
            models=[],
            tenures=tenures[::-1],
            answered=site.activity.answered(model, at) if at else None,
            **_shared(site, asked),
        )

    @routes.get("/activity/{model}/proof")
    def proof(request: Request, model: str) -> Response:
        if not site.knows(model, site.looked()):
            return site.missing(request, model)
        stores = site.open()
        verified = audit.verify(stores.lake, stores.registry, model)
        return site.page(request, "proof", model=model, verified=verified, at=datetime.now(UTC).isoformat())

    @routes.get("/activity/{model}/{number}")
    def line(request: Request, model: str, number: str) -> Response:
        site.looked()
        found = site.activity.line(model, _whole(number))
        if found is None:
            message = f"The audit log of {model} has no line {number}."
            return site.page(request, "problem", 404, title="Not found", message=message)
        return site.page(request, "line", line=found, told=story.told(found), run=runs.page_of(found.run))

    return routes


def _whole(text: str) -> int:
    """A whole number; 0 for what is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _shared(site: Site, asked: Fields) -> dict[str, object]:
    return {
        "asked": asked,
        "acts": story.KINDS,
        "people": site.activity.people(),
        "system": SYSTEM,
        "state": site.activity.state,
    }
