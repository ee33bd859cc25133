"""Pages of a list."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


def numbered(count: int, page: int, size: int) -> tuple[int, int]:
    """The number of a page, from 1, and how many there are; the one at the end, if it is beyond.

    Examples
    --------
    >>> numbered(5, 9, 2), numbered(0, 1, 2), numbered(5, -1, 2)
    ((3, 3), (1, 1), (1, 3))
    """
    pages = max(math.ceil(count / size), 1)
    return min(max(page, 1), pages), pages


@dataclass(frozen=True)
class Pages:
    """One page of a list.

    Attributes
    ----------
    shown : sequence
    page, pages : int
        From 1.
    count : int
        Of the whole list.
    """

    shown: Sequence[Any]
    page: int
    pages: int
    count: int

    @classmethod
    def of(cls, whole: Sequence[Any], page: int, size: int) -> "Pages":
        """A page; the one at the end, if it is beyond.

        Examples
        --------
        >>> Pages.of("abcde", 9, 2)
        Pages(shown='e', page=3, pages=3, count=5)
        """
        page, pages = numbered(len(whole), page, size)
        return cls(whole[(page - 1) * size : page * size], page, pages, len(whole))
