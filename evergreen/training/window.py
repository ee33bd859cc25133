"""The training window that a record chooses: `Training(window="auto")`.

How far back rows still help differs between tables and changes with time, and a single holdout does not tell. So each
training fits two windows: the one that has done best so far, which is judged and may be promoted, and another one in
turn. Both are scored on the holdout, and the difference is recorded with the version, for the trainings that follow.
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
from evergreen.definition.options import AUTO
from evergreen.durations import as_text
from evergreen.json_record import JsonRecord
from evergreen.registry.version import Version

if TYPE_CHECKING:
    from evergreen.definition.model import Model
    from evergreen.training.snapshot import Snapshot

ALL = "all"  # history
LENGTHS = 16  # at most, that are compared
_SHORTEST = 4  # holdouts that the shortest window spans; each other spans twice the one before
_DISCOUNT = 0.95  # what a comparison counts, for each holdout that has passed since
_RIDGE = 0.02  # comparisons that say that all windows are alike
Window = timedelta | None  # None for all history


@dataclass(frozen=True)
class WindowComparison(JsonRecord):
    """Two windows on the holdout of one training.

    Attributes
    ----------
    used, other : str
        The length of the window that was judged, and of the one beside it; ``"all"`` for all history.
    gain, low, high : float
        How much better the first one is, as a share of the metric of the other, with its interval; NaN if the other
        could not be fitted or scored.
    rows : int
        That both were scored on.
    """

    used: str
    other: str
    gain: float
    low: float
    high: float
    rows: int

    @property
    def sentence(self) -> str:
        """The comparison in words.

        Examples
        --------
        >>> WindowComparison("all", "28d", 0.021, -0.01, 0.052, 300).sentence
        'all rows, +2.1% [-1.0%, +5.2%] against the newest 28d on 300 rows of the holdout'
        """
        used, other = ("all rows" if name == ALL else f"the newest {name}" for name in (self.used, self.other))
        if not math.isfinite(self.gain):
            return f"{used}; {other} could not be compared"
        gain = f"{self.gain:+.1%} [{self.low:+.1%}, {self.high:+.1%}]"
        return f"{used}, {gain} against {other} on {self.rows:,} rows of the holdout"


@dataclass(frozen=True)
class Choice:
    """The windows of a training.

    Attributes
    ----------
    used : timedelta or None
        None for all history.
    compared : tuple of (timedelta or None)
        The other window, to be compared with it; empty if there is none.
    """

    used: Window
    compared: tuple[Window, ...] = ()


def choose(
    snapshot: "Snapshot", holdout_from: pd.Timestamp, cutoff: pd.Timestamp, versions: Sequence[Version]
) -> Choice:
    """The window that has done best in the record (all history before there is one), and the one whose turn it is.

    Parameters
    ----------
    snapshot : Snapshot
        Of the rows to train on.
    holdout_from, cutoff : Timestamp
        The start of the holdout, which must be unseen: what was compared on rows from here on does not count; and the
        end of the training rows.
    versions : sequence of Version
        Of the model; those of other code, of the model file or of a module that it imports, do not count.
    """
    model = snapshot.model
    if model.training.window != AUTO:
        return Choice(model.training.fixed_window)
    there = {name_of(length): length for length in lengths(snapshot, cutoff)}
    recorded = record(model, versions, holdout_from)
    effect = effects([comparison for comparison, _ in recorded], [weight for _, weight in recorded])
    best = max(there, key=lambda name: effect.get(name, 0.0))  # of equals, the longest
    others = [name for name in there if name != best]
    last = {name: place for place, (pair, _) in enumerate(recorded) for name in (pair.used, pair.other)}
    turn = sorted(others, key=lambda name: last.get(name, -1))[:1]
    return Choice(there[best], tuple(there[name] for name in turn))


def lengths(snapshot: "Snapshot", cutoff: pd.Timestamp) -> list[Window]:
    """The windows that are compared, longest first: all history, and shorter ones that hold enough rows."""
    model = snapshot.model
    oldest, least = snapshot.oldest(), model.training.min_rows
    doubled = (model.training.holdout * _SHORTEST * 2**times for times in range(LENGTHS - 1))
    shorter = takewhile(lambda length: cutoff - length > oldest, doubled)
    # What is longer holds more: rows are counted up to the first that holds enough.
    enough = dropwhile(lambda length: snapshot.count(cutoff - length, cutoff) < least, shorter)
    return [None, *reversed(list(enough))]


def record(model: "Model", versions: Sequence[Version], before: pd.Timestamp) -> list[tuple[WindowComparison, float]]:
    """The comparisons on rows before a time, oldest first, each with what it still counts."""
    code, found = loader.code_of(model.name).digest, []
    for version in versions:
        until = version.holdout_until
        if version.window_comparison and until is not None and until <= before and version.code_hash == code:
            age = (before - until).to_pytimedelta() / model.training.holdout
            found.append((until, WindowComparison.parse(version.window_comparison), _DISCOUNT**age))
    return [(comparison, weight) for _, comparison, weight in sorted(found, key=lambda entry: entry[0])]


def effects(comparisons: Sequence[WindowComparison], weights: Sequence[float]) -> dict[str, float]:
    """How well each window does, in shares of the metric, by least squares on the recorded differences.

    A small ridge holds windows together that were not compared.

    Examples
    --------
    >>> pairs = [("all", "28d", -0.1), ("28d", "14d", 0.02)]
    >>> found = effects([WindowComparison(a, b, gain, gain, gain, 9) for a, b, gain in pairs], [1.0, 1.0])
    >>> {name: round(effect, 2) for name, effect in found.items()}
    {'14d': 0.02, '28d': 0.04, 'all': -0.06}
    """
    told = [(pair, weight) for pair, weight in zip(comparisons, weights, strict=True) if math.isfinite(pair.gain)]
    names = sorted({name for pair, _ in told for name in (pair.used, pair.other)})
    place = {name: index for index, name in enumerate(names)}
    normal, right = _RIDGE * np.eye(len(names)), np.zeros(len(names))
    for pair, weight in told:
        contrast = np.zeros(len(names))
        contrast[place[pair.used]], contrast[place[pair.other]] = 1.0, -1.0
        normal += weight * np.outer(contrast, contrast)
        right += weight * float(np.clip(pair.gain, -1, 1)) * contrast
    solved = np.linalg.solve(normal, right) if names else right
    return dict(zip(names, solved.tolist(), strict=True))


def told(version: Version) -> str:
    """The comparison of a training's windows in words; empty for a fixed window."""
    stored = version.window_comparison
    return WindowComparison.parse(stored).sentence if stored else ""


def place(model: "Model", length: Window) -> int:
    """Which of the possible windows it is: 0 for all history, 1 for the shortest, below `LENGTHS`."""
    return 0 if length is None else 1 + round(math.log2(length / (model.training.holdout * _SHORTEST)))


def name_of(length: Window) -> str:
    """A window as text."""
    return ALL if length is None else as_text(length)
