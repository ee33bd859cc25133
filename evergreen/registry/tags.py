"""Typed tags: how a value is kept as text with a registered version, and read again."""

import json
from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

import pandas as pd

T = TypeVar("T")
PREFIX = "evergreen."  # of every tag in MLflow
Period = tuple[pd.Timestamp, pd.Timestamp]


class Tag(Generic[T]):
    """A property of a version that is stored as a text tag.

    Parameters
    ----------
    meaning : str
        One line, for the reference.
    kind : str
        The type of the value, for the reference.
    read, write : callable
        From the stored text to the value, and back. `read` gets an empty text where the tag is not set.
    stored : str, optional
        The name of the tag; the property's own by default.

    Attributes
    ----------
    name : str
        Of the property.
    """

    def __init__(
        self, meaning: str, kind: str, read: Callable[[str], T], write: Callable[[T], str], stored: str = ""
    ) -> None:
        self.meaning, self.kind, self.stored, self.name = meaning, kind, stored, ""
        self._read, self._write = read, write

    def __set_name__(self, owner: type, name: str) -> None:
        """Take the property's name."""
        self.name, self.stored = name, self.stored or name

    @overload
    def __get__(self, version: None, owner: type) -> Self: ...
    @overload
    def __get__(self, version: Any, owner: type) -> T: ...
    def __get__(self, version: Any, owner: type) -> Self | T:
        """The value that a version has; the tag itself when the class is asked."""
        return self if version is None else self._read(version.tags.get(self.stored, ""))

    def text(self, value: T | str) -> str:
        """The text that is stored for a value; a text is one already."""
        return value if isinstance(value, str) else self._write(value)


def text(meaning: str, stored: str = "") -> Tag[str]:
    """A tag of text; empty if it is not set."""
    return Tag(meaning, "text", str, str, stored)


def timestamp(meaning: str, stored: str = "") -> Tag[pd.Timestamp | None]:
    """A tag that is a time in ISO 8601; None if it is not set."""
    return Tag(meaning, "time", _read_timestamp, _write_timestamp, stored)


def integer(meaning: str, stored: str = "") -> Tag[int | None]:
    """A tag that is a whole number; None if it is not set."""
    return Tag(meaning, "integer", _read_integer, _write_integer, stored)


def count(meaning: str, stored: str = "") -> Tag[int]:
    """A tag that counts something; 0 if it is not set."""
    return Tag(meaning, "integer", lambda stored_text: int(stored_text or 0), str, stored)


def decimal(meaning: str, stored: str = "") -> Tag[float]:
    """A tag that is a number; NaN if it is not set."""
    return Tag(
        meaning, "number", lambda stored_text: float(stored_text or "nan"), lambda value: repr(float(value)), stored
    )


def flag(meaning: str, stored: str = "", *, off: str = "") -> Tag[bool]:
    """A tag that is either true or false; false if it is not set. `off` is stored for false."""
    return Tag(
        meaning, "true or false", lambda stored_text: stored_text == "True", lambda value: str(value or off), stored
    )


def arguments(meaning: str, stored: str = "") -> Tag[dict[str, Any]]:
    """A tag that is a JSON object; empty if it is not set."""
    return Tag(
        meaning,
        "JSON object",
        lambda stored_text: dict(json.loads(stored_text or "{}")),
        lambda value: json.dumps(value, default=str),
        stored,
    )


def periods(meaning: str, stored: str = "") -> Tag[list[Period]]:
    """A tag that lists periods, ``since/until since/until``; empty if it is not set."""
    return Tag(meaning, "periods", _read_periods, _write_periods, stored)


def _read_timestamp(stored_text: str) -> pd.Timestamp | None:
    return pd.Timestamp(stored_text) if stored_text else None


def _write_timestamp(value: pd.Timestamp | None) -> str:
    return "" if value is None else value.isoformat()


def _read_integer(stored_text: str) -> int | None:
    return int(stored_text) if stored_text else None


def _write_integer(value: int | None) -> str:
    return "" if value is None else str(value)


def _read_periods(stored_text: str) -> list[Period]:
    bounds = (period.split("/") for period in stored_text.split())
    return [(pd.Timestamp(since), pd.Timestamp(until)) for since, until in bounds]


def _write_periods(value: list[Period]) -> str:
    return " ".join(f"{since.isoformat()}/{until.isoformat()}" for since, until in value)


def prefixed(tags: dict[str, str]) -> dict[str, str]:
    """Stored tags under the names that MLflow has them by."""
    return {f"{PREFIX}{name}": str(text) for name, text in tags.items()}
