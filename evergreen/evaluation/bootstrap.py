"""Intervals from a block bootstrap: rows of one block are resampled together."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen.definition.metrics import Floats, Metric

if TYPE_CHECKING:
    from evergreen.definition.model import Model


_KNOWN = 0.95  # the share of resamples that have a value, below which an interval is unknown


@dataclass(frozen=True)
class Interval:
    """A value with its two-sided confidence interval."""

    value: float
    low: float
    high: float

    @classmethod
    def unknown(cls) -> "Interval":
        """An interval of NaN: nothing is known."""
        return cls(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Gain:
    """A paired gain, with the level and the blocks of its interval.

    Attributes
    ----------
    interval : Interval
    level : float
        The confidence of the interval.
    blocks : int
    """

    interval: Interval
    level: float
    blocks: int

    def dump(self) -> str:
        """As JSON."""
        return json.dumps([*vars(self.interval).values(), self.level, self.blocks])

    @classmethod
    def parse(cls, text: str) -> "Gain":
        """Read what `dump` wrote."""
        value, low, high, level, blocks = json.loads(text)
        return cls(Interval(value, low, high), level, blocks)

    @property
    def error(self) -> float:
        """The standard error behind the interval."""
        from scipy.stats import t as student

        reach = (self.interval.high - self.interval.low) / 2
        return reach / float(student.ppf((1 + self.level) / 2, self.blocks - 1)) if self.blocks > 1 else math.nan


@dataclass(frozen=True)
class Blocks:
    """The blocks of time that rows fall in, and how they are resampled.

    Attributes
    ----------
    of_row : array of int (n,)
        The number of each row's block, from 0; empty blocks have none.
    count : int
        How many blocks there are.
    resamples, seed : int
    """

    of_row: NDArray[np.intp]
    count: int
    resamples: int
    seed: int

    @classmethod
    def of(cls, model: "Model", times: "pd.Series[pd.Timestamp]") -> "Blocks":
        """The blocks of rows with these times, with the length and resamples of the model's gates."""
        naive = times.dt.tz_localize(None).to_numpy()
        of_row, count = number_blocks(naive, np.timedelta64(model.gates.block))
        return cls(of_row, count, model.gates.resamples, model.seed)

    @cached_property
    def drawn(self) -> Floats:
        """The count of each block in each resample (resamples, blocks); no rows count as one block."""
        return weights(max(self.count, 1), self.resamples, self.seed)

    def sums(self, metric: Metric, target: NDArray[Any], prediction: Floats) -> Floats:
        """The metric's sums by block (blocks, k)."""
        return metric.sums(target, prediction, self.of_row, self.count)


def pooled(gains: Sequence[Gain], level: float) -> Interval:
    """The mean of independent gains, each weighted by its blocks, with its interval.

    Degrees of freedom by Welch and Satterthwaite (Satterthwaite, "An Approximate Distribution of
    Estimates of Variance Components", Biometrics Bulletin 2, 1946).

    Parameters
    ----------
    gains : list of Gain
        At least one, on rows that do not overlap.
    level : float
        Of confidence, two-sided.

    Returns
    -------
    Interval
        Unknown bounds (NaN) if those of any gain are.

    Examples
    --------
    >>> once = Gain(Interval(1.0, -1.0, 3.0), 0.95, 7)
    >>> four = pooled([once] * 4, 0.95)
    >>> round(four.value, 6), round(four.high - four.value, 2)
    (1.0, 0.84)
    """
    from scipy.stats import t as student

    share = np.array([gain.blocks for gain in gains], dtype=np.float64)
    share /= share.sum()
    value = float(share @ np.array([gain.interval.value for gain in gains]))
    parts = (share * np.array([gain.error for gain in gains])) ** 2
    variance = float(parts.sum())
    if not math.isfinite(value + variance):
        return Interval(value, math.nan, math.nan)
    if not variance:
        return Interval(value, value, value)
    freedom = variance**2 / float((parts**2 / np.array([gain.blocks - 1 for gain in gains])).sum())
    reach = float(student.ppf((1 + level) / 2, freedom)) * math.sqrt(variance)
    return Interval(value, value - reach, value + reach)


