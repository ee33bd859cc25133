"""Performance of versions on rows whose labels are known, as sums by block that add up."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen.definition.metrics import Floats
from evergreen.evaluation import bootstrap
from evergreen.evaluation import evidence as evidences
from evergreen.evaluation import slices as slicing
from evergreen.evaluation.bootstrap import Blocks, Interval
from evergreen.ingestion import label_delay
from evergreen.ingestion.label_delay import Arrival
from evergreen.json_record import JsonRecord
from evergreen.training import fitting

if TYPE_CHECKING:
    from evergreen.definition.model import Model
    from evergreen.evaluation.evidence import Evidence


@dataclass(frozen=True)
class Realised:
    """How one version did in one period.

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


def realised(model: "Model", estimator: Any, rows: pd.DataFrame) -> Realised:
    """Score an estimator on labelled rows, by blocks of the length that the gates go by.

    A class that it never saw has the probability nought.
    """
    if rows.empty:
        return Realised(0, float("nan"), [], [])
    classes = None if model.task == "regression" else np.asarray(estimator.classes_)
    target, prediction = _aligned(model, rows, fitting.predict(model, estimator, rows), classes)
    blocks = Blocks.of(model, rows[model.time])
    sums = blocks.sums(model.metric, target, prediction)
    first = [moment.isoformat() for moment in rows[model.time].groupby(blocks.of_row).min()]
    return Realised(len(rows), float(model.metric.finish(sums.sum(axis=0))), sums.tolist(), first)


def total(model: "Model", periods: list[Realised]) -> float:
    """The metric over several periods together."""
    return float(model.metric.finish(_stacked(periods).sum(axis=0)))


def by_month(model: "Model", periods: list[Realised]) -> dict[str, float]:
    """The metric by calendar month."""
    sums = _stacked(periods)
    month = np.array([block[:7] for one in periods if one.rows for block in one.blocks])
    return {str(one): float(model.metric.finish(sums[month == one].sum(axis=0))) for one in np.unique(month)}


def gain(
    model: "Model", ours: Sequence[Realised | None], theirs: Sequence[Realised | None], level: float | None = None
) -> Interval:
    """By how much one did better than the other over the same periods, paired by block; at the gates' level.

    A period without rows, or that one of them did not answer (None), is left out of both; nothing is known where none
    is left.
    """
    both = [(one, other) for one, other in zip(ours, theirs, strict=True) if one and other and one.rows]
    if not both:
        return Interval.unknown()
    own, other = (_stacked(list(side)) for side in zip(*both, strict=True))
    drawn = bootstrap.weights(len(own), model.gates.resamples, model.seed)
    wanted = 1 - model.gates.alpha if level is None else level
    return bootstrap.gained(model.metric, own, other, drawn, wanted)


def interval(model: "Model", periods: list[Realised]) -> Interval:
    """The metric over several periods together, with its interval by blocks at the gates' level."""
    sums = _stacked(periods)
    drawn = bootstrap.weights(len(sums), model.gates.resamples, model.seed)
    return bootstrap.scored(model.metric, sums, drawn, 1 - model.gates.alpha)


def _stacked(periods: list[Realised]) -> Floats:
    return np.concatenate([np.asarray(one.sums) for one in periods if one.rows])


_LEVEL = 0.95  # of an interval, unless another is asked for


