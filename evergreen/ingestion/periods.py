"""Periods of batches that end where clocks tell the time: not within the hour that comes twice."""

import itertools

import pandas as pd

from evergreen.definition.kinds.local_times import doubled_hour

Period = tuple[pd.Timestamp, pd.Timestamp]


def around_doubled_hours(periods: list[Period], timezone: str) -> list[Period]:
    """Move bounds out of hours that come twice: both are read in one batch, since their order tells them apart.

    The first period begins, and the last ends, where the hour does: its rows wait until it has come twice.

    Parameters
    ----------
    periods : list of (Timestamp, Timestamp)
        One after the other.
    timezone : str
        What a time without a zone means.

    Examples
    --------
    >>> low, high = pd.Timestamp("2024-10-26", tz="UTC"), pd.Timestamp("2024-10-27 01:10", tz="UTC")
    >>> [(str(low), str(high)) for low, high in around_doubled_hours([(low, high)], "Europe/Berlin")]
    [('2024-10-26 00:00:00+00:00', '2024-10-27 00:00:00+00:00')]
    """
    if timezone == "UTC" or not periods:
        return periods
    bounds = [periods[0][0], *(high for _, high in periods)]
    until = bounds[-1]
    hours = [doubled_hour(bound, timezone) for bound in bounds]
    moved = [_outside(bound, hour, until) for bound, hour in zip(bounds, hours, strict=True)]
    if hours[0]:
        moved[0] = hours[0][0]
    return [(low, high) for low, high in itertools.pairwise(moved) if low < high]


def _outside(bound: pd.Timestamp, hour: Period | None, until: pd.Timestamp) -> pd.Timestamp:
    if hour is None:
        return bound
    return hour[1] if hour[1] <= until else hour[0]
