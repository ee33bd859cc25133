"""The drift of each column: its distance from the champion's reference, compared with a threshold."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from evergreen.drift.cusum import Slide
from evergreen.drift.distances import Measures
from evergreen.drift.profile import Column
from evergreen.drift.thresholds import Threshold, measured


def measure(reference: Mapping[str, Column], window: Mapping[str, Column]) -> dict[str, Measures]:
    """Measure the distance of every column of a window from the reference; `judge` compares it with a threshold.

    Parameters
    ----------
    reference, window : dict of name to Column
        Of the same bins.
    """
    return {name: measured(reference[name], window[name]) for name in reference if name in window}


@dataclass(frozen=True)
class Drift:
    """One column's distances, compared with its threshold.

    Attributes
    ----------
    column : str
    measures : Measures
    threshold : float
        For this window's rows.
    drifted : bool
    importance : float or None
        The column's share of the champion's feature importance; None if it is not a feature.
    counts : bool
        Whether it drifted and is important enough to trigger a training.
    slide : Slide or None
        The cumulative sum since the reference, which finds slow drift; None if the reference is too short.
    """

    column: str
    measures: Measures
    threshold: float
    drifted: bool
    importance: float | None
    counts: bool
    slide: Slide | None = None

    @property
    def times(self) -> float:
        """The distance as a multiple of the threshold, or the sum of its limit if that is more; NaN without either."""
        distance = self.measures.jensen_shannon / self.threshold if math.isfinite(self.threshold) else math.nan
        return float(np.fmax(distance, self.slide.times if self.slide else math.nan))

    @property
    def rank(self) -> float:
        """Its importance, by which a page orders columns; infinite for a prediction or a label, which have none."""
        return math.inf if self.importance is None else self.importance

    @property
    def phrase(self) -> str:
        """What exceeds which threshold as text, for a reason."""
        if self.slide and self.slide.drifted and not self.measures.jensen_shannon > self.threshold:
            return f"{self.column} {self.slide.phrase}"
        return f"{self.column} {self.measures.jensen_shannon:.3f} over {self.threshold:.3f}"


def judge(
    measured: Mapping[str, Measures],
    thresholds: Mapping[str, Threshold],
    importance: Mapping[str, float],
    important: float,
    slides: Mapping[str, Slide] | None = None,
) -> list[Drift]:
    """Compare a window's distances with their thresholds; the largest multiple comes first.

    Parameters
    ----------
    measured, thresholds : dict by column
    importance : dict by feature
        In any unit; a negative value counts as 0. One that is not finite is not known: then the column counts.
    important : float
        The least share with which a feature's drift counts. A column that is not a feature, such as
        the prediction or the label, always counts.
    slides : dict by column, optional
        From `evergreen.drift.cusum.slides`.
    """
    importance = {name: max(share, 0.0) for name, share in importance.items() if math.isfinite(share)}
    total = sum(importance.values())
    drifts = []
    for name, measures in measured.items():
        threshold = thresholds[name].at(measures.rows, measures.reference_rows)
        slide = (slides or {}).get(name)
        drifted = measures.jensen_shannon > threshold or (slide is not None and slide.drifted)
        share = importance[name] / total if total and name in importance else None
        counts = drifted and (share is None or share >= important)
        drifts.append(Drift(name, measures, threshold, drifted, share, counts, slide))
    return sorted(drifts, key=_farthest_first)


def _farthest_first(drift: Drift) -> tuple[float, str]:
    return (math.inf if math.isnan(drift.times) else -drift.times, drift.column)
