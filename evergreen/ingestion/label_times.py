"""When the labels of past rows became known, by outcome, and what each known label stands for."""

import math
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen.definition.metrics import Floats
from evergreen.ingestion.label_arrival import MATURE_SHARE, SLACK, Times, naive, naive_timestamp, observed_at

if TYPE_CHECKING:
    from evergreen.definition.model import Model

FEWEST = 30  # rows, and labels of an outcome: with fewer the share is too uncertain
_PARTS = 4  # quartiles of a number are its outcomes
_ALL = -1  # labels of whatever outcome
_SECOND = np.timedelta64(1, "s")


@dataclass(frozen=True)
class LabelTimes:
    """When the labels of past rows became known; ordered by the age.

    Attributes
    ----------
    age : array of float (n,)
        Seconds from a row's time to its label, or to `as_of` where no label is known.
    arrived : array of bool (n,)
        Whether its label is known.
    followed : array of float (n,)
        Seconds from a row's time to `as_of`.
    outcome : array of int (n,)
        Of the label: which class, or which quartile of the number; -1 where no label is known.
    """

    age: Floats
    arrived: NDArray[np.bool_]
    followed: Floats
    outcome: NDArray[np.int64]

    @classmethod
    def of(cls, model: "Model", rows: pd.DataFrame, as_of: pd.Timestamp) -> "LabelTimes":
        """From rows with the time, the target and `label_time`; what is later than `as_of` is not known."""
        now, times = naive_timestamp(as_of), naive(rows[model.time])
        label_time = model.label_time or model.time
        known = observed_at(naive(rows[label_time]), rows[model.target].notna().to_numpy(dtype=bool))
        past = times <= now
        return cls.known(times[past], known[past], now, rows[model.target].to_numpy()[past], model.task)

    @classmethod
    def known(cls, times: Times, known: Times, now: np.datetime64, target: NDArray[Any], task: str) -> "LabelTimes":
        """From the times of rows, none later than `now`, and when their labels became known; NaT if they did not."""
        arrived, followed = known <= now, (now - times) / _SECOND
        age = np.where(arrived, np.maximum((known - times) / _SECOND, 0.0), followed)
        outcome = np.full(len(times), _ALL, dtype=np.int64)
        outcome[arrived] = _outcomes(target[arrived], task)
        order = np.argsort(age, kind="stable")
        return cls(age[order], arrived[order], followed[order], outcome[order])

    def newest(self, reach: timedelta) -> "LabelTimes":
        """The rows of the newest period so long."""
        near = self.followed <= self.followed.min(initial=math.inf) + reach.total_seconds()
        return LabelTimes(self.age[near], self.arrived[near], self.followed[near], self.outcome[near])

    @property
    def watched(self) -> float:
        """The age in seconds up to which enough rows were followed."""
        rows = len(self.followed)
        return float(np.partition(self.followed, rows - FEWEST)[rows - FEWEST]) if rows >= FEWEST else 0.0

    def mature_ages(self, share: float = MATURE_SHARE) -> dict[int, float]:
        """The age at which this share of the labels that ever come is known: of all, and of each outcome with enough.

        The share of all rows that have a label of one outcome by an age is the Aalen-Johansen estimate of a
        cumulative incidence (Aalen and Johansen, "An Empirical Transition Matrix for Non-homogeneous Markov Chains
        Based on Censored Observations", Scandinavian Journal of Statistics 5, 1978): rows without a label are
        censored at their age.
        """
        age, weight, outcome = self.age[self.arrived], self.weights, self.outcome[self.arrived]
        parts = {name: outcome == name for name, count in enumerate(np.bincount(outcome)) if count >= FEWEST}
        if len(age) >= FEWEST:
            parts[_ALL] = np.ones(len(age), dtype=bool)
        return {name: _quantile(age[part], weight[part], share) for name, part in parts.items()}

    @cached_property
    def weights(self) -> Floats:
        """What each known label stands for, as a share of all rows: more where rows as old are still waiting.

        It is the inverse probability of having been observed, so that weighted labels are no biased sample, as far
        as rows were followed.

        Examples
        --------
        >>> known = np.array([True, False, True, False])
        >>> LabelTimes(np.array([1.0, 1.0, 2.0, 2.0]), known, np.full(4, 2.0), np.array([0, -1, 0, -1])).weights
        array([0.25 , 0.375])
        """
        age = self.age[self.arrived]
        first = np.diff(age, prepend=-1.0) > 0  # of those of its age
        at = np.cumsum(first) - 1
        waiting = len(self.age) - np.searchsorted(self.age, age[first], side="left")
        left = np.cumprod(1 - np.bincount(at) / waiting)
        return np.asarray((np.concatenate([[1.0], left[:-1]]) / waiting)[at]) if len(age) else age


def still_coming(times: "pd.Series[pd.Timestamp]", labelled: "pd.Series[bool]") -> timedelta:
    """The age up to which rows lack labels that as many of the older ones have; 0 if only a few are lacking.

    It needs no times of labels. From the newest row on, the sum of what labels lack of the share that is there in the
    older half of the time is largest at that age. That days differ a little, as with flights that a storm cancels, is
    nothing that is lacking.

    Parameters
    ----------
    times : Series of Timestamp
    labelled : Series of bool
    """
    age = (times.max() - times).dt.total_seconds().to_numpy()
    order = np.argsort(age, kind="stable")
    age, there = age[order], labelled.to_numpy(dtype=bool)[order]
    old = age >= age.max(initial=0.0) / 2
    usual = there[old].mean() if old.any() else 0.0
    if np.cumsum(SLACK * usual - there).max(initial=0.0) < FEWEST:
        return timedelta(0)
    return timedelta(seconds=float(age[int(np.cumsum(MATURE_SHARE * usual - there).argmax())]))


def _outcomes(labels: NDArray[Any], task: str) -> NDArray[np.int64]:
    """Which class a label is, or which quartile a number lies in."""
    if task != "regression":
        return np.asarray(pd.factorize(labels, sort=True)[0], dtype=np.int64)
    numbers = labels.astype(np.float64)
    edges = np.quantile(numbers, np.arange(1, _PARTS) / _PARTS) if len(numbers) else np.empty(0)
    return np.searchsorted(edges, numbers, side="right")


def _quantile(age: Floats, weight: Floats, share: float) -> float:
    """The age by which this share of the weight is reached; ages are in order."""
    reached = np.cumsum(weight)
    place = int(np.searchsorted(reached, share * reached[-1] * (1 - 1e-12)))
    return float(age[min(place, len(age) - 1)])
