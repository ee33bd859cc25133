"""How times are written: the formats that fit a column, and which of them the rows speak for."""

import re
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import product
from typing import Any

import pandas as pd

from evergreen.definition.parsing.time_format import TimeFormat

ISO = "ISO8601"
_YEARS = (1900, 2200)
_ORDERS = [f"%{a}{{0}}%{b}{{0}}%{c}" for a, b, c in ("dmY", "mdY", "Ymd", "dmy", "mdy", "ymd")]
_NAMED = [
    "%d{0}%b{0}%Y",
    "%d{0}%b{0}%y",
    "%d{0}%B{0}%Y",
    "%b{0}%d{0}%Y",
    "%B{0}%d{0}%Y",
    "%b{0}%Y",
    "%B{0}%Y",
    "%b{0}%y",
]
_OTHERS = ["%b %d, %Y", "%B %d, %Y", "%Y%m%d", "%G-W%V", "%G-W%V-%u", "%m/%Y", "%Y/%m", "%Y-%m", "%m-%Y"]
_OTHERS += ["%GW%V", "%GW%V%u", "%YM%m", "%Y-%j", "%qQ%Y", "%qQ %Y", "%qQ%y"]
_OTHERS += ["%YQ%q", "%Y-Q%q", "%Y Q%q", "Q%q %Y", "Q%q-%Y", "Q%q/%Y"]
_PLAIN = [order.format(sign) for order, sign in product([*_ORDERS, *_NAMED], "/-. ")] + _OTHERS
_SPOKEN = ["%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d %B %Y", "%b %d %Y"]  # after the name of a weekday
DATES = _PLAIN + [f"{day}{sign}{date}" for day, sign, date in product(("%a", "%A"), (", ", " "), _SPOKEN)]
CLOCKS = (
    *("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%H:%M:%S,%f", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p", "%I%p", "%I %p"),
    *("%H.%M", "%H.%M.%S", "%I.%M %p", "%I.%M.%S %p", "%H"),
)
_JOINED = [f"{date}{sign}{clock}" for date, sign, clock in product(DATES, " T", CLOCKS)]
_JOINED += ["%Y%m%d %H%M", "%Y%m%d %H%M%S", "%Y%m%dT%H%M"]
_JOINED += ["%Y%m%dT%H%M%S", "%Y%m%d%H%M%S", "%Y%m%d%H%M", "%Y%m%d%H", "%Y-%m-%dT%H:%M:%SZ", "%a %b %d %H:%M:%S %Y"]
_FULL = ["%Y-%m-%d %H:%M:%S", "%a, %d %b %Y %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%Y/%m/%d %H:%M:%S"]
_ZONED = [f"{format}{zone}" for format, zone in product(_FULL, (" %z", " UTC", " GMT"))]
_ZONED += ["%d/%m/%Y %H:%M%z", "%d/%b/%Y:%H:%M:%S %z", "%a %b %d %H:%M:%S %z %Y", "%a %b %d %H:%M:%S UTC %Y"]
_ALL = (*DATES, *_JOINED, *_ZONED)
_OFFSET = re.compile(r"[+-]\d{2}:?\d{2}(?=$| )")
# Times that are whole numbers, by their digits.
_WHOLE = {14: "%Y%m%d%H%M%S", 12: "%Y%m%d%H%M", 10: "%Y%m%d%H", 8: "%Y%m%d", 7: "%Y%j", 6: "%Y%m", 4: "%Y"}
_LEAST_DIGITS = 1000  # the smallest number that tells a time: a year
_COUNTED = {"seconds": 1.0, "milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}
_SINCE_1970 = (3e8, 4e9)  # seconds: from 1979 to 2096
_MOST = 0.9  # share of times in a column whose other values are slips
_SERIAL_DAYS = (2e4, 8e4)  # days of a spreadsheet: from 1954 to 2119
_WIDTHS = {"Y": 4, "G": 4, "y": 2, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2, "V": 2, "u": 1, "j": 3}
_SOME = 50  # values that a format is tried on before all of them


@dataclass(frozen=True)
class Fit:
    """A format that reads every value of a column.

    Attributes
    ----------
    format : str
        For `TimeFormat`, or `ISO`.
    ascending : float
        The share of rows that are not earlier than the row before.
    regular : float
        The share of the steps between different times that have the commonest length.
    """

    format: str
    ascending: float
    regular: float

    @property
    def evidence(self) -> tuple[float, float]:
        """What speaks for it: greater is better."""
        return round(self.ascending, 2), round(self.regular, 2)


@dataclass(frozen=True)
class Found:
    """The format of a column of times, and why it is this one.

    Attributes
    ----------
    format : str
    why : str
        Empty if no other format fits.
    doubt : str
        Another format that the rows speak for just as well; empty if there is none.
    """

    format: str
    why: str = ""
    doubt: str = ""


def find(values: pd.Series, *, counted: bool = False) -> Found | None:
    """The format of times that are written as text or as whole numbers; None if they are no times.

    If day and month can be either, the order with which times ascend, in steps of one length, is taken.

    Parameters
    ----------
    values : Series
    counted : bool
        Whether whole numbers may count time since 1970, which the column's name has to say.

    Examples
    --------
    >>> find(pd.Series(["31/01/2013", "01/02/2013"])).format, find(pd.Series([2013, 2014])).format
    ('%d/%m/%Y', '%Y')
    """
    known = values.dropna()
    if known.empty:
        return None
    if pd.api.types.is_numeric_dtype(values) or pd.api.types.infer_dtype(values, skipna=True) == "integer":
        format = _whole(known.drop_duplicates(), counted=counted)
        return Found(format) if format else None
    text = known.astype("str").str.strip()
    if text.str.match(r"\d{4}-\d{2}-\d{2}").all() and timestamps(text, ISO).notna().all():
        return Found(ISO)
    fits = [_fit(format, text) for format in fitting(text, _ALL)]
    return _best(fits) if fits else None


def find_moments(values: pd.Series) -> str | None:
    """The format of whole numbers that tell at least the day, by digits or counted since 1970; None if they do not.

    Examples
    --------
    >>> find_moments(pd.Series([1700000000123, None])), find_moments(pd.Series([201301, 201302]))
    ('milliseconds', None)
    """
    known = values.dropna().drop_duplicates()
    if known.empty or not (known.astype("float64").abs() < 2**63).all():
        return None
    format = _whole(known, counted=True)
    return format if format in _COUNTED or (format and "%d" in format) else None


def find_clock(values: pd.Series) -> str | None:
    """The format of a time of day; None if it is none. Whole numbers up to 24 are hours."""
    known = values.dropna()
    if known.empty:
        return None
    if pd.api.types.is_numeric_dtype(known):
        return "%H" if known.isin(range(25)).all() and known.nunique() > 1 else None
    return next(iter(fitting(known.astype("str").str.strip(), CLOCKS)), None)


def fitting(text: pd.Series, formats: tuple[str, ...]) -> list[str]:
    """The formats that read every value."""
    different = text.drop_duplicates()
    few = different.iloc[:: max(1, len(different) // _SOME)].tolist()
    by_signs = _by_signs(formats)
    possible = by_signs.get((_signs(few[0]), False), []) + by_signs.get((_signs(_OFFSET.sub("", few[0])), True), [])
    possible = [format for format in possible if all(_readable(value, format) for value in few)]
    return [format for format in possible if timestamps(different, format).notna().all()]


def unread(text: pd.Series) -> pd.Series | None:
    """The values of a column that are no times where nearly all others are; None if it holds no times.

    Examples
    --------
    >>> unread(pd.Series(["2013-01-31"] * 99 + ["Total"])).to_dict()
    {99: 'Total'}
    """
    stripped = text.astype("str").str.strip()
    sample = stripped.iloc[:: max(1, len(text) // _SOME)]
    formats = [format for value in sample.head(3) for format in fitting(pd.Series([value]), _ALL)]
    for format in [ISO, *dict.fromkeys(formats)]:
        if timestamps(sample, format).notna().mean() >= _MOST:
            strange = text[timestamps(stripped, format).isna()]
            if 0 < len(strange) <= (1 - _MOST) * len(text):
                return strange
    return None


def timestamps(values: pd.Series, format: str | None) -> pd.Series:
    """The times of a column in UTC, NaT if missing; a time without a zone counts as UTC."""
    if format in (None, ISO):
        text = values if format is None else values.astype("str").where(values.notna())
        return pd.to_datetime(text, format=format, utc=True, errors="coerce")
    return joined([values], str(format))


def joined(columns: list[pd.Series], format: str) -> pd.Series:
    """The times in UTC of values that are read together; NaT where one is missing or cannot be read."""
    parser = TimeFormat(format=format, columns=[f"c{place}" for place in range(len(columns))])
    return pd.to_datetime(parser.times(columns), utc=True)


def _whole(numbers: pd.Series, *, counted: bool) -> str | None:
    """The format of times that are numbers: a calendar's digits, or time or days since a start if `counted`."""
    low, high = float(numbers.min()), float(numbers.max())
    if high < _LEAST_DIGITS:  # before any arithmetic on all of a measurement
        return None
    whole = bool((numbers.astype("float64") % 1 == 0).all())
    digits: list[int] = numbers.astype("int64").astype("str").str.len().unique().tolist() if whole else []
    format = _WHOLE.get(digits[0]) if len(digits) == 1 else None
    if format and timestamps(numbers, format).dt.year.between(*_YEARS).all():
        return format
    first, last = _SINCE_1970
    units = [unit for unit, factor in _COUNTED.items() if low / factor >= first and high / factor <= last]
    units += ["excel"] if low >= _SERIAL_DAYS[0] and high <= _SERIAL_DAYS[1] else []
    return units[0] if units and counted else None


def _signs(text: str) -> str:
    """What stands in a text beside letters and digits."""
    return re.sub(r"[^\W_]", "", text)


@cache
def _by_signs(formats: tuple[str, ...]) -> dict[tuple[str, bool], list[str]]:
    """Formats by their signs, and by whether an offset stands beside these."""
    found: dict[tuple[str, bool], list[str]] = {}
    for format in formats:
        found.setdefault((_signs(re.sub("%.", "", format)), "%z" in format), []).append(format)
    return found


@cache
def _digits(format: str) -> "re.Pattern[str]":
    """The digits of a text that is written so: without a sign between them all of a number have to be there.

    Examples
    --------
    >>> [bool(_digits("%Y%m%d %H:%M").fullmatch(text)) for text in ("20180105 3:00", "2018015 03:00")]
    [True, False]
    """
    parts = re.findall(r"%.|[^%]+", format)
    beside = [{*parts[max(0, place - 1) : place], *parts[place + 1 : place + 2]} for place in range(len(parts))]
    return re.compile("".join(map(_digits_of, parts, beside)))


def _digits_of(part: str, beside: set[str]) -> str:
    """The digits of a part of a format, beside others."""
    if not part.startswith("%"):
        return re.escape(part)
    width = _WIDTHS.get(part[1])
    if width is None:
        return ".+"
    joined = any(other[0] == "%" and other[1] in _WIDTHS for other in beside)
    return rf"\d{{{width}}}" if joined or part == "%j" else r"\d+"


def _readable(text: str, format: str) -> bool:
    if not _digits(format).fullmatch(text):
        return False
    try:
        moment: Any = TimeFormat(format=format).value([text], "UTC")
    except ValueError:
        return False
    if moment is None:
        return False
    return _YEARS[0] <= datetime.fromisoformat(moment).year <= _YEARS[1] if "%Y" in format or "%y" in format else True


def _fit(format: str, text: pd.Series) -> Fit:
    times = timestamps(text, format)
    steps = times.drop_duplicates().sort_values().diff().dropna()
    regular = float((steps == steps.mode().iloc[0]).mean()) if len(steps) else 1.0
    return Fit(format, float((times.diff().dropna() >= pd.Timedelta(0)).mean()) if len(times) > 1 else 1.0, regular)


def _best(fits: list[Fit]) -> Found:
    """The format that the rows speak for."""
    order = sorted(fits, key=lambda fit: fit.evidence, reverse=True)
    best, others = order[0], [fit for fit in order[1:] if not _alike(fit.format, order[0].format)]
    if not others:
        return Found(best.format)
    other = others[0]
    why = (
        f"times ascend in {best.ascending:.0%} of rows and {best.regular:.0%} of steps are alike; "
        f"as {other.format} {other.ascending:.0%} and {other.regular:.0%}"
    )
    return Found(best.format, why, other.format if other.evidence == best.evidence else "")


def _alike(one: str, other: str) -> bool:
    """Whether two formats differ only in how a year or a month's name may be abbreviated."""
    return re.sub("%B", "%b", one) == re.sub("%B", "%b", other)
