"""What a migration is: what it would change, and how to change it, one model at a time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from evergreen.stores import Stores

Note = Callable[[dict[str, Any]], object]


@dataclass(frozen=True)
class Change:
    """What a migration changes of one model, in one step.

    Attributes
    ----------
    model : str
    where : str
        Which table or which versions.
    what : str
        What becomes of them.
    left : str
        What cannot be changed and stays as it is, with the reason; empty before it was tried.
    """

    model: str
    where: str
    what: str
    left: str = ""


@dataclass(frozen=True)
class Migration:
    """A change of the stored format, from the one before to `to`.

    Attributes
    ----------
    to : int
        The format afterwards.
    title, why : str
        What changes, and what for.
    opens_from : int
        The lowest format that a release has to know to open the state afterwards.
    alongside : bool
        Whether flows, commands and the service work while it is under way, since they read the old and the new. If
        not, they refuse until it has ended.
    pending : callable
        What it would change of these models. It only reads.
    apply : callable
        Makes one change and returns what was left, as in `Change`; again, it changes nothing more. `note` writes the
        line of the audit log with these details, and is called before anything is changed. The model's locks are held.
    """

    to: int
    title: str
    why: str
    opens_from: int
    alongside: bool
    pending: Callable[[Stores, Sequence[str]], Iterator[Change]]
    apply: Callable[[Stores, Change, Note], str]
