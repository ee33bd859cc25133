"""Bins: how the values of a column are grouped for counting."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from evergreen.definition.kinds.register import kind_of
from evergreen.definition.options import MIN_GROUP_SIZE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evergreen.definition.options import Kind

OTHER, MISSING = "other", "missing"
_DEEPEST = 500  # categories that are counted separately; the rest are "other"
_COVERED = 0.999  # least share of the rows in separate categories, unless that needs more than _DEEPEST


@dataclass(frozen=True)
class Bins:
    """The bins in which the values of one column are counted.

    A number falls into the first bin whose edge it does not exceed; the first bin lies below all
    values of the reference, the last above them. A category that is not in the reference is
    "other". The last slot of both counts values that are missing or not finite.

    Attributes
    ----------
    kind : {"number", "category"}
    edges : tuple of float
        Ascending; empty for categories.
    categories : tuple of str
        The most frequent first; empty for numbers.
    """

    kind: Literal["number", "category"]
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()

    @property
    def labels(self) -> list[str]:
        """A label for each slot.

        Examples
        --------
        >>> Bins("number", edges=(0.0, 1.0)).labels
        ['up to 0', 'up to 1', 'above 1', 'missing']
        """
        if self.kind == "category":
            return [*self.categories, OTHER, MISSING]
        above = [f"above {self.edges[-1]:.6g}"] if self.edges else ["any"]
        return [*(f"up to {edge:.6g}" for edge in self.edges), *above, MISSING]

    @property
    def slots(self) -> int:
        """How many counts a column has."""
        return len(self.edges or self.categories) + 2


def bins_of(values: "pd.Series[Any]", kind: "Kind", most: int = 10, *, private: bool = False) -> Bins:
    """Fix the bins of a column from a reference's values.

    Parameters
    ----------
    values : Series
    kind : str
        As the model file declares it. Text is counted by its length, a time by its seconds.
    most : int
        Bins of equal count for numbers, fewer where values repeat.
    private : bool
        No value that could belong to a single row becomes an edge or a category.

    Examples
    --------
    >>> bins_of(pd.Series(["a", "b", "a"]), "category").categories
    ('a', 'b')
    >>> bins_of(pd.Series([1.0, 2.0, 3.0, 4.0]), "number", most=2).edges
    (0.9999999999999999, 2.5, 4.0)
    """
    if kind_of(kind).bins == "category":
        shares = _shares(kind_of(kind).categories(values))
        shares = shares[shares >= MIN_GROUP_SIZE] if private else shares
        enough = int(np.searchsorted(shares.cumsum().to_numpy(), _COVERED * shares.sum())) + 1
        return Bins("category", categories=tuple(shares.index[: min(enough, _DEEPEST)]))
    numbers = kind_of(kind).numbers(values)
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return Bins("number")
    if private:
        within = _quantiles(numbers, np.linspace(0, 1, most + 1)[1:-1]).tolist()
        # A quantile can be the value of a row. Of times, whose seconds are large numbers, it stays.
        rounded = within if kind == "datetime" else [float(f"{edge:.3g}") for edge in within]
        return Bins("number", edges=_finite(np.unique(rounded)))
    inner = _quantiles(numbers, np.linspace(0, 1, most + 1)[1:])
    with np.errstate(over="ignore"):  # infinite, and no edge, below the least number that there is
        below = np.nextafter(numbers.min(), -np.inf)
    return Bins("number", edges=_finite(np.unique([below, *inner])))


def _finite(edges: "NDArray[np.float64]") -> tuple[float, ...]:
    return tuple(edges[np.isfinite(edges)].tolist())


def _quantiles(numbers: "NDArray[np.float64]", shares: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Quantiles, also of numbers whose difference is too large for a number."""
    with np.errstate(over="ignore"):
        scale = 1.0 if np.isfinite(numbers.max() - numbers.min()) else 0.5
    quantiles: NDArray[np.float64] = np.quantile(numbers * scale, shares) / scale
    return quantiles


def _shares(values: "pd.Series[Any]") -> "pd.Series[int]":
    """Counts by value, the most frequent first; ties in alphabetical order."""
    counted = values.value_counts()
    return counted.sort_index().sort_values(ascending=False, kind="stable")
