"""How a column is read: times and numbers as people write them, and parts of a time as features.

A model file declares it once, and every way in uses it: files, databases, functions, the input of `evergreen score`
and the requests to the prediction service. `series` reads a whole column, `value` one value of a request.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from evergreen.definition.kinds.messages import describe
from evergreen.definition.options import Part

if TYPE_CHECKING:
    import pandas as pd

    from evergreen.definition.kinds.column_kind import Values

Named = Literal["minute", "hour", "weekday", "day", "day_of_year", "week", "month", "year"]
_SINCE = {"excel": datetime(1899, 12, 30)}
_UNITS = {
    "seconds": 1e-6,
    "milliseconds": 1e-3,
    "microseconds": 1.0,
    "nanoseconds": 1e3,
    "excel": 1 / 86_400e6,
}  # a microsecond in each


class Parser(Part, ABC):
    """Reads a column from one or more columns of a row."""

    @abstractmethod
    def inputs(self, name: str) -> list[str]:
        """The columns that it reads, for the column of this name."""

    @abstractmethod
    def series(self, columns: Sequence[Values], timezone: str) -> tuple[Values, str]:
        """Read a whole column.

        Parameters
        ----------
        columns : sequence of Series
            Of `inputs`, as the source gave them.
        timezone : str
            What a time without a zone means.

        Returns
        -------
        values : Series
        problem : str
            Which values cannot be read; empty if all can.
        """

    @abstractmethod
    def value(self, values: Sequence[Any], timezone: str) -> Any:
        """Read one value of a request; None if it is missing.

        Raises
        ------
        ValueError
            It cannot be read.
        """


class TimeFormat(Parser):
    """A time that is not written in ISO 8601, or that is spread over several columns.

    Attributes
    ----------
    format : str
        Directives of ``strptime``, for the columns joined by a space; a week of a year, ``%G-W%V``, means its
        Monday. Or, for numbers, ``seconds``, ``milliseconds``, ``microseconds``, ``nanoseconds`` since 1970 in UTC,
        or ``excel``, days since 30 December 1899.
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
        return format

    def inputs(self, name: str) -> list[str]:
        """`columns`, or the column itself."""
        return self.columns or [name]

    def series(self, columns: Sequence[Values], timezone: str) -> tuple[Values, str]:
        """Times with or without a zone; a column of times stays as it is."""
        import pandas as pd

        if len(columns) == 1 and pd.api.types.is_datetime64_any_dtype(columns[0]):
            return columns[0], ""
        present = _all_present(columns)
        times = self._counted(columns[0]) if self.format in _UNITS else self._written(columns, present)
        unread = times.isna() & present
        if not unread.any():
            return times, ""
        return columns[0], describe(_joined(columns), unread, f"are no time written as {self.format}")

    def value(self, values: Sequence[Any], timezone: str) -> str | None:
        """The time in ISO 8601."""
        if any(value is None or value == "" for value in values):
            return None
        if self.format in _UNITS:
            return _moment(float(values[0]), self.format).isoformat()
        text, format = " ".join(_plain(value) for value in values), self.format
        return datetime.strptime(*_with_weekday(text, format)).isoformat()

    def _written(self, columns: Sequence[Values], present: pd.Series[bool]) -> Values:
        import pandas as pd

        text = _joined(columns).where(present)
        suffix, format = _with_weekday("", self.format)
        times = pd.to_datetime(text + suffix, format=format, errors="coerce", utc="%z" in format)
        return pd.Series(times, index=columns[0].index)

    def _counted(self, values: Values) -> Values:
        import pandas as pd

        number = pd.to_numeric(values, errors="coerce").astype("float64")
        microseconds = (number / _UNITS[self.format]).round()
        spans = pd.to_timedelta(microseconds.where(microseconds.abs() < 9e15), unit="us")
        if self.format == "excel":
            return spans + pd.Timestamp(_SINCE["excel"])
        return spans + pd.Timestamp(0, tz="UTC")


class NumberFormat(Parser):
    """A number as people write it.

    Attributes
    ----------
    decimal, thousands : str
        What stands between the whole number and its fraction, and between thousands.
    remove : str
        Further characters that are no part of the number, such as ``$%``.
    missing : list of str
        What is written where there is none.

    Examples
    --------
    >>> NumberFormat(thousands=",", remove="$").value(["$1,234.50"], "UTC")
    1234.5
    """

    decimal: str = Field(".", min_length=1, max_length=1)
    thousands: str = Field("", max_length=1)
    remove: str = ""
    missing: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _check(self) -> NumberFormat:
        if self.decimal in (self.thousands, *self.remove):
            raise ValueError(f"the decimal sign {self.decimal!r} cannot be removed")
        return self

    def inputs(self, name: str) -> list[str]:
        """The column itself."""
        return [name]

    def series(self, columns: Sequence[Values], timezone: str) -> tuple[Values, str]:
        """Floats, NaN where missing; a column of numbers stays as it is."""
        import pandas as pd

        values = columns[0]
        if pd.api.types.is_numeric_dtype(values):
            return values, ""
        text = values.astype("str").str.strip()
        present = values.notna() & ~text.isin({"", *self.missing})
        plain = text.str.translate(self._translation).str.strip()
        numbers = pd.to_numeric(plain.where(present), errors="coerce").astype("float64")
        unread = numbers.isna() & present
        return (values, describe(values, unread, "hold no number")) if unread.any() else (numbers, "")

    def value(self, values: Sequence[Any], timezone: str) -> Any:
        """A number stays as it is."""
        value = values[0]
        if type(value) is not str:
            return value
        text = value.strip()
        return None if text == "" or text in self.missing else float(text.translate(self._translation).strip())

    @property
    def _translation(self) -> dict[int, str]:
        removed = dict.fromkeys(map(ord, self.thousands + self.remove), "")
        return removed | {ord(self.decimal): "."}


