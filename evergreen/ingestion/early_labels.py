"""Whether labels that are known early differ from late ones by outcome, among rows of the same time."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from evergreen.definition.metrics import Floats
from evergreen.durations import in_words
from evergreen.json_record import JsonRecord

if TYPE_CHECKING:
    from evergreen.ingestion.label_times import LabelTimes

SIGNIFICANT = 0.01  # the error probability of all looks together
_LOOKS = 365  # a look at each training or check: a year of them share the error probability
_STRATUM = 50  # rows of neighbouring times, at least, among which early and late labels are compared
_STRATA = 50


@dataclass(frozen=True)
class EarlyLabels(JsonRecord):
    """How the outcomes of early labels differ from those of late ones; no value of a label is told.

    Attributes
    ----------
    within : float
        The age in seconds within which about half of the labels are known: the early ones.
    early, late : float
        The share of early and of late labels that the outcome makes up which differs most: a class, or a quarter of
        the numbers.
    chance : float
        The probability of such a difference by chance, of any outcome.
    """

    within: float
    early: float
    late: float
    chance: float

    @property
    def biased(self) -> bool:
        """Whether they differ beyond chance, with a year of daily looks."""
        return self.chance < SIGNIFICANT / _LOOKS

    def sentence(self, task: str) -> str:
        """The difference in words.

        Examples
        --------
        >>> EarlyLabels(17 * 86_400.0, 0.92, 0.12, 1e-9).sentence("classification")
        'one class makes up 92% of the labels that are known within 17 days, and 12% of later ones'
        """
        outcome = "one class" if task == "classification" else "one quarter of the values"
        within = in_words(timedelta(seconds=self.within))
        shares = f"{self.early:.0%} of the labels that are known within {within}, and {self.late:.0%} of later ones"
        return f"{outcome} makes up {shares}"


def compared(seen: "LabelTimes", mature: float) -> EarlyLabels | None:
    """Compare early labels with late ones, of rows that are old enough to have both; None if there are too few.

    Rows of the same time are compared (Mantel and Haenszel, "Statistical Aspects of the Analysis of Data from
    Retrospective Studies of Disease", Journal of the National Cancer Institute 22, 1959), so that outcomes and delays
    that both change with time are no difference. Each outcome is compared with all others (Bonferroni).

    Parameters
    ----------
    seen : LabelTimes
    mature : float
        The age in seconds at which nearly all labels are known.
    """
    from scipy.stats import chi2

    rows = np.flatnonzero(seen.arrived & (seen.followed >= mature))
    rows = rows[np.argsort(seen.followed[rows], kind="stable")]
    if len(rows) < 2 * _STRATUM:
        return None
    age, outcome = seen.age[rows], seen.outcome[rows]
    within = _middle(age)
    early, stratum = age <= within, np.arange(len(rows)) * min(_STRATA, len(rows) // _STRATUM) // len(rows)
    names = np.unique(outcome)
    if early.all() or len(names) < 2:
        return EarlyLabels(within, 1.0, 1.0, 1.0)
    tests = [_mantel_haenszel(early, outcome == name, stratum) for name in names]
    most = outcome == names[int(np.argmax(tests))]
    chance = min(1.0, len(names) * float(chi2.sf(max(tests), 1)))
    return EarlyLabels(within, float(most[early].mean()), float(most[~early].mean()), chance)


def _middle(age: Floats) -> float:
    """The median, or where none is larger the largest that is smaller; the median if all are equal."""
    median = float(np.median(age))
    smaller = age[age < median]
    return float(smaller.max()) if len(smaller) and not (age > median).any() else median


def _mantel_haenszel(early: NDArray[np.bool_], member: NDArray[np.bool_], stratum: NDArray[np.int64]) -> float:
    """The statistic of the test that membership is independent of being early within each stratum."""
    count = np.bincount(stratum).astype(np.float64)
    first, inside = (np.bincount(stratum, weights=flags) for flags in (early, member))
    both = np.bincount(stratum, weights=early & member)
    variance = (first * (count - first) * inside * (count - inside) / (count**2 * np.maximum(count - 1, 1))).sum()
    return float((both - first * inside / count).sum() ** 2 / variance) if variance else 0.0
