"""Thresholds: calibrated from how much windows of the reference period differ from the rest of it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from evergreen.definition.options import REFERENCE_WINDOWS
from evergreen.drift.distances import Measures, jensen_shannon, psi, wasserstein
from evergreen.drift.profile import Column

if TYPE_CHECKING:
    from evergreen.definition.options import Monitoring

_YEAR = timedelta(days=365)
ROWS = 30  # with fewer rows a share is too uncertain


def comparable(column: Column) -> "NDArray[np.int64]":
    """The counts that drift is measured on: known values, with numbers clipped to the reference's range.

    Missing values and values outside the range belong to data quality. A value outside the range counts
    in the nearest bin: a highest age of 95 instead of 94 is not drift.

    Parameters
    ----------
    column : Column

    Returns
    -------
    array (units, slots)

    Examples
    --------
    >>> from evergreen.drift.bins import Bins
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


def measured(reference: Column, window: Column) -> Measures:
    """All distances between a reference and a window."""
    reference_counts, window_counts = comparable(reference).sum(axis=0), comparable(window).sum(axis=0)
    return Measures(
        float(jensen_shannon(reference_counts, window_counts)),
        float(psi(reference_counts, window_counts)),
        wasserstein(reference, window),
        int(window_counts.sum()),
        int(reference_counts.sum()),
    )


@dataclass(frozen=True)
class Threshold:
    """The Jensen-Shannon distance above which a column has drifted.

    Attributes
    ----------
    movement : float
        How far the reference's own windows lie from the rest of it beyond chance (root mean
        square); infinite if the reference is too short to calibrate.
    windows : float
        How many windows the reference contains that do not overlap.
    level : float
        The chance, in one check, that a column that did not drift exceeds its threshold.
    degrees : int
        Degrees of freedom of the bins, for the effect of chance on a window of few rows.
    """

    movement: float
    windows: float
    level: float
    degrees: int

    def at(self, rows: int, reference_rows: int) -> float:
        """The threshold for a window of so many rows.

        Examples
        --------
        >>> threshold = Threshold(movement=0.0, windows=7.0, level=1e-4, degrees=11)
        >>> round(threshold.at(70_000, 400_000), 3), round(threshold.at(100, 400_000), 3)
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
    """The value that a chi-squared variable exceeds with this probability."""
    from scipy.special import chdtri

    return float(chdtri(degrees, chance))


def _student(chance: float, degrees: float) -> float:
    """The value that Student's t exceeds with this probability."""
    from scipy.special import stdtrit

    return -float(stdtrit(degrees, chance))


def _chance(rows: Any, others: Any) -> Any:
    """The expected squared distance of two samples of one distribution, per degree of freedom.

    In nats it is a chi-squared variable over eight times the harmonic number of rows (Pardo, Statistical
    Inference Based on Divergence Measures, 2006, chapter 3).
    """
    return (1 / rows + 1 / others) / (8 * math.log(2))


def calibrate(reference: Mapping[str, Column], monitoring: "Monitoring") -> dict[str, Threshold]:
    """Calibrate each column's threshold from how much windows of the reference differ from the rest of it.

    Each run of units as long as a window is compared with the units outside it, as a later window
    will be compared with all of them. The distance that chance alone gives counts of independent
    rows is known, and is subtracted from the squared distances; the rest, plus one standard error,
    is movement: weather, weeks, anything that the rows of a day have in common. The squared
    threshold is the distance by chance at the level, plus the prediction limit of one more
    movement: Student's t with as many degrees of freedom as the reference has windows that do not
    overlap, times their root mean square. This treats movement as a single number that is normal
    around 0. If it has several components, the tail is lighter, so the threshold is too high
    rather than too low. The level is shared over the columns (Sidak), so that all of them together
    raise at most `false_alarms` a year.

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
    if windows < REFERENCE_WINDOWS:
        return Threshold(math.inf, windows, level, degrees)
    until = np.cumsum(np.vstack([np.zeros_like(counts[:1]), counts]), axis=0)
    inside = until[size:] - until[:-size]
    outside = until[-1] - inside
    chance = degrees * _chance(inside.sum(axis=1), outside.sum(axis=1)).mean()
    beyond = float((jensen_shannon(outside, inside) ** 2).mean() - chance)
    unsure = float(chance * math.sqrt(2 / max(degrees, 1) / windows))  # the standard error of that mean
    return Threshold(math.sqrt(max(beyond, 0.0) + unsure), windows, level, degrees)
