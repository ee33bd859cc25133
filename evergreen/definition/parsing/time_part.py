"""Parts of a time as features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

from evergreen.definition.parsing.parser import Parser

if TYPE_CHECKING:
    from evergreen.definition.kinds.column_kind import Values

Named = Literal["minute", "hour", "weekday", "day", "day_of_year", "week", "month", "year"]
_PANDAS = {"weekday": "day_of_week"}
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
