"""A time that is written in columns of its own for year, month, day and hour, for year and day of it, or week."""

import itertools
import re
from collections.abc import Iterator

import pandas as pd

from evergreen.definition.parsing.time_format import TimeFormat
from evergreen.scaffold.reading import times
from evergreen.scaffold.reading.columns import Reading

_ROLES = {
    "year": ("year", "yr", "yyyy", "iso_year", "isoyear"),
    "month": ("month", "mon", "mnth", "mo", "mm"),
    "day": ("day", "dy", "dd", "dom", "day_of_month", "dayofmonth", "mday"),
    "day_of_year": ("day_of_year", "dayofyear", "doy", "yday", "jday", "julian_day"),
    "hour": ("hour", "hour_of_day", "hr", "hh"),
    "minute": ("minute", "min", "mi", "mn"),
    "week": ("week", "week_number", "weeknumber", "week_of_year", "weekofyear", "iso_week", "isoweek", "weeknum", "wk"),
}
_ORDERS = (
    ("year", "month", "day", "hour", "minute"),
    ("year", "day_of_year", "hour", "minute"),
    ("year", "week"),
)
_FINENESS = ("minute", "hour", "day", "day_of_year", "week", "month", "year")
_MONTHS = ("%m", "%B", "%b")
_SIGNS = {"year": "%Y", "day": "%d", "day_of_year": "%j", "hour": "%H", "minute": "%M"}


def find(readings: dict[str, Reading], target: str | None) -> Iterator[tuple[TimeFormat, pd.Series]]:
    """The times of columns that belong together by their names, such as ``arrival_year`` and ``arrival_month``.

    Parameters
    ----------
    readings : dict of column to Reading
    target : str or None
        The column that is no part.
    """
    for columns in _groups([name for name in readings if name != target]).values():
        for roles in _by_fineness(columns):
            found = _read([readings[columns[role]] for role in roles], roles)
            if found is not None:
                format, values = found
                yield TimeFormat(format=format, columns=[columns[role] for role in roles]), values
                break


def spelt(name: str) -> str:
    """The words of a column's name in small letters, with ``_`` between them.

    Examples
    --------
    >>> spelt("Crash Date"), spelt("tradeDate"), spelt("Time (UTC)")
    ('crash_date', 'trade_date', 'time_utc')
    """
    return re.sub(r"[\W_]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)).strip("_").lower()


def _groups(names: list[str]) -> dict[str, dict[str, str]]:
    """Columns by what stands before their role, each by its role.

    Examples
    --------
    >>> _groups(["No", "arrival_date_year", "ArrivalDateMonth", "Year"])
    {'arrival_date': {'year': 'arrival_date_year', 'month': 'ArrivalDateMonth'}, '': {'year': 'Year'}}
    """
    groups: dict[str, dict[str, str]] = {}
    for name in names:
        words = spelt(name)
        for role, endings in _ROLES.items():
            ending = max((end for end in endings if re.search(f"(^|_){end}$", words)), key=len, default="")
            if ending:
                groups.setdefault(words.removesuffix(ending).rstrip("_"), {}).setdefault(role, name)
    return groups


def _by_fineness(columns: dict[str, str]) -> list[list[str]]:
    """The roles from the year down, without a gap, by month, day of the year and week: the shortest time first.

    Examples
    --------
    >>> _by_fineness(dict.fromkeys(["year", "month", "day_of_year", "hour"], "a column"))
    [['year', 'day_of_year', 'hour'], ['year', 'month']]
    >>> _by_fineness(dict.fromkeys(["year", "month", "day", "day_of_year"], "a column"))
    [['year', 'month', 'day'], ['year', 'day_of_year']]
    """
    whole = [list(itertools.takewhile(columns.__contains__, order)) for order in _ORDERS]
    return sorted((roles for roles in whole if len(roles) > 1), key=lambda roles: _FINENESS.index(roles[-1]))


def _read(readings: list[Reading], roles: list[str]) -> tuple[str, pd.Series] | None:
    """The format that reads every row, and the times."""
    for month in _MONTHS:
        signs = _SIGNS | {"month": month}
        format = "%G %V" if roles[-1] == "week" else " ".join(signs[role] for role in roles)
        values = times.joined([reading.values for reading in readings], format)
        if values.notna().all():
            return format, values
    return None
