"""The result of landing a batch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Landed:
    """What landing a batch did to the table.

    Attributes
    ----------
    version : int
        The table's version afterwards.
    new, corrected, same : int
        Rows that were added, that replaced a row of the same key, and that were there already.
    """

    version: int
    new: int
    corrected: int
    same: int
