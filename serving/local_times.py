"""Times of requests that have no zone: they must exist once, and stand beside others without a zone."""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from typing import Any

from evergreen.definition.kinds.column_kind import ColumnKind
from evergreen.definition.kinds.local_times import doubt
from evergreen.definition.kinds.timestamp import Datetime

Check = Callable[[Any], Any]


class UnclearTimeError(ValueError):
    """A time without a zone that does not exist, or that comes twice; the message says which."""


def checked_by(kind: ColumnKind, check: Check, timezone: str) -> Check:
    """The check of a kind that also refuses unclear times of a zone whose clocks are set."""
    return partial(_existing, check, timezone) if isinstance(kind, Datetime) and timezone != "UTC" else check


def existing(value: Any, timezone: str) -> Any:
    """The value, a text in ISO 8601 or None.

    Raises
    ------
    UnclearTimeError
        It has no zone, and does not exist once in `timezone`.
    """
    problem = doubt(datetime.fromisoformat(value), timezone) if type(value) is str else ""
    if problem:
        raise UnclearTimeError(problem)
    return value


def mixed(values: Iterable[Any]) -> bool:
    """Whether some times have a zone and others have none."""
    return len({datetime.fromisoformat(value).tzinfo is None for value in values if type(value) is str}) > 1


def _existing(check: Check, timezone: str, value: Any) -> Any:
    return existing(check(value), timezone)
