"""Open the stores, whose packages are imported by the first who reads: the UI answers before."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evergreen.stores import Stores


def opened() -> "Stores":
    """The stores of this installation."""
    from evergreen.stores import Stores

    return Stores.open()
