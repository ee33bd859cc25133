"""Drift: how far a window's columns lie from the champion's reference, and how far is too far."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from evergreen.drift.distances import Measures
from evergreen.drift.profile import Column
from evergreen.drift.thresholds import Threshold, measured


def measure(reference: Mapping[str, Column], window: Mapping[str, Column]) -> dict[str, Measures]:
    """Hold every column of a window against the reference; judged by `judge`.

    Parameters
    ----------
    reference, window : dict of name to Column
        Of the same bins.
    """
    return {name: measured(reference[name], window[name]) for name in reference if name in window}


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
