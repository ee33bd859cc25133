"""Times without a zone, where clocks are set forward and back; not a kind itself."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from evergreen.definition.kinds.messages import describe

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from evergreen.definition.kinds.column_kind import Values

    Truths = NDArray[Any]


def localized(values: Values, timezone: str, apart: pd.DataFrame | None = None) -> tuple[Values, str]:
    """Give times the zone that they are in.

    When clocks are set back, an hour comes twice. Which of both is meant follows from the order of the rows: times go
    back once in that hour, or each of them comes twice there and once elsewhere. An hour that clocks leave out holds
    no time. A column of midnights holds dates: each means the first moment of its day.

    Parameters
    ----------
    values : Series
        Times without a zone.
    timezone : str
    apart : DataFrame, optional
        Columns that tell series of rows apart, such as stations; the order is that within each.

    Returns
    -------
    times : Series
        Unchanged if one of them cannot be told.
    problem : str
        Which do not exist, or cannot be told; empty if there are none.
    """
    import numpy as np
    import pandas as pd

    if timezone == "UTC":
        return values.dt.tz_localize("UTC"), ""
    if bool((values.dt.normalize() == values)[values.notna()].all()):
        every = np.ones(len(values), dtype=bool)
        return values.dt.tz_localize(timezone, ambiguous=every, nonexistent="shift_forward"), ""
    certain = values.dt.tz_localize(timezone, ambiguous="NaT", nonexistent="NaT")
    if not (certain.isna() & values.notna()).any():
        return certain, ""
    shifted = values.dt.tz_localize(timezone, ambiguous="NaT", nonexistent="shift_forward")
    missing = certain.isna() & shifted.notna()
    if missing.any():
        return values, _told(values, missing, f"do not exist in {timezone}, where clocks are set forward then")
    doubled = shifted.isna() & values.notna()
    first, unclear = _passes(values, doubled, apart)
    if unclear.any():
        problem = f"are ambiguous in {timezone} (clocks set back), and the order of the rows does not tell which hour"
        return values, _told(values, pd.Series(unclear, index=values.index), f"{problem} is meant; give them a zone")
    return values.dt.tz_localize(timezone, ambiguous=first, nonexistent="NaT"), ""


def earliest(moment: pd.Timestamp, timezone: str) -> pd.Timestamp:
    """The earliest moment that a time without a zone can mean."""
    return moment.tz_localize(timezone, ambiguous=True, nonexistent="shift_backward")


def doubt(moment: datetime, timezone: str) -> str:
    """What is wrong with a single time that has no zone; empty if it exists once.

    Examples
    --------
    >>> doubt(datetime(2024, 10, 27, 2, 30), "Europe/Berlin")
    'comes twice in Europe/Berlin (clocks set back)'
    >>> doubt(datetime(2024, 3, 31, 2, 30), "Europe/Berlin")
    'does not exist in Europe/Berlin (clocks set forward)'
    """
    if moment.tzinfo:
        return ""
    zone = ZoneInfo(timezone)
    before, after = (moment.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    if before == after or before is None or after is None:
        return ""
    return (
        f"comes twice in {timezone} (clocks set back)"
        if before > after
        else f"does not exist in {timezone} (clocks set forward)"
    )


def doubled_hour(moment: pd.Timestamp, timezone: str) -> tuple[pd.Timestamp, pd.Timestamp] | None:
    """Begin and end of the hour that comes twice, counted twice, if a moment lies in it.

    Examples
    --------
    >>> import pandas as pd
    >>> [str(end) for end in doubled_hour(pd.Timestamp("2024-10-27 01:10", tz="UTC"), "Europe/Berlin")]
    ['2024-10-27 00:00:00+00:00', '2024-10-27 02:00:00+00:00']
    """
    import pandas as pd

    if not doubt(moment.tz_convert(timezone).tz_localize(None).to_pydatetime().replace(fold=0), timezone):
        return None
    low, high, second = moment - pd.Timedelta("3h"), moment + pd.Timedelta("3h"), pd.Timedelta("1s")
    low, high = low.floor("s"), high.floor("s")
    before, after = _offset(low, timezone), _offset(high, timezone)
    while high - low > second:
        middle = (low + (high - low) / 2).floor("s")
        low, high = (middle, high) if _offset(middle, timezone) == before else (low, middle)
    return high - (before - after), high + (before - after)


def _offset(moment: pd.Timestamp, timezone: str) -> Any:
    return moment.tz_convert(timezone).utcoffset()


def _passes(values: Values, doubled: pd.Series[bool], apart: pd.DataFrame | None) -> tuple[Truths, Truths]:
    """Which times lie in the first pass of their hour, and of which this is unclear."""
    import numpy as np
    import pandas as pd

    times, hours = values.to_numpy(), doubled.to_numpy(dtype=bool)
    first, unclear = np.zeros(len(times), dtype=bool), hours.copy()
    for night in np.unique(times[hours].astype("datetime64[D]")):
        near = (times > night - np.timedelta64(12, "h")) & (times < night + np.timedelta64(36, "h"))
        places = np.flatnonzero(near)
        rows = pd.Series(places) if apart is None else pd.Series(places, index=apart.iloc[places].index)
        groups = [rows] if apart is None else [some for _, some in rows.groupby(_numbered(apart.iloc[places]))]
        for group in map(pd.Series.to_numpy, groups):
            passes = _first_pass(times[group], hours[group])
            if passes is not None:
                first[group[hours[group]]] = passes
                unclear[group] = False
    return first, unclear


def _numbered(apart: pd.DataFrame) -> Truths:
    return apart.groupby(list(apart.columns), dropna=False, sort=False).ngroup().to_numpy()


def _first_pass(times: Truths, hours: Truths) -> Truths | None:
    """Which times of the doubled hour come first, of one series in its order; None if the order does not tell."""
    import numpy as np

    if times[0] > times[-1]:  # the newest row comes first
        passes = _first_pass(times[::-1], hours[::-1])
        return None if passes is None else passes[::-1]
    back = np.flatnonzero(times[1:] < times[:-1])
    if len(back) == 1 and hours[back[0]] and hours[back[0] + 1]:
        return np.asarray((np.arange(len(times)) <= back[0])[hours])
    distinct, counts = np.unique(times, return_counts=True)
    doubled = np.isin(distinct, times[hours])
    if len(back) or not (counts == np.where(doubled, 2, 1)).all():
        return None
    ambiguous = times[hours]
    return np.append(True, ambiguous[1:] != ambiguous[:-1])


def _told(values: Values, which: Values, what: str) -> str:
    return describe(values.dt.strftime("%Y-%m-%d %H:%M:%S"), which, what)
