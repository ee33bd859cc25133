"""Metrics as sums over blocks of rows, so that one pass serves the score and its interval."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from evergreen.definition.disclosure import of_error
from evergreen.errors import TrainingError

Floats = NDArray[np.float64]
_BINS = 4096  # of the scores, for rank metrics: an error below 1e-4 in the area under the curve
_TINY = float(np.finfo(np.float64).eps)  # a probability of 0 is scored as this, as in scikit-learn's log_loss


@dataclass(frozen=True)
class Metric:
    """A metric of predictions, computed from sums over blocks of rows.

    A block's sums are a vector of k numbers; sums of blocks add up; `finish` turns the sums of
    any collection of blocks into the metric's value. A resample of blocks is then a weighted
    sum, which is one matrix product for a thousand resamples.

    Attributes
    ----------
    name : str
        As verdicts and pages show it.
    greater_is_better : bool
        Whether a greater value is the better one.
    tasks : tuple of str
        Which tasks it is for.
    sums : callable
        From targets (n,), predictions (n,) or (n, classes), block numbers (n,) and the count of
        blocks to an array (blocks, k).
    finish : callable
        From sums (..., k) to values (...).
    probabilities : bool
        Whether it means nothing of a classifier that predicts classes only.
    across : callable, optional
        From the sums of one call (blocks, k) to two numbers a block (blocks, 2), whose ratio is the metric, and which
        add up over several calls. Without it the sums themselves do.
    """

    name: str
    greater_is_better: bool
    tasks: tuple[Literal["regression", "classification"], ...]
    sums: Callable[[NDArray[Any], Floats, NDArray[np.intp], int], Floats]
    finish: Callable[[Floats], Floats]
    probabilities: bool = False
    across: Callable[[Floats], Floats] | None = None

    def __post_init__(self) -> None:
        """Let an error of a user's function name the metric, and no value."""
        for part in ("sums", "finish"):
            object.__setattr__(self, part, _guarded(getattr(self, part), self.name))

    def score(self, target: NDArray[Any], prediction: Floats) -> float:
        """Return the metric over all rows as one block; NaN for no rows.

        Parameters
        ----------
        target : array (n,)
            Numbers, or for classification the position of the class in the sorted classes.
        prediction : array (n,) or (n, classes)
            Numbers, or for classification probabilities.

        Examples
        --------
        >>> named("mean_absolute_error").score(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
        1.0
        """
        everything = np.zeros(len(target), dtype=np.intp)
        return float(self.finish(self.sums(target, prediction, everything, 1)[0]))

    def pooled(self, calls: Sequence[Floats]) -> "tuple[Metric, Floats]":
        """The blocks of several calls of `sums` one below the other, and the metric that finishes them.

        Parameters
        ----------
        calls : sequence of array (blocks, k)
        """
        if self.across is None or len(calls) == 1:
            return self, np.concatenate(calls)
        return replace(self, finish=_ratio, across=None), np.concatenate([self.across(sums) for sums in calls])

    def gain(self, ours: Floats, theirs: Floats) -> Floats:
        """By how much `ours` is better than `theirs`: positive is better, whatever the metric."""
        return ours - theirs if self.greater_is_better else theirs - ours


def _guarded(part: Callable[..., Floats], metric: str) -> Callable[..., Floats]:
    @wraps(part)
    def guarded(*arguments: Any) -> Floats:
        try:
            return part(*arguments)
        except TrainingError:
            raise
        except Exception as error:
            raise TrainingError(f"The metric {metric} raised {of_error(error)}. Fix it in the model file.") from None

    return guarded


