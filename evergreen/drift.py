"""Drift: how far a window's columns lie from the champion's reference, and how far is too far."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evergreen.metric import Floats
from evergreen.profile import Column

if TYPE_CHECKING:
    from evergreen.model import Monitoring

_YEAR = timedelta(days=365)
_FEWEST = 3  # windows that the reference must hold for a threshold to be drawn from it
_ROWS = 30  # fewer tell nothing of a share
_HALF = 0.5  # what is added to every count, so that the PSI of an empty bin is finite


def jensen_shannon(reference: ArrayLike, window: ArrayLike) -> Floats:
    """The Jensen-Shannon distance between counts: 0 for alike, 1 for disjoint.

    The square root of the divergence in bits (Lin, IEEE Trans. Information Theory 37, 1991), which
    is a metric (Endres and Schindelin, IEEE Trans. Information Theory 49, 2003).

    Parameters
    ----------
    reference, window : array (..., slots)
        Counts; NaN comes back where one of them holds none.

    Returns
    -------
    array (...)

    Examples
    --------
    >>> jensen_shannon([[5, 5], [1, 0]], [[5, 5], [0, 1]]).tolist()
    [0.0, 1.0]
    """
    p, q = _shares(reference), _shares(window)
    middle = (p + q) / 2
    divergence = (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2
    return np.asarray(np.sqrt(np.clip(divergence, 0.0, 1.0)))


def psi(reference: ArrayLike, window: ArrayLike) -> Floats:
    """The population stability index between counts, in nats: 0 for alike, without an upper bound.

    The symmetric relative entropy (Kullback and Leibler, Annals of Mathematical Statistics 22,
    1951; Siddiqi, Credit Risk Scorecards, 2006). Half a row is added to every bin, so that an
    empty one costs what it is worth and no more.

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
    >>> from evergreen.profile import Bins
    >>> bins = Bins("number", edges=(0.0, 1.0, 2.0))
    >>> at = lambda *counts: Column(bins, np.array([[*counts, 0]]), np.array([[1.0, 1.0, 0.0, 2.0]]))
    >>> round(wasserstein(at(0, 4, 0, 0), at(0, 0, 4, 0)), 3)  # moved by 1, the spread is 0.433
    2.309
    """
    known, seen = reference.counts[:, :-1].sum(axis=0), window.counts[:, :-1].sum(axis=0)
    if reference.bins.kind == "category" or not known.sum() or not seen.sum() or not reference.spread:
        return math.nan
    edges = np.array(reference.bins.edges)
    ends = [_ends(edges, reference), _ends(edges, window)]
    grid = np.unique(np.concatenate([edges, *ends]))
    below = [
        np.interp(grid, *_distribution(edges, counts, end)) for counts, end in zip((known, seen), ends, strict=True)
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


def _relative_entropy(p: Floats, q: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        terms = np.where(p == 0, 0.0, p * np.log2(p / q))
    return np.asarray(terms.sum(axis=-1))


@dataclass(frozen=True)
class Measures:
    """How far one column of a window lies from the reference.

    Attributes
    ----------
    jensen_shannon, psi, wasserstein : float
        The last is NaN for a category.
    rows, reference_rows : int
        That were counted, without what is missing.
    """

    jensen_shannon: float
    psi: float
    wasserstein: float
    rows: int
    reference_rows: int


def measure(reference: Mapping[str, Column], window: Mapping[str, Column]) -> dict[str, Measures]:
    """Hold every column of a window against the reference; judged by `judge`.

    Parameters
    ----------
    reference, window : dict of name to Column
        Of the same bins.
    """
    return {name: _measured(reference[name], window[name]) for name in reference if name in window}


def comparable(column: Column) -> "NDArray[np.int64]":
    """The counts that drift is measured by: of what is known, and of numbers within the reference's range.

    What is missing is a matter of quality, and so is what lies beyond the range, which counts
    with the nearest bin: a greatest age of 95 for 94 is no drift of ages.

    Parameters
    ----------
    column : Column

    Returns
    -------
    array (units, slots)

    Examples
    --------
    >>> from evergreen.profile import Bins
    >>> bins = Bins("number", edges=(0.0, 1.0, 2.0))
    >>> comparable(Column(bins, np.array([[1, 5, 6, 2, 9]]), np.zeros((1, 4)))).tolist()
    [[6, 8]]
    """
    known = column.counts[:, :-1]
    if column.bins.kind == "category" or known.shape[1] < 4:  # a constant has no bins to fall into
        return known
    inner = known[:, 1:-1].copy()
    inner[:, 0] += known[:, 0]
    inner[:, -1] += known[:, -1]
    return inner


def _measured(reference: Column, window: Column) -> Measures:
    held, seen = comparable(reference).sum(axis=0), comparable(window).sum(axis=0)
    return Measures(
        float(jensen_shannon(held, seen)),
        float(psi(held, seen)),
        wasserstein(reference, window),
        int(seen.sum()),
        int(held.sum()),
    )


@dataclass(frozen=True)
class Threshold:
    """From which Jensen-Shannon distance on a column has drifted.

    Attributes
    ----------
    movement : float
        How far the reference's own windows lie from the rest of it beyond chance (root mean
        square); infinite where the reference is too short to tell.
    windows : float
        How many windows that do not overlap the reference holds.
    level : float
        The chance, in one check, that a column that did not drift exceeds its threshold.
    degrees : int
        Of freedom of the bins, for what chance alone does to a window of few rows.
    """

    movement: float
    windows: float
    level: float
    degrees: int

    def at(self, rows: int, reference_rows: int) -> float:
        """The threshold for a window of so many rows.

        Examples
        --------
        >>> one = Threshold(movement=0.0, windows=7.0, level=1e-4, degrees=11)
        >>> round(one.at(70_000, 400_000), 3), round(one.at(100, 400_000), 3)
        (0.011, 0.26)
        >>> round(Threshold(0.01, 7.0, 1e-4, degrees=11).at(70_000, 400_000), 3)
        0.085
        """
        if not rows or not reference_rows or math.isinf(self.movement):
            return math.inf
        chance = _chi_squared(self.level, max(self.degrees, 1)) * _chance(rows, reference_rows)
        moved = _student(self.level / 2, self.windows) * self.movement
        return math.sqrt(chance + moved**2 * (1 + 1 / self.windows))


# Of scipy.special, since scipy.stats takes longer to import than a million rows to scan.
def _chi_squared(chance: float, degrees: int) -> float:
    """What a chi-squared exceeds with this chance."""
    from scipy.special import chdtri

    return float(chdtri(degrees, chance))


def _student(chance: float, degrees: float) -> float:
    """What Student's t exceeds with this chance."""
    from scipy.special import stdtrit

    return -float(stdtrit(degrees, chance))


