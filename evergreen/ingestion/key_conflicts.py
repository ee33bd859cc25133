"""Rows of one key that differ: in which columns, and which of these tell them apart."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

_NAMED = 5  # columns in a message


@dataclass(frozen=True)
class Conflicts:
    """The rows of a table that share a key and are no doubles.

    Attributes
    ----------
    rows : int
    differing : list of str
        The columns in which rows of one key differ.
    apart : list of str
        Those of them that, beside the key, identify each of the rows.
    examples : DataFrame
        The rows of one key.
    """

    rows: int
    differing: list[str]
    apart: list[str]
    examples: pd.DataFrame

    @property
    def told(self) -> str:
        """What holds the rows apart, by names of columns; empty if there are no such rows.

        Examples
        --------
        >>> rows = pd.DataFrame({"id": [1, 1, 2], "site": ["a", "b", "a"], "x": [5, 6, 5]})
        >>> conflicts(rows, ["id"], ["site"]).told
        "they differ in 'site', 'x'; 'site' beside the key tells them apart"
        """
        if not self.differing:
            return ""
        more = f" and {len(self.differing) - _NAMED} more" if len(self.differing) > _NAMED else ""
        differ = f"they differ in {', '.join(map(repr, self.differing[:_NAMED]))}{more}"
        names = " or ".join(map(repr, self.apart[:_NAMED]))
        return f"{differ}; {names} beside the key tells them apart" if names else differ


def conflicts(rows: pd.DataFrame, key: Sequence[str], candidates: Sequence[str]) -> Conflicts:
    """Look at the rows that share a key.

    Parameters
    ----------
    rows : DataFrame
    key : sequence of str
    candidates : sequence of str
        Columns that may be part of a key: no measurements.
    """
    names = [name for name in rows.columns if name not in key]
    once = rows.drop_duplicates()
    shared = once[once.duplicated(list(key), keep=False)]
    if shared.empty:
        return Conflicts(0, [], [], shared)
    groups = shared.groupby(list(key), dropna=False, sort=False)
    counts = groups[names].nunique(dropna=False)
    differing = [name for name in names if (counts[name] > 1).any()]
    apart = [name for name in differing if name in candidates and not shared.duplicated([*key, name]).any()]
    return Conflicts(len(shared), differing, apart, shared[groups.ngroup() == 0])