def mean_of(
    name: str,
    losses: Callable[[NDArray[Any], Floats], Floats],
    *,
    greater_is_better: bool = False,
    tasks: tuple[Literal["regression", "classification"], ...] = ("regression",),
    root: bool = False,
    probabilities: bool = False,
) -> Metric:
    """Make a metric that is the mean of one number a row; use it for a custom metric.

    Parameters
    ----------
    name : str
        As verdicts and pages show it.
    losses : callable
        From targets (n,) and predictions (n,) or (n, classes) to one number a row (n,).
    greater_is_better : bool
        Whether a greater value is the better one.
    tasks : tuple of str
        Which tasks it is for.
    root : bool
        Whether the metric is the square root of that mean.
    probabilities : bool
        Whether it means nothing of a classifier that predicts classes only; then such an estimator is refused.

    Examples
    --------
    >>> pinball = mean_of("pinball", lambda y, p: np.maximum(0.9 * (y - p), 0.1 * (p - y)))
    >>> pinball.score(np.array([10.0]), np.array([0.0]))
    9.0
    """

    def sums(target: NDArray[Any], prediction: Floats, block: NDArray[np.intp], blocks: int) -> Floats:
        total = np.bincount(block, weights=losses(target, prediction), minlength=blocks)
        return np.column_stack([total, np.bincount(block, minlength=blocks)])

    def finish(sums: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = sums[..., 0] / sums[..., 1]
        return np.sqrt(mean) if root else mean

    return Metric(name, greater_is_better, tasks, sums, finish, probabilities)


def named(name: str) -> Metric:
    """Return a metric by its name in scikit-learn.

    Raises
    ------
    ValueError
        There is no such metric.
    """
    if name not in METRICS:
        raise ValueError(f"a metric among {sorted(METRICS)} or one made by `mean_of`, not {name!r}")
    return METRICS[name]


def _absolute(target: NDArray[Any], prediction: Floats) -> Floats:
    return np.abs(target - prediction)


def _squared(target: NDArray[Any], prediction: Floats) -> Floats:
    return (target - prediction) ** 2


def _log_loss(target: NDArray[Any], probability: Floats) -> Floats:
    chosen = probability[np.arange(len(target)), target.astype(np.intp)]
    return -np.log(np.clip(chosen, _TINY, 1.0))


def _brier(target: NDArray[Any], probability: Floats) -> Floats:
    truth = np.eye(probability.shape[1])[target.astype(np.intp)]
    return np.asarray(np.sum((probability - truth) ** 2, axis=1) / 2)


def _hit(target: NDArray[Any], probability: Floats) -> Floats:
    # argmax takes a row of NaN for the first class: a NaN prediction is no hit, it is NaN.
    hit = (probability.argmax(axis=1) == target).astype(np.float64)
    return np.where(np.isnan(probability).any(axis=1), np.nan, hit)


def _rank_sums(target: NDArray[Any], probability: Floats, block: NDArray[np.intp], blocks: int) -> Floats:
    """Counts of positives and negatives by block and bin of the score: (blocks, 2 * bins)."""
    score = probability[:, -1]
    if not len(score):
        return np.zeros((blocks, 2))
    edges = np.unique(np.quantile(score, np.linspace(0, 1, _BINS + 1)))
    place = np.searchsorted(edges, score)
    cells = (block * 2 + (target != probability.shape[1] - 1)) * (_BINS + 2) + place
    counts = np.bincount(cells, minlength=blocks * 2 * (_BINS + 2)).reshape(blocks, -1).astype(np.float64)
    return np.full_like(counts, np.nan) if np.isnan(score).any() else counts


def _area(sums: Floats) -> Floats:
    """The Mann-Whitney form of the area under the ROC curve, ties within a bin counting half."""
    positives, negatives = np.split(sums, 2, axis=-1)
    below = np.cumsum(negatives, axis=-1) - negatives / 2
    pairs = positives.sum(axis=-1) * negatives.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((positives * below).sum(axis=-1) / pairs)


def _ranked(sums: Floats) -> Floats:
    """For each block how many pairs of the call it is in that are in order, and in how many; each row has a half.

    The bins of another call hold other scores. These are the components of the area under the curve (DeLong, DeLong and
    Clarke-Pearson, "Comparing the Areas under Two or More Correlated Receiver Operating Characteristic Curves",
    Biometrics 44, 1988), so that of several calls it is the mean, weighted by their pairs.
    """
    positives, negatives = np.split(sums, 2, axis=-1)
    all_positives, all_negatives = positives.sum(axis=0), negatives.sum(axis=0)
    below = np.cumsum(all_negatives) - all_negatives / 2
    above = np.cumsum(all_positives[::-1])[::-1] - all_positives / 2
    in_order = (positives @ below + negatives @ above) / 2
    pairs = (positives.sum(axis=1) * all_negatives.sum() + negatives.sum(axis=1) * all_positives.sum()) / 2
    return np.column_stack([in_order, pairs])


def _ratio(sums: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums[..., 0] / sums[..., 1])


_CLASSES: tuple[Literal["classification"]] = ("classification",)
METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        mean_of("mean_absolute_error", _absolute),
        mean_of("mean_squared_error", _squared),
        mean_of("root_mean_squared_error", _squared, root=True),
        mean_of("log_loss", _log_loss, tasks=_CLASSES, probabilities=True),
        mean_of("brier_score", _brier, tasks=_CLASSES, probabilities=True),
        mean_of("accuracy", _hit, tasks=_CLASSES, greater_is_better=True),
        Metric("roc_auc", True, _CLASSES, _rank_sums, _area, probabilities=True, across=_ranked),
    )
}
# Those that a wrong mean, or wrong probabilities, make worse.
COUNT_CALIBRATION = METRICS.keys() - {"accuracy", "roc_auc"}
