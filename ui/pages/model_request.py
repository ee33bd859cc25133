"""A request for a page of a model: what all of them share."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fastapi import HTTPException, Request
from fastapi.responses import Response

from evergreen.reports.html import figure
from evergreen.stores import Stores
from ui.addresses import segment
from ui.drawing import interval, marks
from ui.facts import model
from ui.known.fleet import Known, state_of
from ui.known.parts import Part, Question, lasting
from ui.known.summary import Summary
from ui.site import Site

_RENEWED = 2.0  # seconds that what lies outside of the stores is taken for what is
_LONGEST = 400  # characters of a reason in a list


@dataclass(frozen=True)
class ModelRequest:
    """A request for a page of a model.

    Attributes
    ----------
    site : Site
    request : Request
    name : str
        Of the model.
    """

    site: Site
    request: Request
    name: str

    @cached_property
    def known(self) -> Known:
        """What is known of all models."""
        return self.site.fleet.known(self.site.patience / 4)

    @cached_property
    def summary(self) -> Summary:
        """What is known of the model.

        Raises
        ------
        HTTPException
            There is no such model, and was none.
        """
        found = model.find(self.known, self.site.open, self.name)
        if found is None:
            raise HTTPException(404, f"There is no model {self.name!r}: no file declares one, and no store knows one.")
        return found

    def question(
        self, what: str, read: Callable[[Stores, str], Any], *tables: str, renewed: bool = False, given: Any = None
    ) -> Question:
        """What a part of the page asks for.

        Parameters
        ----------
        what : str
            Tells it from other questions about the model.
        read : callable
            Gives the answer, from the stores and the model's name.
        *tables : str
            Of the lake, which it is read from, beside the registry and the quarantine.
        renewed : bool
            Whether it is also read from elsewhere, so that it is read again after some seconds.
        given : object, optional
            The answer to another question that it is read with: once that is another one, it is read again.
        """
        return Question(
            (self.name, what),
            (lasting(_RENEWED) if renewed else 0, given),
            lambda: read(self.site.open(), self.name),
            lambda: state_of(self.site.open, self.name, tables),
        )

    def parts(self, **questions: Question) -> dict[str, Part]:
        """What is known of each question.

        Raises
        ------
        HTTPException
            There is no such model.
        """
        assert self.summary
        return self.site.reader.parts(questions, self.site.patience * 3 / 4)

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """A page of the model."""
        shared = {
            "known": self.known,
            "model": self.summary,
            "at": f"models/{segment(self.name)}",
            "segment": segment,
            "short": short,
            "figure_of": figure,
            "key": marks.key,
            "gain": interval.gain,
            "reach": interval.reach,
        }
        return self.site.page(self.request, template, status, **shared | values)

    def missing(self, message: str) -> Response:
        """A page that says that there is nothing here."""
        return self.site.page(self.request, "problem", 404, title="Not found", message=message)


def short(text: str, most: int = _LONGEST) -> str:
    """A text cut to so many characters, as a list shows it.

    Examples
    --------
    >>> short("abcdef", 4)
    'abc…'
    """
    return text if len(text) <= most else f"{text[: most - 1]}…"
