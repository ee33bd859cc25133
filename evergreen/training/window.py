"""The training window that a record chooses: `Training(window="auto")`.

How far back rows still help differs between tables and changes with time, and a single holdout does not tell. So each
training compares windows on the rows that have come since the training before it, and all comparisons so far choose
the window (`evergreen.evaluation.windows` makes them).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import dropwhile, takewhile
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from evergreen.definition import loader
from evergreen.definition.metrics import Floats
from evergreen.definition.options import AUTO
from evergreen.durations import as_text
from evergreen.json_record import JsonRecord
from evergreen.registry.version import Version
from evergreen.training.split import Split

if TYPE_CHECKING:
    from evergreen.definition.model import Model
    from evergreen.training.snapshot import Snapshot

ALL = "all"  # history
LENGTHS = 16  # at most, that are compared
SHORTEST = 4  # units that the shortest window spans; each other spans twice the one before
DISCOUNT = 0.95  # what a comparison counts, for each unit that has passed since
_RIDGE = 0.02  # comparisons that say that all windows are alike
_LIMITS = 1.96  # standard errors from an estimate to the limits of its interval, about
Window = timedelta | None  # None for all history


@dataclass(frozen=True)
class WindowComparison(JsonRecord):
    """Two windows with the same cut-off, on rows after it.

    Attributes
    ----------
    used, other : str
        The length of the window of an earlier training, and of the one beside it; ``"all"`` for all history.
    gain, low, high : float
        How much better the first one is, as a share of the metric of the other, with its interval; NaN if one of them
        could not be fitted or scored.
    rows : int
        That both were scored on.
    until : str
        When these rows end; ISO 8601.
    share : float
        What the comparison counts beside others of the same age: the length of time of these rows in units, at most 1.
    """

    used: str
    other: str
    gain: float
    low: float
    high: float
    rows: int
    until: str
    share: float = 1.0

    @property
    def sentence(self) -> str:
        """The comparison in words.

        Examples
        --------
        >>> WindowComparison("all", "28d", 0.021, -0.01, 0.052, 300, "2013-02-01T00:00:00+00:00").sentence
        'all rows, +2.1% [-1.0%, +5.2%] against the newest 28d on 300 rows until 2013-02-01'
        """
        used, other = ("all rows" if name == ALL else f"the newest {name}" for name in (self.used, self.other))
        if not math.isfinite(self.gain):
            return f"{used}; {other} could not be compared"
        gain = f"{self.gain:+.1%} [{self.low:+.1%}, {self.high:+.1%}]"
        return f"{used}, {gain} against {other} on {self.rows:,} rows until {self.until[:10]}"


@dataclass(frozen=True)
class WindowRecord(JsonRecord):
    """The comparisons that one training added to the record."""

    comparisons: list[WindowComparison]

    @classmethod
    def of(cls, version: Version) -> "WindowRecord":
        """What a version's training added; empty for a fixed window."""
        return cls.parse(version.window_record) if version.window_record else cls([])


def choose(
    snapshot: "Snapshot", holdout_from: pd.Timestamp, cutoff: pd.Timestamp, comparisons: Sequence[WindowComparison]
) -> Window:
    """The longest window that no shorter one is ahead of by more than a standard error in the comparisons.

    Parameters
    ----------
    snapshot : Snapshot
        Of the rows to train on.
    holdout_from, cutoff : Timestamp
        The start of the holdout, which must be unseen: what was compared on rows from here on does not count; and the
        end of the training rows.
    comparisons : sequence of WindowComparison
    """
    model = snapshot.model
    if model.training.window != AUTO:
        return model.training.fixed_window
    there = {name_of(length): length for length in lengths(snapshot, cutoff)}
    counted = [comparison for comparison in comparisons if pd.Timestamp(comparison.until) <= holdout_from]
    found = effects(list(there), counted, [weight(model, comparison, holdout_from) for comparison in counted])
    return there[found.chosen(list(there))]


def unfitted(failed: Split, used: Split) -> WindowComparison:
    """The record of a window that could not be fitted, so that a longer one was used."""
    names, none = (name_of(used.window), name_of(failed.window)), math.nan
    return WindowComparison(*names, none, none, none, 0, failed.holdout_from.isoformat(), 0.0)


def unit(model: "Model") -> timedelta:
    """What windows and the age of comparisons are counted in: the time between trainings, and at most a holdout.

    A holdout of many weeks says how much a verdict needs, not how fast the data change: of a model that is trained
    every week, windows of a few weeks are compared as well.
    """
    holdout, every = model.training.holdout, model.policy.every
    return min(holdout, every) if every else holdout


def lengths(snapshot: "Snapshot", cutoff: pd.Timestamp) -> list[Window]:
    """The windows that are compared, longest first: all history, and shorter ones that hold enough rows."""
    model = snapshot.model
    oldest, least = snapshot.oldest(), model.training.min_rows
    doubled = (unit(model) * SHORTEST * 2**times for times in range(LENGTHS - 1))
    shorter = takewhile(lambda length: cutoff - length > oldest, doubled)
    # What is longer holds more: rows are counted up to the first that holds enough.
    enough = dropwhile(lambda length: snapshot.count(cutoff - length, cutoff) < least, shorter)
    return [None, *reversed(list(enough))]


