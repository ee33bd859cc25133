"""Times as text: ISO 8601, in UTC where no zone is written."""

from datetime import UTC, datetime


def zoned(moment: datetime) -> datetime:
    """A time with a zone: UTC, if it has none."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def parsed(text: str) -> datetime:
    """A time, with its zone.

    Raises
    ------
    ValueError
        It is no time.

    Examples
    --------
    >>> parsed("2026-03-01T06:15:00").isoformat(), parsed("2026-03-01T06:15:00+02:00").isoformat()
    ('2026-03-01T06:15:00+00:00', '2026-03-01T06:15:00+02:00')
    """
    return zoned(datetime.fromisoformat(text))


def seconds(text: str) -> float:
    """A time in seconds since 1970.

    Raises
    ------
    ValueError
        It is no time.
    """
    return parsed(text).timestamp()
