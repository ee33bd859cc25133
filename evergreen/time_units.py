"""Units of time: periods of equal length counted from a fixed origin."""

from datetime import timedelta

import pandas as pd

ORIGIN = pd.Timestamp("2000-01-03", tz="UTC")  # a Monday: units of a week begin on one, as DuckDB has it


def unit_start(timestamp: pd.Timestamp, unit: timedelta) -> pd.Timestamp:
    """The start of the unit that a moment lies in.

    Examples
    --------
    >>> unit_start(pd.Timestamp("2013-06-20 14:00", tz="UTC"), timedelta(days=7)).isoformat()
    '2013-06-17T00:00:00+00:00'
    """
    return ORIGIN + (timestamp - ORIGIN) // unit * pd.Timedelta(unit)
