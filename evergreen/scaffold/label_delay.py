"""Guesses of when labels are known: the column that says it, and how long after a row's time that is."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import pandas as pd

from evergreen.durations import as_text
from evergreen.ingestion.early_labels import compared
from evergreen.ingestion.label_arrival import MATURE_SHARE, naive, naive_timestamp
from evergreen.ingestion.label_times import LabelTimes, still_coming

_PERIODS = 6  # times that are all the first day of a month are periods, not days
_NAMED = re.compile(r"(^|_)(label|labell?ed|known|outcome|settled|resolved|decided|closed)(_|$)", re.IGNORECASE)
_AFTER = 0.99  # of the labels, that are known no earlier than their row's time


@dataclass(frozen=True)
class Labels:
    """The labels of a sample.

    Attributes
    ----------
    target, task : str
    times : Series of Timestamp
        Of all rows.
    values : Series
        Of the target; missing where it is not known.
    """

    target: str
    task: str
    times: "pd.Series[pd.Timestamp]"
    values: "pd.Series"

    @property
    def known(self) -> "pd.Series[pd.Timestamp]":
        """The times of the rows with a label."""
        return self.times[self.values.notna()]


def time_column(labels: Labels, columns: "Mapping[str, pd.Series]") -> tuple[str, str]:
    """The column of times at which labels became known, and why; empty if there is none.

    It is missing where the label is, or is named so where no label is missing; and it is not before its row.

    Parameters
    ----------
    labels : Labels
    columns : dict of name to Series of Timestamp
        Further times of the rows.
    """
    there = labels.values.notna()
    for name, known in columns.items():
        later = (known >= labels.times)[there]
        if not there.any() or not known[there].notna().all() or later.mean() < _AFTER or known[there].nunique() < 2:
            continue
        if not there.all() and known[~there].isna().all():
            return name, f"guessed: it is missing in the rows without {labels.target!r}, and later than their time"
        if there.all() and _NAMED.search(name):
            return name, "guessed by its name"
    return "", ""


def learned(
    labels: Labels, column: str, known: "pd.Series[pd.Timestamp]", until: pd.Timestamp | None = None
) -> tuple[str, str]:
    """The label delay by a column of label times: nearly all labels of every outcome are in by then; and why.

    Labels that became known at `until` or later lie in the future: they are not known.
    """
    known = known if until is None else known.where(known < until)
    now = naive_timestamp(pd.concat([labels.times, known]).max())
    seen = LabelTimes.known(naive(labels.times), naive(known), now, labels.values.to_numpy(), labels.task)
    ages = seen.mature_ages()
    if not ages:
        return guess(labels)
    longest = max(ages.values())
    outcomes = "every class" if labels.task == "classification" else "every quarter of the values"
    why = f"{MATURE_SHARE:.0%} of the labels of {outcomes} are in by then, by {column!r}"
    early = compared(seen, longest) if 2 * longest <= seen.watched else None
    told = f"; the early ones are a biased sample: {early.sentence(labels.task)}" if early and early.biased else ""
    lacking = "" if 2 * longest <= seen.watched else ", or later: the rows are too young to tell"
    return as_text(timedelta(seconds=longest)), f"{why}{lacking}{told}"


def guess(labels: Labels) -> tuple[str, str]:
    """The label delay, from the labels that are missing in the newest rows or from times that are periods; and why.

    Examples
    --------
    >>> months = pd.Series(pd.date_range("2008-01-01", periods=96, freq="MS", tz="UTC"))
    >>> guess(Labels("flights", "regression", months, pd.Series(range(96))))
    ('31d', "guessed: each time begins a period, at whose end 'flights' is known")
    """
    times, target = labels.times, labels.target
    span = times.max() - times.min()
    behind = (times.max() - labels.known.max()).to_pytimedelta()
    coming = still_coming(times, labels.values.notna())
    if behind < coming <= span / 2:
        return as_text(coming), f"guessed: of younger rows not all have a {target!r} yet that will have one"
    if timedelta(0) < behind <= span / 2:
        return as_text(behind), f"guessed: the newest rows have no {target!r} yet"
    if (period := _period(times)) is not None:
        return as_text(period), f"guessed: each time begins a period, at whose end {target!r} is known"
    lacking = f"no row of the newest {as_text(behind)} has a {target!r}; " if behind > span / 2 else ""
    return "0d", f"{lacking}how long after the row's time is {target!r} known?"


def _period(times: "pd.Series[pd.Timestamp]") -> timedelta | None:
    """How long a period is where every time is the first day of a month, a quarter or a year."""
    different = times.drop_duplicates().sort_values()
    if len(different) < _PERIODS or not ((different.dt.day == 1) & (different == different.dt.normalize())).all():
        return None
    return timedelta(days=different.diff().dt.days.median())
