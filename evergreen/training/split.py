"""Splits by time into training rows and holdout, never at random."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from typing import cast

import pandas as pd

from evergreen.errors import NotEnoughDataError


@dataclass(frozen=True)
class Split:
    """The bounds in time of a training and of its holdout, all half-open.

    Attributes
    ----------
    train_from : Timestamp or None
        None reaches back to the first row.
    train_until : Timestamp
        The training cut-off: rows at or after it are not trained on.
    holdout_from, holdout_until : Timestamp
        The newest labelled rows. A refit has no holdout: both bounds are equal.
    """

    train_from: pd.Timestamp | None
    train_until: pd.Timestamp
    holdout_from: pd.Timestamp
    holdout_until: pd.Timestamp

    @property
    def window(self) -> timedelta | None:
        """The length of the training window; None for all history."""
        return None if self.train_from is None else self.train_until - self.train_from

    def reaching_back(self, window: timedelta | None) -> "Split":
        """The same with another training window; None for all history."""
        return replace(self, train_from=None if window is None else self.train_until - window)

    @property
    def known_before(self) -> pd.Timestamp | None:
        """Training uses only labels that became known before this time; None (no limit) for a refit."""
        return self.holdout_from if self.holdout_from < self.holdout_until else None

    def training(self, times: "pd.Series[pd.Timestamp]") -> "pd.Series[bool]":
        """Which rows train."""
        inside = times < self.train_until
        return inside if self.train_from is None else inside & (times >= self.train_from)

    def holdout(self, times: "pd.Series[pd.Timestamp]") -> "pd.Series[bool]":
        """Which rows are held out."""
        return (times >= self.holdout_from) & (times < self.holdout_until)


def split(newest: pd.Timestamp, *, window: timedelta | None, holdout: timedelta, gap: timedelta) -> Split:
    """Place the training window and the holdout behind the newest labelled row.

    Parameters
    ----------
    newest : Timestamp
        The time of the newest row whose label is known.
    window : timedelta or None
        The length of the training window; None for all history.
    holdout : timedelta
        The length of the holdout.
    gap : timedelta
        The label delay, left out between them: a model deployed when the holdout began
        could not have known the labels of the rows just before.

    Examples
    --------
    >>> day = timedelta(days=1)
    >>> s = split(pd.Timestamp("2013-02-01", tz="UTC"), window=28 * day, holdout=7 * day, gap=day)
    >>> f"{s.train_from:%m-%d} {s.train_until:%m-%d} {s.holdout_from:%m-%d}"
    '12-27 01-24 01-25'
    """
    end = newest + pd.Timedelta(1, "us")
    start = end - holdout
    cutoff = start - gap
    return Split(None if window is None else cutoff - window, cutoff, start, end)


def refit(bounds: Split) -> Split:
    """The same recipe on all labelled rows, including the holdout, with a window as long; nothing is held out."""
    end = bounds.holdout_until
    return Split(None, end, end, end).reaching_back(bounds.window)


def folds(
    times: "pd.Series[pd.Timestamp]", known: "pd.Series[pd.Timestamp]", count: int
) -> Iterator[tuple["pd.Series[bool]", "pd.Series[bool]"]]:
    """Cut rows into time-ordered folds: each is fitted on the labels known when its validation begins.

    Parameters
    ----------
    times, known : Series of Timestamp
        Of the rows, and when the label of each became known.
    count : int
        The last `count` of ``count + 1`` equal shares of the rows are validated on, in turn.

    Yields
    ------
    fit, validate : Series of bool

    Raises
    ------
    NotEnoughDataError
        A fold would be empty.
    """
    edges = [_quantile(times, share / (count + 1)) for share in range(1, count + 1)]
    edges.append(times.max() + pd.Timedelta(1, "us"))
    for low, high in pairwise(edges):
        fit, validate = (times < low) & (known < low), (times >= low) & (times < high)
        if not fit.any() or not validate.any():
            raise NotEnoughDataError(
                f"{len(times)} rows from {times.min()} to {times.max()} are too few for {count} folds, each fitted on "
                "the labels that were known before it. Lower `folds` or lengthen the training window."
            )
        yield fit, validate


def _quantile(times: "pd.Series[pd.Timestamp]", share: float) -> pd.Timestamp:
    # The stubs do not know that times have quantiles.
    return cast(pd.Timestamp, times.quantile(share, interpolation="lower"))  # type: ignore[misc]
