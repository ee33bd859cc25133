"""The buttons of a page: what its visitor may do, and what can be done now."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from evergreen.settings import four_eyes
from ui.access.visitor import Visitor
from ui.acts.catalogue import ACTS, Act
from ui.acts.forms import LONGEST, new_token


@dataclass(frozen=True)
class Buttons:
    """What templates ask to show a button.

    Attributes
    ----------
    visitor : Visitor
    server : callable
        Whether there is a Prefect server now.
    paused : callable
        Whether the schedules of each model that has any are paused; empty where that is not known.
    """

    visitor: Visitor
    server: Callable[[], bool]
    paused: Callable[[], Mapping[str, bool]] = dict

    def may(self, name: str) -> bool:
        """Whether the visitor may do it."""
        return bool(self.visitor.name) and self.visitor.role >= ACTS[name].role

    def is_second(self, starters: list[str]) -> bool:
        """Whether the visitor may approve what these persons requested."""
        return not (four_eyes() and self.visitor.name in starters)

    def can(self, name: str) -> bool:
        """Whether it can be done now: a flow needs a server to run on."""
        return not ACTS[name].flow or self.server()

    def has_schedules(self, model: str) -> bool:
        """Whether a model is known to have schedules."""
        return model in self.paused()

    def is_paused(self, model: str) -> bool:
        """Whether all schedules of a model are paused."""
        return self.paused().get(model, False)

    def act(self, name: str) -> Act:
        """What a button does."""
        return ACTS[name]

    @property
    def token(self) -> str:
        """Another token at each call, so that each form is sent once."""
        return new_token()

    @property
    def longest(self) -> int:
        """The most characters of a reason."""
        return LONGEST
