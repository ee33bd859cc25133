"""What is logged with each served request beside its rows and predictions; a new field is one entry here.

A segment that was written before a field existed holds no value of it: its rows get the field's default.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pyarrow as pa


class Request(Protocol):
    """What is known of a request when it is logged."""

    @property
    def clock(self) -> int:
        """When it arrived, in microseconds since 1970."""
        ...

    @property
    def arrived(self) -> float:
        """When it arrived, in seconds of the performance counter."""
        ...


@dataclass(frozen=True)
class RequestField:
    """A value for each row of a request.

    Attributes
    ----------
    name : str
        In a line of the log.
    column : str
        In the table of served predictions.
    arrow : callable
        Turns a list of values into an Arrow array.
    value : callable
        Called with the request, and with the time of its prediction in seconds of the performance counter
        (`time.perf_counter`); returns the value.
    shadow : bool
        Whether the value is also logged with the shadow's prediction for the request. False for what is measured of
        the champion's prediction only, such as the latency: the shadow's rows then have `default`.
    default : object
        The value of rows whose line in the log lacks the field.
    """

    name: str
    column: str
    arrow: Callable[[list[Any]], pa.Array]
    value: Callable[[Request, float], Any]
    shadow: bool = True
    default: Any = None

    def of(self, line: dict[str, Any], rows: int) -> list[Any]:
        """The values of a line of the log, one for each of its rows."""
        values = line.get(self.name)
        return [self.default] * rows if values is None else list(values)


def timestamps(microseconds: list[int | None]) -> pa.Array:
    """Times from microseconds since 1970."""
    import pyarrow as pa

    return pa.array(microseconds, pa.int64()).cast(pa.timestamp("us", tz="UTC"))


def numbers(values: list[float | None]) -> pa.Array:
    """Floating point numbers."""
    import pyarrow as pa

    return pa.array(values, pa.float64())


FIELDS = (
    RequestField("asked", "_time", timestamps, lambda request, now: request.clock),
    RequestField(
        "latency", "_latency", numbers, lambda request, now: round((now - request.arrived) * 1000, 3), shadow=False
    ),
)
