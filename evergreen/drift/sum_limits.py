"""Limits of cumulative sums, from simulated columns that remember as the columns of a table do.

How far a sum runs where nothing drifts depends on how long the level of a column remembers, and on how well a short
reference tells its mean. Both are in a simulation: columns without drift, each with a reference and a year after it. A
reference of some weeks tells the memory of one column badly, but all columns of a table together tell which memories
are common in it (Robbins, "An empirical Bayes approach to statistics", Proceedings of the Third Berkeley Symposium,
1956).
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from evergreen.definition.metrics import Floats

WEEK = 7
_ALLOWANCE = 0.5  # standard deviations a unit that are not added up: half of the change that is found soonest
_CLIPPED = 3.0  # standard deviations: a single wild unit is no slow drift
_SIMULATED = 4000
_MEMORY, _NOISE = 0.95, 0.6  # at most, of a simulated column: its autoregression, and the share of its variance without
_MEMORIES, _NOISES = 8, 3  # classes of columns: how each of these is cut
_LONGEST = 0.995  # the quantile of the simulated correlations beyond which a column has no limit
_PRIOR = 1.0  # columns that all classes together weigh before any column is seen
_ROUNDS = 100  # of expectation and maximisation
_TAIL = 0.1  # the share of simulated years from which rarer ones are extrapolated


@dataclass(frozen=True)
class _Simulated:
    """Columns without drift, by their highest sums.

    Attributes
    ----------
    classes : array of int (columns,)
        Of their memory and noise.
    traits : array (columns, 2)
        Of their reference.
    highest : array (columns,)
        The highest of both sums in the year after it, rising.
    """

    classes: "NDArray[np.int64]"
    traits: Floats
    highest: Floats


def cumulated(standard: Floats) -> Floats:
    """The sums of each column (units, columns), never below 0."""
    summed, last = np.empty_like(standard), np.zeros(standard.shape[1:])
    for place, now in enumerate(np.clip(standard, -_CLIPPED, _CLIPPED)):
        last = np.maximum(last + now - _ALLOWANCE, 0.0)
        summed[place] = last
    return summed


def traits(residuals: Floats) -> Floats:
    """What a reference tells of how its columns remember.

    Parameters
    ----------
    residuals : array (units, columns)
        Without the means by weekday.

    Returns
    -------
    array (columns, 2)
        The correlation of neighbours, and the mean correlation of units two to seven apart: the first alone cannot tell
        a long memory below noise from a short one.
    """
    squares = np.maximum((residuals**2).sum(axis=0), 1e-300)
    apart = [(residuals[lag:] * residuals[:-lag]).sum(axis=0) / squares for lag in range(1, WEEK + 1)]
    return np.column_stack([apart[0], np.mean(apart[1:], axis=0)])


def limits(known: Floats, reference: int, year: int, weekly: bool, chance: float) -> Floats:
    """What the sums of columns without drift exceed in a year with a probability each.

    Simulated columns count by how much their traits are like a column's, and by how common their class is in the table,
    which is found by expectation and maximisation (Laird, "Nonparametric maximum likelihood estimation of a mixing
    distribution", JASA 73, 1978). Rare excesses are extrapolated: the maxima of such sums have an exponential tail.

    Parameters
    ----------
    known : array (columns, 2)
        The traits of the columns of a table.
    reference, year : int
        Units.
    weekly : bool
        Whether units are days, which have weekdays.
    chance : float
        Of a false alarm, of each column.

    Returns
    -------
    array (columns,)
        Infinite for a column that remembers longer than any simulated one, as a trend does.
    """
    simulated = _simulated(reference, year, weekly)
    alike = _alike(known, simulated.traits, reference)
    count = np.bincount(simulated.classes, minlength=_MEMORIES * _NOISES)
    likelihood = (
        np.column_stack([alike[:, simulated.classes == each].sum(axis=1) for each in range(len(count))]) / count
    )
    weights = alike * (_shares(likelihood) / count)[simulated.classes]
    found = np.array([_quantile(simulated.highest, weight, chance) for weight in weights])
    return np.where(known[:, 0] > np.quantile(simulated.traits[:, 0], _LONGEST), math.inf, found)


def _alike(known: Floats, simulated: Floats, reference: int) -> Floats:
    """How alike columns (n,) are to simulated ones (m,): a normal kernel of a third of the traits' standard error."""
    width = np.array([1 / 3, 1 / 4]) / math.sqrt(reference)
    apart = [np.subtract.outer(known[:, trait], simulated[:, trait]) / width[trait] for trait in range(len(width))]
    return np.asarray(np.exp(-sum(each**2 for each in apart) / 2) + 1e-9)


def _shares(likelihood: Floats) -> Floats:
    """The shares of classes (k,) in a table, from the likelihoods (columns, k) of its columns."""
    columns, classes = likelihood.shape
    shares = np.full(classes, 1 / classes)
    for _ in range(_ROUNDS):
        responsible = likelihood * shares
        responsible /= responsible.sum(axis=1, keepdims=True)
        shares = (_PRIOR / classes + responsible.sum(axis=0)) / (_PRIOR + columns)
    return shares


def _quantile(rising: Floats, weights: Floats, chance: float) -> float:
    """What weighted values exceed with a probability."""
    below = np.cumsum(weights) / weights.sum()
    if chance >= _TAIL:
        return float(rising[min(int(np.searchsorted(below, 1 - chance)), len(rising) - 1)])
    begin = min(int(np.searchsorted(below, 1 - _TAIL)), len(rising) - 2)
    tail, rest = float(rising[begin]), slice(begin + 1, None)
    excess = float(np.average(rising[rest] - tail, weights=weights[rest]))
    return tail + excess * math.log(_TAIL / chance)


@lru_cache(maxsize=8)
def _simulated(reference: int, year: int, weekly: bool) -> _Simulated:
    """Autoregressions with noise: memories spread evenly up to `_MEMORY`, noise up to `_NOISE` of the variance."""
    random = np.random.default_rng([reference, year, int(weekly)])
    memory, noise = random.uniform(0.0, _MEMORY, _SIMULATED), random.uniform(0.0, _NOISE, _SIMULATED)
    step = np.sqrt(1 - memory**2)
    values = np.empty((reference + year, _SIMULATED))
    values[0] = random.normal(size=_SIMULATED)
    for unit in range(1, len(values)):
        values[unit] = memory * values[unit - 1] + step * random.normal(size=_SIMULATED)
    values = np.sqrt(1 - noise) * values + np.sqrt(noise) * random.normal(size=values.shape)
    period = WEEK if weekly else 1
    for place in range(period):
        values[place::period] -= values[place:reference:period].mean(axis=0)
    before = values[:reference]
    standard = values[reference:] / before.std(axis=0, ddof=period)
    highest = np.maximum(cumulated(standard).max(axis=0), cumulated(-standard).max(axis=0))
    classes = (memory / _MEMORY * _MEMORIES).astype(np.int64) * _NOISES + (noise / _NOISE * _NOISES).astype(np.int64)
    order = np.argsort(highest)
    return _Simulated(classes[order], traits(before)[order], highest[order])
