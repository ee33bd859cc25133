"""The parsers of a model: read every column, in the right order; keep them as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from evergreen.definition.kinds.timestamp import Datetime
from evergreen.definition.parsing.number_format import NumberFormat
from evergreen.definition.parsing.parser import Parser
from evergreen.definition.parsing.text_format import TextFormat
from evergreen.definition.parsing.time_format import TimeFormat
from evergreen.definition.parsing.time_part import TimePart
from evergreen.frames import with_columns

if TYPE_CHECKING:
    import pandas as pd


def read(
    rows: pd.DataFrame, parsers: Mapping[str, Parser], timezone: str, time: str = "", key: Sequence[str] = ()
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Read every column that has a parser; one that was sent without its inputs stays as it is.

    Parameters
    ----------
    rows : DataFrame
    parsers : dict of column to Parser
    timezone : str
        What a time without a zone means.
    time : str
        The column with the time of the event. Where clocks are set back, the order of rows tells which hour is meant.
    key : sequence of str
        Its columns beside the time tell series of rows apart.

    Returns
    -------
    rows : DataFrame
        With the columns that were read.
    problems : dict of column to str
        Which values cannot be read; such a column stays as it is.
    """
    parts = {name: parser for name, parser in parsers.items() if isinstance(parser, TimePart)}
    rows, problems = _read(rows, {name: parsers[name] for name in parsers if name not in parts}, timezone, {})
    if time in rows.columns and time not in problems and timezone != "UTC":
        apart = rows[[name for name in key if name != time and name in rows.columns]] if time in key else None
        times, problem = Datetime().placed(rows[time], timezone, apart if apart is None or len(apart.columns) else None)
        if problem:
            problems = problems | {time: problem}
        else:
            rows = with_columns(rows, {time: times})
    return _read(rows, parts, timezone, problems)


def _read(
    rows: pd.DataFrame, parsers: Mapping[str, Parser], timezone: str, known: Mapping[str, str]
) -> tuple[pd.DataFrame, dict[str, str]]:
    problems = dict(known)
    for name, parser in parsers.items():
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
            rows = with_columns(rows, {name: values})
    return rows, problems


def stored(parsers: Mapping[str, Parser]) -> dict[str, dict[str, Any]]:
    """Parsers as JSON can hold them; `loaded` reads them again."""
    return {name: {"kind": type(parser).__name__, **parser.model_dump()} for name, parser in parsers.items()}


def loaded(parsers: Mapping[str, Mapping[str, Any]]) -> dict[str, Parser]:
    """What `stored` gave."""
    known: tuple[type[Parser], ...] = (TimeFormat, NumberFormat, TextFormat, TimePart)
    kinds = {kind.__name__: kind for kind in known}
    return {
        name: kinds[parser["kind"]](**{key: value for key, value in parser.items() if key != "kind"})
        for name, parser in parsers.items()
    }


def ordered(parsers: Mapping[str, Parser]) -> list[tuple[str, Parser]]:
    """The parsers in the order in which they run: parts of a time after the times."""
    return sorted(parsers.items(), key=lambda item: isinstance(item[1], TimePart))
