"""Durations as people write them in a model file: 30min, 12h, 7d, 4w."""

import re
from datetime import timedelta
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


Duration = Annotated[timedelta, BeforeValidator(parse), Field(ge=timedelta(0))]
Length = Annotated[Duration, Field(gt=timedelta(0))]  # of what cannot be empty: a window, a holdout, a block


def in_words(length: timedelta) -> str:
    """A length of time for a person.

    Examples
    --------
    >>> in_words(timedelta(days=3, hours=2)), in_words(timedelta(hours=36))
    ('3 days', '36 hours')
    """
    return f"{length.days} days" if length.days > 1 else f"{length / timedelta(hours=1):.0f} hours"