def _chance(rows: Any, others: Any) -> Any:
    """The squared distance that chance gives two samples of one distribution, a degree of freedom.

    In nats it is a chi-squared over eight times the harmonic number of rows (Pardo, Statistical
    Inference Based on Divergence Measures, 2006, chapter 3).
    """
    return (1 / rows + 1 / others) / (8 * math.log(2))


def calibrate(reference: Mapping[str, Column], monitoring: "Monitoring") -> dict[str, Threshold]:
    """Draw every column's threshold from how the reference's own windows differ from the rest of it.

    Each run of units as long as a window, in its own order and with its own weekdays, is held
    against the units outside it, as a later window will be held against all of them. What chance
    alone does to counts of independent rows is known and taken off the squared distances; what is
    left, and a standard error more, is movement: of weather, of weeks, of whatever days have in
    common. The threshold squared
    is what chance does at the level, plus the prediction limit of one more movement: Student's t
    with as many degrees of freedom as the reference holds windows that do not overlap, times
    their root mean square. That takes movement for one number that is normal about nought, which
    has the heaviest tail of all that several numbers could have, so that more of them err on the
    quiet side. The level is shared over the columns (Sidak), so that all of them together raise
    `false_alarms` a year and no more.

    Parameters
    ----------
    reference : dict of name to Column
        By unit; a column may hold no rows in some units, which are left out for it.
    monitoring : Monitoring
        Window, unit and false alarms of the model file.

    Returns
    -------
    dict of name to Threshold
        Infinite for a column whose reference holds fewer than three windows.
    """
    size, chance = int(monitoring.window / monitoring.unit), level(monitoring, len(reference))
    return {name: _threshold(comparable(column), size, chance) for name, column in reference.items()}


def level(monitoring: "Monitoring", columns: int) -> float:
    """The chance of a false alarm of one column in one check."""
    a_check = min(monitoring.false_alarms * (monitoring.unit / _YEAR), 0.5)
    return float(1 - (1 - a_check) ** (1 / max(columns, 1)))


