"""Features of the time that a table's history can support: hour, weekday, day of the year."""

from datetime import timedelta

import pandas as pd

from evergreen.definition.parsing.parser import Parser
from evergreen.definition.parsing.time_part import Named, TimePart

_NEEDED: dict[Named, timedelta] = {
    "hour": timedelta(days=3),
    "weekday": timedelta(days=28),
    "day_of_year": timedelta(days=360),
}

_LONGEST_STEP: dict[Named, timedelta] = {  # half of a cycle: what comes more rarely shows no such rhythm
    "hour": timedelta(hours=12),
    "weekday": timedelta(days=3.5),
    "day_of_year": timedelta(days=183),
}


def useful(values: pd.Series, column: str, features: pd.DataFrame, taken: set[str]) -> dict[str, Parser]:
    """Parts of the time that take several values, come round often enough, and are no feature yet.

    Parameters
    ----------
    values : Series of Timestamp
        The times of the rows.
    column : str
        Their column.
    features : DataFrame
        The columns that are features already, of some of these rows.
    taken : set of str
        Names of columns.
    """
    span = (values.max() - values.min()).to_pytimedelta()
    step = values.drop_duplicates().sort_values().diff().dt.total_seconds().median()
    parts: dict[str, Parser] = {}
    names = {name.casefold() for name in taken}
    for part, needed in _NEEDED.items():
        parser = TimePart(part=part, column=column)
        numbers, _ = parser.series([values], "UTC")
        there = _is_there(numbers[features.index], features)
        if span >= needed and step <= _LONGEST_STEP[part].total_seconds() and numbers.nunique() > 1 and not there:
            parts[part if part not in names else f"{column}_{part}"] = parser
    return parts


def _is_there(numbers: pd.Series, features: pd.DataFrame) -> bool:
    """Whether a feature tells the same: each of its values goes with one number, and the other way round."""
    different = numbers.nunique()
    for name in features:
        if features[name].nunique() == different:
            pairs = pd.DataFrame({"a": features[name].astype("str"), "b": numbers}).drop_duplicates()
            if len(pairs) == different:
                return True
    return False
