"""Performance of versions on labelled rows, as additive sums by block."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from evergreen.definition.metrics import Floats, Metric
from evergreen.evaluation import bootstrap
from evergreen.evaluation import evidence as evidences
from evergreen.evaluation import slices as slicing
from evergreen.evaluation.bootstrap import Blocks, Interval
from evergreen.ingestion import label_arrival
from evergreen.ingestion.label_arrival import ArrivalCurve
from evergreen.json_record import JsonRecord
from evergreen.training import fitting

if TYPE_CHECKING:
    from evergreen.definition.model import Model
    from evergreen.evaluation.evidence import Evidence


@dataclass(frozen=True)
class Realised:
    """The performance of one version in one period.

    Attributes
    ----------
    rows : int
    value : float
        The model's metric; NaN for no rows.
    sums : list of list of float
        By block, to add up with other periods: (blocks, k) of `evergreen.definition.metrics.Metric`.
    blocks : list of str
        The time of each block's first row; ISO 8601.
    """

    rows: int
    value: float
    sums: list[list[float]]
    blocks: list[str]


def realised(model: "Model", estimator: Any, rows: pd.DataFrame, classes: NDArray[Any] | None = None) -> Realised:
    """Score an estimator on labelled rows, by blocks of the gates' length.

    A class unknown to the estimator has the probability 0. Where it is compared with another one, `classes` are those
    of both.
    """
    if rows.empty:
        return Realised(0, float("nan"), [], [])
    if model.task == "classification" and classes is None:
        classes = np.asarray(estimator.classes_)
    return scored(model, rows, fitting.predict(model, estimator, rows, classes), classes)


def scored(model: "Model", rows: pd.DataFrame, prediction: Floats, classes: NDArray[Any] | None = None) -> Realised:
    """Score predictions of labelled rows, by blocks of the gates' length.

    Parameters
    ----------
    model : Model
    rows : DataFrame
        At least one, with the time and the target.
    prediction : array (n,) or (n, classes)
    classes : array, optional
        Of a classifier, in the order of the columns of `prediction`.
    """
    target, prediction = _aligned(model, rows, prediction, classes)
    blocks = Blocks.of(model, rows[model.time])
    sums = blocks.sums(model.metric, target, prediction)
    first = [time.isoformat() for time in rows[model.time].groupby(blocks.of_row).min()]
    return Realised(len(rows), float(model.metric.finish(sums.sum(axis=0))), sums.tolist(), first)


def total(model: "Model", periods: list[Realised]) -> float:
    """The metric over several periods together."""
    metric, sums = _pooled(model, periods)
    return float(metric.finish(sums.sum(axis=0)))


def by_month(model: "Model", periods: list[Realised]) -> dict[str, float]:
    """The metric by calendar month."""
    metric, sums = _pooled(model, periods)
    month = np.array([block[:7] for period in periods if period.rows for block in period.blocks])
    return {str(name): float(metric.finish(sums[month == name].sum(axis=0))) for name in np.unique(month)}


def gain(
    model: "Model", ours: Sequence[Realised | None], theirs: Sequence[Realised | None], level: float | None = None
) -> Interval:
    """The gain of `ours` over `theirs` in the same periods, paired by block; by default at the gates' level.

    A period without rows, or without predictions of one side (None), is left out; the gain is unknown if no period
    remains.
    """
    both = [(own, other) for own, other in zip(ours, theirs, strict=True) if own and other and own.rows]
    if not both:
        return Interval.unknown()
    (metric, own), (_, other) = (_pooled(model, list(side)) for side in zip(*both, strict=True))
    drawn = bootstrap.weights(len(own), model.gates.resamples, model.seed)
    confidence = 1 - model.gates.alpha if level is None else level
    return bootstrap.paired_gain(metric, own, other, drawn, confidence)


def interval(model: "Model", periods: list[Realised]) -> Interval:
    """The metric over several periods together, with its interval by blocks at the gates' level."""
    metric, sums = _pooled(model, periods)
    drawn = bootstrap.weights(len(sums), model.gates.resamples, model.seed)
    return bootstrap.score_interval(metric, sums, drawn, 1 - model.gates.alpha)


def _pooled(model: "Model", periods: list[Realised]) -> tuple[Metric, Floats]:
    """The sums of all blocks of several periods (blocks, k), and the metric that finishes them."""
    return model.metric.pooled([np.asarray(period.sums) for period in periods if period.rows])


_LEVEL = 0.95  # the default confidence level of an interval


@dataclass(frozen=True)
class Score:
    """The score of predictions on some rows.

    Attributes
    ----------
    rows, blocks : int
    value : float
        The model's metric.
    error : float
        Its standard error by blocks; NaN for fewer than two blocks.
    """

    rows: int
    blocks: int
    value: float
    error: float

    @classmethod
    def of(cls, interval: Interval, level: float, rows: int, blocks: int) -> "Score":
        """From an interval at a level, such as the challenger's in its evidence.

        Examples
        --------
        >>> there = Score(rows=700, blocks=7, value=10.0, error=0.5)
        >>> round(Score.of(there.interval(0.9), 0.9, rows=700, blocks=7).error, 9)
        0.5
        """
        reach = interval.high - interval.value
        return cls(rows, blocks, interval.value, reach / _student(level, blocks) if blocks > 1 else math.nan)

    @classmethod
    def unknown(cls, rows: int = 0) -> "Score":
        """The score of rows that cannot be scored, or not yet."""
        return cls(rows, 0, math.nan, math.nan)

    def interval(self, level: float = _LEVEL) -> Interval:
        """The confidence interval, as `evergreen.evaluation.bootstrap.interval` gives it."""
        if self.blocks < 2:
            return Interval(self.value, math.nan, math.nan)
        reach = _student(level, self.blocks) * self.error
        return Interval(self.value, self.value - reach, self.value + reach)


