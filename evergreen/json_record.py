"""Dataclasses that are stored as JSON."""

from functools import cache
from typing import Any, ClassVar, Self

from pydantic import ConfigDict, TypeAdapter


class JsonRecord:
    """A dataclass that is written as JSON and read again by its types; NaN and infinities as text.

    A field with an alias is stored by that name.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Scored(JsonRecord):
    ...     rows: int
    ...     value: float
    >>> Scored(0, float("nan")).dump()
    '{"rows":0,"value":"NaN"}'
    >>> Scored.parse('{"rows": 3, "value": "-Infinity"}')
    Scored(rows=3, value=-inf)
    """

    __pydantic_config__ = ConfigDict(ser_json_inf_nan="strings")
    json_indent: ClassVar[int | None] = None

    def dump(self) -> str:
        """As JSON."""
        record: Any = type(self)
        return _adapter(record).dump_json(self, indent=self.json_indent, by_alias=True).decode()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `dump` wrote."""
        record: Any = cls
        parsed: Self = _adapter(record).validate_json(text)
        return parsed


@cache
def _adapter(record: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(record)
