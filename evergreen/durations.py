"""Durations as people write them in a model file: 30min, 12h, 7d, 4w."""

import re
from datetime import timedelta
from math import ceil
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

_UNITS = {"min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse(value: Any) -> Any:
    """Return a timedelta for ``"7d"``; anything but text as it is.

    Raises
    ------
    ValueError
        The text is no duration.

    Examples
    --------
    >>> parse("12h")
    datetime.timedelta(seconds=43200)
    """
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?(min|h|d|w)", value.strip())
    if not match:
        raise ValueError(f"a duration such as '30min', '12h', '7d' or '4w', not {value!r}")
    return timedelta(**{_UNITS[match[2]]: float(match[1])})


def positive(text: str) -> timedelta:
    """A length of time longer than 0.

    Raises
    ------
    ValueError
        The text is no duration, or is 0.

    Examples
    --------
    >>> positive("7d").days
    7
    """
    length: timedelta = parse(text)
    if not length:
        raise ValueError(f"{text!r} should be longer than 0")
    return length


Duration = Annotated[timedelta, BeforeValidator(parse), Field(ge=timedelta(0))]
Length = Annotated[Duration, Field(gt=timedelta(0))]  # of what cannot be empty: a window, a holdout, a block


def as_text(length: timedelta) -> str:
    """A duration in the form of a model file, rounded up.

    Examples
    --------
    >>> as_text(timedelta(days=14)), as_text(timedelta(hours=36)), as_text(timedelta(seconds=61)), as_text(timedelta(0))
    ('14d', '36h', '2min', '0d')
    """
    units = {"d": timedelta(days=1), "h": timedelta(hours=1), "min": timedelta(minutes=1)}
    unit = next((name for name, size in units.items() if not length % size or length >= 7 * size), "min")
    return f"{ceil(length / units[unit])}{unit}"


def in_words(length: timedelta) -> str:
    """A length of time for a person.

    Examples
    --------
    >>> in_words(timedelta(days=3, hours=2)), in_words(timedelta(hours=36))
    ('3 days', '36 hours')
    """
    return f"{length.days} days" if length.days > 1 else f"{length / timedelta(hours=1):.0f} hours"
