"""The time of a table's rows: the column, or the columns together, that tell when each event was."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product

import pandas as pd

from evergreen.definition.parsing.time_format import TimeFormat
from evergreen.errors import ScaffoldError
from evergreen.scaffold.reading import calendar_parts, times
from evergreen.scaffold.reading.calendar_parts import spelt
from evergreen.scaffold.reading.columns import Reading, rises

_TIMES = ("ts", "time", "timestamp", "datetime", "date", "day", "event_time", "created_at")
_TIME_WORDS = re.compile(
    r"(^|_)(ts|dt|time|timestamp|datetime|date|datum|day|month|year|when|period|yyyymm(dd)?|yearmonth)(_|$)"
)
_COUNTED_WORDS = re.compile(r"(^|_)(unix|epoch|ts|dt|time|timestamp|datetime|date|datum)(_|$|time)")
_CLOCK_WORDS = re.compile(r"(^|_)(hour|hours|hr|hrs|he|time|clock)(_|$)")
_NEW_NAMES = ("time", "timestamp", "event_time", "time_of_event")  # of a time that is written in several columns
_YEAR_WORDS = re.compile(r"(^|[\W_])(X|Y|YR|FY)?(19|20)\d\d(?!\d)")
_WIDE = 4  # columns named after a year, from which on a table has a column for each time
_NAMED = 12  # names that a message lists
_SAME = 0.5  # a column tells only the day if a finer one lies within that day in more rows than this share
_OTHER_WORDS = re.compile(  # of a time that is not the event's: of a birth, to come, or of the record
    r"(^|_)(birth\w*|dob|born|due|expir\w*|end|ends|ended|until|deadline|updated?|modified|changed)(_|$)"
)


@dataclass(frozen=True)
class EventTime:
    """The time of the rows.

    Attributes
    ----------
    column : str
        A column of the table, or a new name where several are read together.
    parser : TimeFormat or None
        None if it is written in ISO 8601.
    values : Series of Timestamp
        In UTC.
    why : str
    """

    column: str
    parser: TimeFormat | None
    values: pd.Series
    why: str
    doubt: str = ""

    @property
    def inputs(self) -> list[str]:
        """The columns of the table that it is read from."""
        return self.parser.inputs(self.column) if self.parser else [self.column]


def find(
    rows: pd.DataFrame,
    readings: dict[str, Reading],
    asked: str | None,
    format: str | None,
    target: str | None,
    until: pd.Timestamp | None = None,
) -> EventTime:
    """Choose the time of a table's rows.

    Parameters
    ----------
    rows : DataFrame
        A sample.
    readings : dict of column to Reading
    asked, format : str or None
        The column and the format that the user names.
    target : str or None
        The column that is no candidate.
    until : Timestamp or None
        When the future begins.

    Raises
    ------
    ScaffoldError
        There is none, it has gaps, or nothing tells in which order day and month stand.
    """
    if asked and format:
        return _as_asked(rows, asked, format)
    candidates = [found for found in _candidates(rows, readings, asked, target) if asked in (None, *found.inputs)]
    if asked and not candidates:
        examples = listed(rows[asked].dropna().head(3))
        raise ScaffoldError(
            f"{asked!r} cannot be read as a time: {examples}. Give times as 2013-01-31 08:00, or the format by "
            "--time-format."
        )
    if not candidates:
        raise ScaffoldError(_no_times(rows, target))
    best = min(candidates, key=lambda found: _rank(found, candidates, until))
    _require_usable(rows, best)
    others = [found.column for found in candidates if found.column not in (best.column, *best.inputs)]
    guessed = f"guessed; others: {listed(others)}" if others else "" if best.why else "the only time"
    why = "; ".join(filter(None, ["as asked for" if asked else guessed, best.why]))
    return EventTime(best.column, best.parser, best.values, why)


def beside(readings: dict[str, Reading], time: EventTime, others: Iterable[str | None]) -> dict[str, Reading]:
    """Columns of numbers that are times too, whatever their name: all within the table's time, or its length away.

    A number that grows with the time says nothing of rows to come; as a time it may tell when a label became known.

    Parameters
    ----------
    readings : dict of column to Reading
    time : EventTime
    others : iterable of str
        Columns that stay what they are.
    """
    first, last = time.values.min(), time.values.max()
    kept, found = {time.column, *time.inputs, *others}, {}
    for name, reading in readings.items():
        if name in kept or reading.kind not in ("integer", "number") or reading.parser:
            continue
        numbers = pd.to_numeric(reading.values, errors="coerce")  # decimals are objects
        format, known = times.find_moments(numbers), reading.values.notna()
        values = times.timestamps(numbers, format) if format else None
        if values is not None and values[known].between(first - (last - first), last + (last - first)).all():
            found[name] = Reading("datetime", values, TimeFormat(format=str(format)))
    return found


def _as_asked(rows: pd.DataFrame, column: str, format: str) -> EventTime:
    values = times.timestamps(rows[column], format)
    unread = rows[column][values.isna() & rows[column].notna()]
    if len(unread):
        raise ScaffoldError(f"{column!r} is not written as {format} in {len(unread):,} rows: {listed(unread.head(3))}.")
    return EventTime(column, None if format == times.ISO else TimeFormat(format=format), values, "as asked for")


def _candidates(
    rows: pd.DataFrame, readings: dict[str, Reading], asked: str | None, target: str | None
) -> Iterator[EventTime]:
    single = [found for name in readings if name != target and (found := _single(name, rows, readings[name], asked))]
    yield from single
    taken = {target, *(found.column for found in single if isinstance(found.parser, TimeFormat) or not found.parser)}
    clocks = [name for name in readings if name not in taken and _CLOCK_WORDS.search(spelt(name))]
    days = [found for found in single if _is_daily(found)]
    for day, clock in product(days, clocks):
        if together := _together(rows, readings, day, clock):
            yield together
    years = {found.column for found in single if found.parser and found.parser.format == "%Y"}
    if not {found.column for found in single} - years:
        for parser, values in calendar_parts.find(readings, target):
            yield EventTime(_new_name(rows), parser, values, f"{listed(parser.columns)} together")


def _single(name: str, rows: pd.DataFrame, reading: Reading, asked: str | None) -> EventTime | None:
    """A column that holds times by itself. Numbers count only in a column that is named like a time."""
    if reading.kind == "datetime":
        parser = reading.parser if isinstance(reading.parser, TimeFormat) else None
        return EventTime(name, parser, pd.to_datetime(reading.values, utc=True), reading.note, reading.doubt)
    counted = name == asked or _COUNTED_WORDS.search(spelt(name)) is not None
    if reading.kind not in ("integer", "number") or not (counted or _TIME_WORDS.search(spelt(name))):
        return None
    found = times.find(reading.values, counted=counted)
    if found is None:
        return None
    return EventTime(name, TimeFormat(format=found.format), times.timestamps(reading.values, found.format), found.why)


def _unit(found: EventTime) -> str | None:
    """The unit of a time that is counted; None if it is written."""
    return found.parser.format if found.parser and "%" not in found.parser.format else None


def _is_daily(found: EventTime) -> bool:
    """Whether a column holds days, written without a time of day."""
    known, format = found.values.dropna(), found.parser.format if found.parser else "%d"
    days = bool(re.search("%[dj]", format)) and not re.search("%[HI]", format)
    return bool(days and len(known) and (known.dt.normalize() == known).all())


def _together(rows: pd.DataFrame, readings: dict[str, Reading], day: EventTime, clock: str) -> EventTime | None:
    """A day and a time of day in two columns."""
    values = readings[clock].values if readings[clock].kind == "integer" else rows[clock]
    format = times.find_clock(values)
    if format is None:
        return None
    date = day.parser.format if day.parser else "%Y-%m-%d"
    source = day.values.dt.strftime("%Y-%m-%d") if day.parser is None else rows[day.column]
    found = times.joined([source, values], f"{date} {format}")
    if found.isna().any() and not day.values.isna().any():
        return None
    parser = TimeFormat(format=f"{date} {format}", columns=[day.column, clock])
    why = "; ".join(filter(None, [f"{day.column!r} and {clock!r} together", day.why]))
    return EventTime(_new_name(rows), parser, found, why, day.doubt)


def _new_name(rows: pd.DataFrame) -> str:
    taken = {str(name).casefold() for name in rows.columns}
    return next(name for name in _NEW_NAMES if name not in taken)


def _rank(found: EventTime, candidates: list[EventTime], until: pd.Timestamp | None) -> tuple[int, ...]:
    """Order of preference.

    No gaps, none in the future, no name of another time, finer where others tell the same moment, written, a known
    name, in the order of the rows, most values.
    """
    different = found.values.nunique()
    coarse = any(_is_coarser(found, other) for other in candidates if not other.values.isna().any())
    name = found.column.lower()
    named = _TIMES.index(name) if name in _TIMES else len(_TIMES)
    together = len(found.inputs) > 1
    later = until is not None and bool((found.values >= until).any())
    of_another = any(_OTHER_WORDS.search(spelt(column)) for column in (found.column, *found.inputs))
    unordered = not rises(found.values, pd.Series(range(len(found.values)), found.values.index))
    doubts = (found.values.isna().any(), later, of_another, coarse, together, _unit(found))
    return *map(bool, doubts), named, unordered, -different


def _is_coarser(found: EventTime, other: EventTime) -> bool:
    """Whether a column tells the same moments as another, but only by the day, the month or the year."""
    moments = found.values.drop_duplicates().sort_values()
    if len(moments) >= other.values.nunique():
        return False
    after = other.values - found.values
    return len(moments) < 2 or bool(((after >= pd.Timedelta(0)) & (after <= moments.diff().median())).mean() > _SAME)


def _require_usable(rows: pd.DataFrame, found: EventTime) -> None:
    name, gaps = found.column, int(found.values.isna().sum())
    if gaps or found.values.nunique() < 2:
        value = f"missing in {gaps:,}" if gaps else f"{found.values.dropna().iloc[0]:%Y-%m-%d %H:%M:%S} in all"
        raise ScaffoldError(f"{name!r} is {value} of {len(rows):,} rows. Choose another with --time, or fix it.")
    if found.doubt and found.parser:
        examples = listed(rows[found.inputs[0]].dropna().head(3))
        raise ScaffoldError(
            f"{found.inputs[0]!r} can be read as {found.parser.format} or as {found.doubt}, and no row decides: "
            f"{examples}. Say which, with --time {found.inputs[0]} --time-format '{found.parser.format}'."
        )


def _no_times(rows: pd.DataFrame, target: str | None) -> str:
    """Why no column holds times, and what to do."""
    texts = [str(name) for name in rows if name != target and pd.api.types.infer_dtype(rows[name]) == "string"]
    for name in texts:
        if (unread := times.unread(rows[name].dropna())) is not None:
            return (
                f"{name!r} holds times, but not in {len(unread):,} of {len(rows):,} rows: "
                f"{listed(unread.head(3))} in row {unread.index[0] + 1:,}. Correct or remove these rows."
            )
    years = [str(name) for name in rows if _YEAR_WORDS.search(str(name))]
    if len(years) >= _WIDE:
        return (
            f"No column holds times, but the names of {len(years)} columns do, such as {years[0]!r}. Write a row for "
            "each time instead, as `pandas.melt` does, with the time in a column of its own."
        )
    return (
        f"No column holds times: {listed(rows.columns)}. Add the time of each row's event, as 2013-01-31 or "
        "2013-01-31 08:00, or use a `Call` source that computes it. A month or a clock alone is none, nor a count from "
        "a start that nobody tells."
    )


def listed(names: Iterable[object]) -> str:
    """Names or values for a message; of many the first.

    Examples
    --------
    >>> listed("ab"), listed(range(14))
    ("'a', 'b'", '0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 2 more')
    """
    shown = list(map(repr, names))
    more = f" and {len(shown) - _NAMED} more" if len(shown) > _NAMED else ""
    return ", ".join(shown[:_NAMED]) + more