def weights(blocks: int, resamples: int, seed: int) -> Floats:
    """Draw the count of each block in each resample.

    Parameters
    ----------
    blocks, resamples : int
    seed : int

    Returns
    -------
    array (resamples, blocks)

    Examples
    --------
    >>> weights(3, 2, seed=0)
    array([[1., 1., 1.],
           [0., 0., 3.]])
    """
    draws = np.random.default_rng(seed).multinomial(blocks, np.full(blocks, 1 / blocks), size=resamples)
    return draws.astype(np.float64)


def interval(value: float, resampled: Floats, blocks: int, level: float) -> Interval:
    """Turn resampled values into a confidence interval.

    The interval is the value plus and minus Student's t with ``blocks - 1`` degrees of freedom
    times the bootstrap's standard error, corrected by ``sqrt(n / (n - 1))`` for its narrowness:
    with the few blocks of a holdout, percentile intervals cover too rarely (Hesterberg, "What Teachers
    Should Know About the Bootstrap", The American Statistician 69, 2015).

    Parameters
    ----------
    value : float
        The estimate on the blocks themselves.
    resampled : array (resamples,)
    blocks : int
        How many blocks there were.
    level : float
        Of confidence, two-sided, such as 0.95.

    Returns
    -------
    Interval
        Unknown bounds (NaN) for fewer than two blocks, or if the value or more than a twentieth of the resamples is
        NaN. Fewer are left out: a rank metric is NaN of a resample in which a class is missing.
    """
    known = np.isfinite(resampled)
    if blocks < 2 or not math.isfinite(value) or known.mean() < _KNOWN:
        return Interval(value, math.nan, math.nan)
    resampled = resampled[known]
    from scipy.stats import t as student

    error = float(resampled.std(ddof=1)) * math.sqrt(blocks / (blocks - 1))
    reach = float(student.ppf((1 + level) / 2, blocks - 1)) * error
    return Interval(value, value - reach, value + reach)


def score_interval(metric: Metric, sums: Floats, drawn: Floats, level: float) -> Interval:
    """The metric of one model with its interval, from its sums (blocks, k) and drawn weights."""
    value = float(metric.finish(sums.sum(axis=0)))
    return interval(value, metric.finish(drawn @ sums), len(sums), level)


def paired_gain(metric: Metric, ours: Floats, theirs: Floats, drawn: Floats, level: float) -> Interval:
    """By how much `ours` is better than `theirs` on the same rows, paired by block.

    Parameters
    ----------
    metric : Metric
    ours, theirs : array (blocks, k)
        Sums of the same rows.
    drawn : array (resamples, blocks)
        From `weights`: the same resamples for both make the gain paired.
    level : float

    Returns
    -------
    Interval
        Positive is better.
    """
    value = metric.gain(metric.finish(ours.sum(axis=0)), metric.finish(theirs.sum(axis=0)))
    resampled = metric.gain(metric.finish(drawn @ ours), metric.finish(drawn @ theirs))
    return interval(float(value), resampled, len(ours), level)


def number_blocks(times: "NDArray[np.datetime64]", length: "np.timedelta64") -> tuple[NDArray[np.intp], int]:
    """Number the blocks of `length` that rows fall in, from 0, leaving out empty ones.

    Examples
    --------
    >>> days = np.array(["2013-01-01T06", "2013-01-01T23", "2013-01-09T00"], dtype="datetime64[us]")
    >>> number_blocks(days, np.timedelta64(1, "D"))
    (array([0, 0, 1]), 2)
    """
    step = length.astype("timedelta64[us]").astype(np.int64)
    numbers, of_row = np.unique(times.astype("datetime64[us]").astype(np.int64) // step, return_inverse=True)
    return of_row, len(numbers)