class TimePart(Parser):
    """A part of a time, as a number: what a clock or a calendar shows in the model's time zone.

    Attributes
    ----------
    part : str
        ``minute``, ``hour``, ``weekday`` (Monday is 0), ``day``, ``day_of_year``, ``week``, ``month`` or ``year``.
    column : str
        The column with the time.

    Examples
    --------
    >>> TimePart(part="weekday", column="at").value(["2017-12-01T05:00:00"], "UTC")
    4
    """

    part: Named
    column: str

    def inputs(self, name: str) -> list[str]:
        """The column with the time."""
        return [self.column]

    def series(self, columns: Sequence[Values], timezone: str) -> tuple[Values, str]:
        """Floats, NaN where the time is missing."""
        from evergreen.definition.kinds.register import kind_of

        times, problem = kind_of("datetime").cast(columns[0], timezone)
        if problem:
            return columns[0], problem
        local = times.dt.tz_convert(timezone).dt
        numbers = local.isocalendar().week if self.part == "week" else getattr(local, _PANDAS.get(self.part, self.part))
        return numbers.astype("float64"), ""

    def value(self, values: Sequence[Any], timezone: str) -> int | None:
        """A whole number."""
        if values[0] is None:
            return None
        moment = datetime.fromisoformat(values[0])
        moment = moment.astimezone(ZoneInfo(timezone)) if moment.tzinfo else moment
        return int(_FROM_DATETIME[self.part](moment))


_PANDAS = {"weekday": "dayofweek", "day_of_year": "dayofyear"}
_FROM_DATETIME: Mapping[str, Any] = {
    "minute": lambda moment: moment.minute,
    "hour": lambda moment: moment.hour,
    "weekday": datetime.weekday,
    "day": lambda moment: moment.day,
    "day_of_year": lambda moment: moment.timetuple().tm_yday,
    "week": lambda moment: moment.isocalendar().week,
    "month": lambda moment: moment.month,
    "year": lambda moment: moment.year,
}


def read(rows: pd.DataFrame, parsers: Mapping[str, Parser], timezone: str) -> tuple[pd.DataFrame, dict[str, str]]:
    """Read every column that has a parser; one that was sent without its inputs stays as it is.

    Returns
    -------
    rows : DataFrame
        With the columns that were read.
    problems : dict of column to str
        Which values cannot be read; such a column stays as it is.
    """
    problems: dict[str, str] = {}
    for name, parser in ordered(parsers):
        inputs = parser.inputs(name)
        sent = name in rows.columns and name not in inputs
        if sent or not set(inputs) <= set(rows.columns):
            continue
        if set(inputs) & set(problems) - {name}:
            problems[name] = f"{inputs[0]!r} cannot be read"
            continue
        values, problem = parser.series([rows[column] for column in inputs], timezone)
        if problem:
            problems[name] = problem
        else:
            rows = rows.assign(**{name: values})
    return rows, problems


def stored(parsers: Mapping[str, Parser]) -> dict[str, dict[str, Any]]:
    """Parsers as JSON can hold them; `loaded` reads them again."""
    return {name: {"kind": type(parser).__name__, **parser.model_dump()} for name, parser in parsers.items()}


def loaded(parsers: Mapping[str, Mapping[str, Any]]) -> dict[str, Parser]:
    """What `stored` gave."""
    kinds: dict[str, type[Parser]] = {kind.__name__: kind for kind in (TimeFormat, NumberFormat, TimePart)}
    return {
        name: kinds[parser["kind"]](**{key: value for key, value in parser.items() if key != "kind"})
        for name, parser in parsers.items()
    }


def ordered(parsers: Mapping[str, Parser]) -> list[tuple[str, Parser]]:
    """The parsers in the order in which they run: parts of a time after the times."""
    return sorted(parsers.items(), key=lambda item: isinstance(item[1], TimePart))


def _moment(number: float, unit: str) -> datetime:
    since = _SINCE.get(unit, datetime(1970, 1, 1, tzinfo=UTC))
    return since + timedelta(microseconds=round(number / _UNITS[unit]))


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
