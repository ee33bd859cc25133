"""A guess of how long after a row's time its label is known."""

from datetime import timedelta

import pandas as pd

from evergreen.durations import as_text

_PERIODS = 6  # times that are all the first day of a month are periods, not days


def guess(times: "pd.Series[pd.Timestamp]", known: "pd.Series[pd.Timestamp]", target: str) -> tuple[str, str]:
    """The label delay, from the labels that are missing in the newest rows or from times that are periods; and why.

    Parameters
    ----------
    times, known : Series of Timestamp
        The times of all rows of a sample, and of those with a label.
    target : str

    Examples
    --------
    >>> months = pd.Series(pd.date_range("2008-01-01", periods=96, freq="MS", tz="UTC"))
    >>> guess(months, months, "flights")
    ('31d', "guessed: each time begins a period, at whose end 'flights' is known")
    """
    behind = (times.max() - known.max()).to_pytimedelta()
    if behind and behind < 0.1 * (times.max() - times.min()):
        return as_text(behind), f"guessed: the newest rows have no {target!r} yet"
    if (period := _period(times)) is not None:
        return as_text(period), f"guessed: each time begins a period, at whose end {target!r} is known"
    return "0d", f"how long after the row's time is {target!r} known?"


def _period(times: "pd.Series[pd.Timestamp]") -> timedelta | None:
    """How long a period is where every time is the first day of a month, a quarter or a year."""
    different = times.drop_duplicates().sort_values()
    if len(different) < _PERIODS or not ((different.dt.day == 1) & (different == different.dt.normalize())).all():
        return None
    return timedelta(days=different.diff().dt.days.median())