def _threshold(counts: "NDArray[np.int64]", size: int, level: float) -> Threshold:
    counts = counts[counts.sum(axis=1) > 0]
    windows, degrees = len(counts) / size, int((counts.sum(axis=0) > 0).sum()) - 1
    if windows < _FEWEST:
        return Threshold(math.inf, windows, level, degrees)
    until = np.cumsum(np.vstack([np.zeros_like(counts[:1]), counts]), axis=0)
    inside = until[size:] - until[:-size]
    outside = until[-1] - inside
    chance = degrees * _chance(inside.sum(axis=1), outside.sum(axis=1)).mean()
    beyond = float((jensen_shannon(outside, inside) ** 2).mean() - chance)
    unsure = float(chance * math.sqrt(2 / max(degrees, 1) / windows))  # the standard error of that mean
    return Threshold(math.sqrt(max(beyond, 0.0) + unsure), windows, level, degrees)


@dataclass(frozen=True)
class Drift:
    """One column's measures, judged.

    Attributes
    ----------
    column : str
    measures : Measures
    threshold : float
        For this window's rows.
    drifted : bool
    importance : float or None
        The column's share of what the champion's answers rest on; None for what is no feature.
    counts : bool
        Whether it drifted and its drift asks for a training.
    """

    column: str
    measures: Measures
    threshold: float
    drifted: bool
    importance: float | None
    counts: bool

    @property
    def times(self) -> float:
        """The distance in thresholds; NaN where there is no threshold yet, or nothing to measure."""
        return self.measures.jensen_shannon / self.threshold if math.isfinite(self.threshold) else math.nan

    @property
    def phrase(self) -> str:
        """In words, for a reason."""
        return f"{self.column} {self.measures.jensen_shannon:.3f} over {self.threshold:.3f}"


def judge(
    measured: Mapping[str, Measures],
    thresholds: Mapping[str, Threshold],
    importance: Mapping[str, float],
    important: float,
) -> list[Drift]:
    """Judge a window's measures, the farthest beyond its threshold first.

    Parameters
    ----------
    measured, thresholds : dict by column
    importance : dict by feature
        In any unit; negative counts as none.
    important : float
        The share from which on a feature's drift counts. What is no feature, such as the
        prediction or the label, always counts.
    """
    whole = sum(max(one, 0.0) for one in importance.values())
    found = []
    for name, one in measured.items():
        threshold = thresholds[name].at(one.rows, one.reference_rows)
        drifted = one.jensen_shannon > threshold
        share = max(importance[name], 0.0) / whole if whole and name in importance else None
        counts = drifted and (share is None or share >= important)
        found.append(Drift(name, one, threshold, drifted, share, counts))
    return sorted(found, key=_farthest_first)


def _farthest_first(one: Drift) -> tuple[float, str]:
    return (math.inf if math.isnan(one.times) else -one.times, one.column)


def quality(reference: Mapping[str, Column], window: Mapping[str, Column], level: float) -> list[str]:
    """What is wrong with a window's data, which is no drift: a phrase for each thing.

    More missing than in the reference, categories that it did not hold, values far beyond its
    range. A share counts as more if it is beyond chance at `level` and by a tenth of all rows.

    Parameters
    ----------
    reference, window : dict of name to Column
    level : float
        The chance of one false phrase.
    """
    found = []
    for name, one in window.items():
        base = reference[name]
        if not one.rows or not base.rows:
            continue
        missing = (one.missing, base.missing)
        if _more(*missing, one.rows, base.rows, level):
            found.append(f"{name}: {missing[0]:.0%} missing, {missing[1]:.0%} in the reference")
        if one.bins.kind == "category":
            other = (_other(one), _other(base))
            if _more(*other, one.rows, base.rows, level):
                found.append(f"{name}: {other[0]:.0%} in new categories, {other[1]:.0%} in the reference")
        else:
            found += _out_of_range(name, base, one)
    return found


def _other(column: Column) -> float:
    return float(column.counts[:, -2].sum()) / column.rows


def _more(share: float, base: float, rows: int, base_rows: int, level: float) -> bool:
    """Whether a share grew by a tenth of all, and beyond chance (two proportions, pooled)."""
    from scipy.special import ndtri

    if share - base < 0.1:
        return False
    if rows < _ROWS:
        return False  # the normal approximation says nothing of so few
    pooled = (share * rows + base * base_rows) / (rows + base_rows)
    error = math.sqrt(pooled * (1 - pooled) * (1 / rows + 1 / base_rows))
    return error == 0 or (share - base) / error > -float(ndtri(level))


def _out_of_range(name: str, base: Column, one: Column) -> list[str]:
    """Values farther outside the reference's range than that range is wide."""
    low, high = base.total().moments[0, 2:]
    seen_low, seen_high = one.total().moments[0, 2:]
    width = high - low
    far = [seen for seen, beyond in ((seen_low, low - seen_low), (seen_high, seen_high - high)) if beyond > width > 0]
    return [f"{name}: {seen:.6g}, far outside of {low:.6g} to {high:.6g}" for seen in far]