@dataclass(frozen=True)
class Score:
    """How predictions did on some rows.

    Attributes
    ----------
    rows, blocks : int
    value : float
        The model's metric.
    error : float
        Its standard error by blocks; NaN where there are too few to tell.
    """

    rows: int
    blocks: int
    value: float
    error: float

    @classmethod
    def of(cls, interval: Interval, level: float, rows: int, blocks: int) -> "Score":
        """From an interval at a level, such as the challenger's in the evidence of its judging.

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
        """Of rows that cannot be scored, or not yet."""
        return cls(rows, 0, math.nan, math.nan)

    def interval(self, level: float = _LEVEL) -> Interval:
        """The confidence interval, as `evergreen.evaluation.bootstrap.interval` gives it."""
        if self.blocks < 2:
            return Interval(self.value, math.nan, math.nan)
        reach = _student(level, self.blocks) * self.error
        return Interval(self.value, self.value - reach, self.value + reach)


@dataclass(frozen=True)
class Part:
    """How predictions did where a slice column has one value."""

    column: str
    value: str
    score: Score


@dataclass(frozen=True)
class Observed(JsonRecord):
    """How the predictions of one period did, as far as its labels tell.

    Attributes
    ----------
    since, until : str or None
        The first and the last row; ISO 8601.
    rows : int
        That were predicted.
    labelled : float
        The share of them whose label is known; NaN for no rows.
    ripe : bool
        Whether the labels have ripened; if not, nothing is scored.
    finite : float
        The share of predictions that are finite.
    whole : Score
    slices : list of Part
        Of at least so many labelled rows as the gates judge a slice by.
    """

    since: str | None
    until: str | None
    rows: int
    labelled: float
    ripe: bool
    finite: float
    whole: Score
    slices: list[Part] = field(default_factory=list)

    @classmethod
    def judged(cls, evidence: "Evidence") -> "Observed":
        """How a challenger did at its judging, as far as the evidence that was kept tells; no slices."""
        whole = Score.of(evidence.challenger, evidence.level, evidence.rows, evidence.blocks)
        return cls(evidence.since, evidence.until, evidence.rows, 1.0, ripe=True, finite=evidence.finite, whole=whole)


def observed(
    model: "Model",
    rows: pd.DataFrame,
    prediction: Floats,
    *,
    classes: NDArray[Any] | None = None,
    arrival: Arrival | None = None,
    as_of: pd.Timestamp | None = None,
) -> Observed:
    """Score the predictions of one period on the labels that have come.

    Parameters
    ----------
    model : Model
    rows : DataFrame
        The time, the target (missing where it is not known) and the slice columns.
    prediction : array (n,) or (n, classes)
    classes : array, optional
        Of a classifier, in the order of the columns of `prediction`; without them the target is
        taken for the position of the class.
    arrival, as_of : Arrival, Timestamp, optional
        How labels come, and the moment of looking; without them every label that ever comes is
        taken to have come, as in the holdout of a judging.

    Returns
    -------
    Observed
        Without any score while the labels are not ripe.
    """
    known = rows[model.target].notna().to_numpy(dtype=bool)
    times = label_delay.naive(rows[model.time])
    ripe = arrival is None or as_of is None or label_delay.ripe(arrival, times, known, label_delay.naive_moment(as_of))
    labelled = rows[known].reset_index(drop=True)
    whole, slices = Score.unknown(int(known.sum())), []
    if ripe and known.any():
        target, made = _aligned(model, labelled, prediction[known], classes)
        whole = _score(model, labelled, target, made)
        slices = list(_parts(model, labelled, target, made))
    return Observed(
        since=rows[model.time].min().isoformat() if len(rows) else None,
        until=rows[model.time].max().isoformat() if len(rows) else None,
        rows=len(rows),
        labelled=float(known.mean()) if len(rows) else math.nan,
        ripe=ripe,
        finite=evidences.finite_share(prediction),
        whole=whole,
        slices=slices,
    )


def _student(level: float, blocks: int) -> float:
    from scipy.stats import t as student

    return float(student.ppf((1 + level) / 2, blocks - 1))


def _aligned(
    model: "Model", rows: pd.DataFrame, prediction: Floats, classes: NDArray[Any] | None
) -> tuple[NDArray[Any], Floats]:
    """Targets and predictions as metrics want them; a class that was never predicted has the probability nought."""
    labels = fitting.target(model, rows)
    if model.task == "regression" or classes is None:
        return labels, prediction
    every = np.unique(np.concatenate([labels, classes]))
    return np.searchsorted(every, labels), fitting.aligned(prediction, classes, every)


def _score(model: "Model", rows: pd.DataFrame, target: NDArray[Any], prediction: Floats) -> Score:
    blocks = Blocks.of(model, rows[model.time])
    sums = blocks.sums(model.metric, target, prediction)
    return Score.of(bootstrap.scored(model.metric, sums, blocks.drawn, _LEVEL), _LEVEL, len(rows), blocks.count)


def _parts(model: "Model", rows: pd.DataFrame, target: NDArray[Any], prediction: Floats) -> Iterator[Part]:
    for column in model.slices:
        for name, part in slicing.cells(rows[column]):
            if len(part) >= model.gates.slice_rows:
                yield Part(column, name, _score(model, rows.iloc[part], target[part], prediction[part]))
