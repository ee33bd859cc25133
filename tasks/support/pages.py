"""Pages of Prefect's server, which gives at most 200 objects at once, and says not that there are more."""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def every(ask: Callable[[int], list[T]]) -> list[T]:
    """All pages.

    Parameters
    ----------
    ask : callable
        From how many objects to leave out to the next ones.

    Examples
    --------
    >>> every(lambda offset: list(range(5))[offset : offset + 2])
    [0, 1, 2, 3, 4]
    """
    found: list[T] = []
    while page := ask(len(found)):
        found += page
    return found
