"""Times that are not written in ISO 8601."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from evergreen.definition.kinds.messages import describe
from evergreen.definition.parsing.parser import Parser

if TYPE_CHECKING:
    import pandas as pd

    from evergreen.definition.kinds.column_kind import Values

_SINCE = {"excel": datetime(1899, 12, 30)}
_UNITS = {
    "seconds": 1e-6,
    "milliseconds": 1e-3,
    "microseconds": 1.0,
    "nanoseconds": 1e3,
    "excel": 1 / 86_400e6,
}  # a microsecond in each
_MIDNIGHT = re.compile(r"(?<=[ T])24(?=(?:[:.]?00)*$)")  # of a clock that counts from 1 to 24
_POINT_ZERO = re.compile(r"(?<=\d)\.0+(?= |$)")  # of a whole number that was written as 2013.0
_QUARTER = re.compile(r"(?<=Q)[1-4](?!\d)|(?<!\d)[1-4](?=Q)")


class TimeFormat(Parser):
    """A time that is not written in ISO 8601, or that is spread over several columns.

    Attributes
    ----------
    format : str
        Directives of ``strptime``, for the columns joined by a space; a week of a year, ``%G-W%V``, means its
        Monday, a quarter, ``%Y-Q%q`` or ``%qQ%Y``, its first day; ``UTC`` or ``GMT`` in it means that zone. Hour 24
        at the end is the midnight after. Or, for numbers, ``seconds``, ``milliseconds``, ``microseconds``,
        ``nanoseconds`` since 1970 in UTC, or ``excel``, days since 30 December 1899.
    columns : list of str
        The columns that the time is written in; by default its own.

    Examples
    --------
    >>> TimeFormat(format="%d/%m/%Y %H", columns=["Date", "Hour"]).value(["1/12/2017", 5], "UTC")
    '2017-12-01T05:00:00'
    """

    format: str
    columns: list[str] = Field(default_factory=list)

    @field_validator("format")
    @classmethod
    def _known(cls, format: str) -> str:
        if "%" not in format and format not in _UNITS:
            raise ValueError(f"{format!r} has no directive such as %Y, and is none of {', '.join(_UNITS)}")
        if "%q" in re.sub("Q%q|%qQ", "", format):
            raise ValueError(f"{format!r} has a quarter without the letter: write it Q%q or %qQ, as in %Y-Q%q")
        return format

    def inputs(self, name: str) -> list[str]:
        """`columns`, or the column itself."""
        return self.columns or [name]

    def series(self, columns: Sequence[Values], timezone: str) -> tuple[Values, str]:
        """Times with or without a zone; a column of times stays as it is."""
        import pandas as pd

        if len(columns) == 1 and pd.api.types.is_datetime64_any_dtype(columns[0]):
            return columns[0], ""
        present, times = _all_present(columns), self.times(columns)
        unread = times.isna() & present
        if not unread.any():
            return times, ""
        return columns[0], describe(_joined(columns), unread, f"are no time written as {self.format}")

    def times(self, columns: Sequence[Values]) -> Values:
        """The times with or without a zone; NaT where a part is missing or cannot be read."""
        if self.format in _UNITS:
            return self._counted(columns[0])
        return self._written(columns, _all_present(columns))

    def value(self, values: Sequence[Any], timezone: str) -> str | None:
        """The time in ISO 8601."""
        if any(value is None or value == "" for value in values):
            return None
        if self.format in _UNITS:
            return _moment(float(values[0]), self.format).isoformat()
        text = " ".join(self._whole(_plain(value)) for value in values)
        text = _QUARTER.sub(_first_month, text) if "%q" in self.format else text
        start, ends = _MIDNIGHT.subn("00", text) if "%H" in self.format else (text, 0)
        moment = datetime.strptime(*_with_weekday(start, self.format.replace("%q", "%m"))) + timedelta(days=ends)
        return (moment.replace(tzinfo=UTC) if self._in_utc else moment).isoformat()

    def _whole(self, text: str) -> str:
        return text if "." in self.format else _POINT_ZERO.sub("", text)

    @property
    def _in_utc(self) -> bool:
        """Whether the format names the zone in plain letters."""
        return re.search(r"\b(UTC|GMT)\b", self.format) is not None

    def _written(self, columns: Sequence[Values], present: pd.Series[bool]) -> Values:
        import pandas as pd

        text = _joined(columns).where(present)
        if "." not in self.format and text.str.contains(_POINT_ZERO).any():
            text = text.str.replace(_POINT_ZERO, "", regex=True)
        if "%q" in self.format:
            text = text.str.replace(_QUARTER, _first_month, regex=True)
        times = pd.Series(self._moments(text), index=columns[0].index)
        ends = times.isna() & text.str.contains(_MIDNIGHT).eq(other=True) if "%H" in self.format else None
        if ends is not None and ends.any():
            begins = pd.Series(
                self._moments(text[ends].str.replace(_MIDNIGHT, "00", regex=True)), index=text[ends].index
            )
            times = times.fillna(begins + pd.Timedelta(days=1))
        return times

    def _moments(self, text: Values) -> Values:
        import pandas as pd

        suffix, format = _with_weekday("", self.format.replace("%q", "%m"))
        return pd.to_datetime(text + suffix, format=format, errors="coerce", utc="%z" in format or self._in_utc)

    def _counted(self, values: Values) -> Values:
        import pandas as pd

        number = pd.to_numeric(values, errors="coerce").astype("float64")
        microseconds = (number / _UNITS[self.format]).round()
        spans = pd.to_timedelta(microseconds.where(microseconds.abs() < 9e15), unit="us")
        if self.format == "excel":
            return spans + pd.Timestamp(_SINCE["excel"])
        return spans + pd.Timestamp(0, tz="UTC")


def _moment(number: float, unit: str) -> datetime:
    since = _SINCE.get(unit, datetime(1970, 1, 1, tzinfo=UTC))
    return since + timedelta(microseconds=round(number / _UNITS[unit]))


def _first_month(quarter: re.Match[str]) -> str:
    return f"{3 * int(quarter[0]) - 2:02d}"


def _with_weekday(text: str, format: str) -> tuple[str, str]:
    """A week of a year gets its Monday."""
    return (f"{text} 1", f"{format} %u") if "%V" in format and "%u" not in format else (text, format)


def _all_present(columns: Sequence[Values]) -> pd.Series[bool]:
    import pandas as pd

    present = pd.Series(data=True, index=columns[0].index)
    for values in columns:
        present &= values.notna() & (values.astype("str").str.strip() != "")
    return present


def _joined(columns: Sequence[Values]) -> Values:
    """The texts of several columns, with a space between them."""
    text = _texts(columns[0])
    for values in columns[1:]:
        text = text + " " + _texts(values)
    return text


def _texts(values: Values) -> Values:
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(values):
        days = bool((values.dropna().dt.normalize() == values.dropna()).all())
        return values.dt.strftime("%Y-%m-%d" if days else "%Y-%m-%d %H:%M:%S")
    if pd.api.types.is_float_dtype(values):
        return values.map(_plain, na_action="ignore").astype("str")
    return values.astype("str").str.strip()


def _plain(value: Any) -> str:
    """A value as text; 7.0 is written 7."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