def recorded(model: "Model", versions: Sequence[Version]) -> list[WindowComparison]:
    """The comparisons of earlier trainings with the same code, of the model file and what it imports; oldest first."""
    records = [WindowRecord.of(version) for version in alike(model, versions)]
    comparisons = [comparison for record in records for comparison in record.comparisons]
    return sorted(comparisons, key=lambda comparison: comparison.until)


def alike(model: "Model", versions: Sequence[Version]) -> list[Version]:
    """The versions whose code, of the model file and of the modules that it imports, is as it is now."""
    code = loader.code_of(model.name).digest
    return [version for version in versions if version.code_hash == code]


def weight(model: "Model", comparison: WindowComparison, now: pd.Timestamp) -> float:
    """What a comparison counts at a time."""
    age = (now - pd.Timestamp(comparison.until)).to_pytimedelta() / unit(model)
    return comparison.share * float(DISCOUNT**age)


def waiting(names: Sequence[str], comparisons: Sequence[WindowComparison]) -> list[str]:
    """Windows in the order of their turns: those whose comparison is longest ago first, or that had none.

    Examples
    --------
    >>> waiting(["all", "56d", "28d"], [WindowComparison("all", "28d", 0.1, 0.0, 0.2, 9, "")])
    ['56d', 'all', '28d']
    """
    last = {name: place for place, pair in enumerate(comparisons) for name in (pair.used, pair.other)}
    return sorted(names, key=lambda name: last.get(name, -1))


@dataclass(frozen=True)
class Effects:
    """How well windows do, and how certain that is.

    Attributes
    ----------
    values : dict of name to float
        In shares of the metric; higher is better, and their mean is 0.
    covariance : array (n, n)
        In the order of `values`.
    """

    values: dict[str, float]
    covariance: Floats

    def ahead(self, name: str, of: str) -> bool:
        """Whether one window does better than another by more than the standard error of the difference."""
        place = {known: index for index, known in enumerate(self.values)}
        one, other = place[name], place[of]
        variance = self.covariance[one, one] + self.covariance[other, other] - 2 * self.covariance[one, other]
        return self.values[name] - self.values[of] > math.sqrt(max(float(variance), 0.0))

    def chosen(self, names: Sequence[str]) -> str:
        """Of windows, longest first: a shorter one only where it is ahead.

        The rule of one standard error (Breiman et al., "Classification and Regression Trees", 1984, section 3.4.3).
        """
        best = names[0]
        for name in names[1:]:
            best = name if self.ahead(name, best) else best
        return best


def effects(names: Sequence[str], comparisons: Sequence[WindowComparison], weights: Sequence[float]) -> Effects:
    """How well windows do, by least squares on the recorded differences.

    A small ridge holds windows together that were not compared. The variance of a difference is that of the residuals;
    the variance within the comparisons counts as one more of them, since a few fit too well.

    Examples
    --------
    >>> pairs = [("all", "28d", -0.1), ("28d", "14d", 0.02)]
    >>> known = [WindowComparison(a, b, gain, gain - 0.05, gain + 0.05, 9, "") for a, b, gain in pairs]
    >>> found = effects(["all", "28d", "14d"], known, [1.0, 1.0])
    >>> {name: round(effect, 2) for name, effect in found.values.items()}, found.chosen(["all", "28d", "14d"])
    ({'all': -0.06, '28d': 0.04, '14d': 0.02}, '28d')
    """
    counted = [place for place, pair in enumerate(comparisons) if math.isfinite(pair.gain)]
    pairs, weight = [comparisons[place] for place in counted], np.array([weights[place] for place in counted])
    all_names = list(dict.fromkeys([*names, *(name for pair in pairs for name in (pair.used, pair.other))]))
    contrasts = np.zeros((len(pairs), len(all_names)))
    for row, pair in zip(contrasts, pairs, strict=True):
        row[all_names.index(pair.used)], row[all_names.index(pair.other)] = 1.0, -1.0
    gains = np.clip([pair.gain for pair in pairs], -1.0, 1.0)
    inverse = np.linalg.inv(contrasts.T @ (weight[:, None] * contrasts) + _RIDGE * np.eye(len(all_names)))
    values = inverse @ contrasts.T @ (weight * gains)
    residuals = gains - contrasts @ values
    within = [((pair.high - pair.low) / 2 / _LIMITS) ** 2 for pair in pairs if math.isfinite(pair.high - pair.low)]
    free = max(float(weight.sum()) - (len(all_names) - 1), 0.0) + 1
    variance = (float(weight @ residuals**2) + float(np.mean(within or [0.0]))) / free
    return Effects(dict(zip(all_names, values.tolist(), strict=True)), np.asarray(inverse * variance, dtype=np.float64))


def told(version: Version) -> str:
    """What a version's training compared, in words; empty for a fixed window."""
    return "; ".join(comparison.sentence for comparison in WindowRecord.of(version).comparisons)


def place(model: "Model", length: Window) -> int:
    """Which of the possible windows it is: 0 for all history, 1 for the shortest, below `LENGTHS`."""
    return 0 if length is None else 1 + round(math.log2(length / (unit(model) * SHORTEST)))


def name_of(length: Window) -> str:
    """A window as text."""
    return ALL if length is None else as_text(length)
