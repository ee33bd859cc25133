"""Distances between two distributions of counts."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evergreen.definition.metrics import Floats
from evergreen.drift.profile import Column

FARTHEST = 1.0  # the Jensen-Shannon distance of distributions that have nothing in common
_HALF = 0.5  # added to every count, so that the PSI of an empty bin is finite


def jensen_shannon(reference: ArrayLike, window: ArrayLike) -> Floats:
    """The Jensen-Shannon distance between counts: 0 if they are equal, 1 if they are disjoint.

    The square root of the divergence in bits (Lin, IEEE Trans. Information Theory 37, 1991), which
    is a metric (Endres and Schindelin, IEEE Trans. Information Theory 49, 2003).

    Parameters
    ----------
    reference, window : array (..., slots)
        Counts; the result is NaN where one of them is all 0.

    Returns
    -------
    array (...)

    Examples
    --------
    >>> jensen_shannon([[5, 5], [1, 0]], [[5, 5], [0, 1]]).tolist()
    [0.0, 1.0]
    """
    from scipy.special import rel_entr  # imported here, so that a command that compares nothing starts sooner

    p, q = _shares(reference), _shares(window)
    middle = (p + q) / 2
    divergence = (rel_entr(p, middle) + rel_entr(q, middle)).sum(axis=-1) / (2 * math.log(2))
    return np.asarray(np.sqrt(np.clip(divergence, 0.0, 1.0)))


def psi(reference: ArrayLike, window: ArrayLike) -> Floats:
    """The population stability index between counts, in nats: 0 if they are equal, without an upper bound.

    The symmetric relative entropy (Kullback and Leibler, Annals of Mathematical Statistics 22,
    1951; Siddiqi, Credit Risk Scorecards, 2006). Half a row is added to every bin, so that an
    empty bin adds a finite amount.

    Examples
    --------
    >>> round(float(psi([50, 50], [50, 50])), 3), round(float(psi([5000, 5000], [4000, 6000])), 3)
    (0.0, 0.041)
    """
    p = _shares(np.asarray(reference, dtype=np.float64) + _HALF)
    q = _shares(np.asarray(window, dtype=np.float64) + _HALF)
    return np.asarray(((q - p) * np.log(q / p)).sum(axis=-1))


def wasserstein(reference: Column, window: Column) -> float:
    """The earth mover's distance of a number's known values, in standard deviations of the reference.

    The area between the two distribution functions (Vallender, Theory of Probability and its
    Applications 18, 1974), which are taken as straight between the edges of the bins, and from
    the last edge to the greatest value; NaN for a category, for no values, or for a reference
    without spread.

    Examples
    --------
    >>> from evergreen.drift.bins import Bins
    >>> bins = Bins("number", edges=(0.0, 1.0, 2.0))
    >>> at = lambda *counts: Column(bins, np.array([[*counts, 0]]), np.array([[1.0, 1.0, 0.0, 2.0]]))
    >>> round(wasserstein(at(0, 4, 0, 0), at(0, 0, 4, 0)), 3)  # moved by 1, the spread is 0.433
    2.309
    """
    reference_counts, window_counts = reference.counts[:, :-1].sum(axis=0), window.counts[:, :-1].sum(axis=0)
    if (
        reference.bins.kind == "category"
        or not reference_counts.sum()
        or not window_counts.sum()
        or not reference.spread
    ):
        return math.nan
    edges = np.array(reference.bins.edges)
    ends = [_ends(edges, reference), _ends(edges, window)]
    grid = np.unique(np.concatenate([edges, *ends]))
    below = [
        np.interp(grid, *_distribution(edges, counts, end))
        for counts, end in zip((reference_counts, window_counts), ends, strict=True)
    ]
    gap = np.abs(below[0] - below[1])
    return float(np.sum((gap[1:] + gap[:-1]) / 2 * np.diff(grid))) / reference.spread


def _ends(edges: Floats, column: Column) -> Floats:
    """How far the values reach beyond the edges."""
    low, high = column.total().moments[0, 2:]
    return np.array([np.fmin(low, edges[0]), np.fmax(high, edges[-1])])


def _distribution(edges: Floats, counts: "NDArray[Any]", ends: Floats) -> tuple[Floats, Floats]:
    """The share of values at or below each point."""
    share = np.concatenate([[0.0], np.cumsum(counts) / counts.sum()])
    return np.concatenate([[ends[0]], edges, [ends[1]]]), share


def _shares(counts: ArrayLike) -> Floats:
    counts = np.asarray(counts, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(counts / counts.sum(axis=-1, keepdims=True))


@dataclass(frozen=True)
class Measures:
    """How far one column of a window lies from the reference.

    Attributes
    ----------
    jensen_shannon, psi, wasserstein : float
        The last is NaN for a category.
    rows, reference_rows : int
        The counted rows, without missing values.
    """

    jensen_shannon: float
    psi: float
    wasserstein: float
    rows: int
    reference_rows: int