@dataclass(frozen=True)
class Part:
    """The score of predictions on one slice."""

    column: str
    value: str
    score: Score


@dataclass(frozen=True)
class Observed(JsonRecord):
    """The performance of the predictions of one period, on the labels that have arrived.

    Attributes
    ----------
    since, until : str or None
        The first and the last row; ISO 8601.
    rows : int
        Predicted rows.
    labelled : float
        The share of them whose label is known; NaN for no rows.
    mature : bool
        Whether the labels are; if not, nothing is scored. Stored files name it ``ripe``.
    finite : float
        The share of predictions that are finite.
    whole : Score
    slices : list of Part
        Those with enough labelled rows for the gates (`slice_rows`).
    """

    since: str | None
    until: str | None
    rows: int
    labelled: float
    mature: Annotated[bool, Field(alias="ripe")]
    finite: float
    whole: Score
    slices: list[Part] = field(default_factory=list)

    @classmethod
    def judged(cls, evidence: "Evidence") -> "Observed":
        """The baseline of a challenger from its stored evidence, without slices."""
        whole = Score.of(evidence.challenger, evidence.level, evidence.rows, evidence.blocks)
        return cls(evidence.since, evidence.until, evidence.rows, 1.0, mature=True, finite=evidence.finite, whole=whole)


def observed(
    model: "Model",
    rows: pd.DataFrame,
    prediction: Floats,
    *,
    classes: NDArray[Any] | None = None,
    arrival: ArrivalCurve | None = None,
    as_of: pd.Timestamp | None = None,
    after: timedelta | None = None,
) -> Observed:
    """Score the predictions of one period on the labels that have arrived.

    Parameters
    ----------
    model : Model
    rows : DataFrame
        The time, the target (missing where it is not known) and the slice columns.
    prediction : array (n,) or (n, classes)
    classes : array, optional
        Of a classifier, in the order of the columns of `prediction`; without them the target is
        the position of the class.
    arrival, as_of : ArrivalCurve, Timestamp, optional
        The label delay, and the time of the observation; without them all labels count as
        mature, as in a holdout.
    after : timedelta, optional
        The age of the youngest row at which labels should be in; by default as `arrival` says.

    Returns
    -------
    Observed
        Without a score until the labels are mature.
    """
    has_label = rows[model.target].notna().to_numpy(dtype=bool)
    times = label_arrival.naive(rows[model.time])
    mature = (
        arrival is None
        or as_of is None
        or label_arrival.mature(arrival, times, has_label, label_arrival.naive_timestamp(as_of), after=after)
    )
    labelled = rows[has_label].reset_index(drop=True)
    whole, slices = Score.unknown(int(has_label.sum())), []
    if mature and has_label.any():
        target, aligned = _aligned(model, labelled, prediction[has_label], classes)
        whole = _score(model, labelled, target, aligned)
        slices = list(_parts(model, labelled, target, aligned))
    return Observed(
        since=rows[model.time].min().isoformat() if len(rows) else None,
        until=rows[model.time].max().isoformat() if len(rows) else None,
        rows=len(rows),
        labelled=float(has_label.mean()) if len(rows) else math.nan,
        mature=mature,
        finite=evidences.finite_share(prediction),
        whole=whole,
        slices=slices,
    )


@lru_cache
def _student(level: float, blocks: int) -> float:
    from scipy.stats import t as student

    return float(student.ppf((1 + level) / 2, blocks - 1))


def _aligned(
    model: "Model", rows: pd.DataFrame, prediction: Floats, classes: NDArray[Any] | None
) -> tuple[NDArray[Any], Floats]:
    """Targets and predictions in the layout of the metrics; a class that was never predicted has the probability 0."""
    labels = fitting.target(model, rows)
    if model.task == "regression" or classes is None:
        return labels, prediction
    all_classes = np.unique(np.concatenate([labels, classes]))
    return np.searchsorted(all_classes, labels), fitting.aligned(prediction, classes, all_classes)


def _score(model: "Model", rows: pd.DataFrame, target: NDArray[Any], prediction: Floats) -> Score:
    blocks = Blocks.of(model, rows[model.time])
    sums = blocks.sums(model.metric, target, prediction)
    return Score.of(bootstrap.score_interval(model.metric, sums, blocks.drawn, _LEVEL), _LEVEL, len(rows), blocks.count)


def _parts(model: "Model", rows: pd.DataFrame, target: NDArray[Any], prediction: Floats) -> Iterator[Part]:
    for column in model.slices:
        for name, part in slicing.cells(model, rows, column):
            if len(part) >= model.gates.slice_rows:
                yield Part(column, name, _score(model, rows.iloc[part], target[part], prediction[part]))
