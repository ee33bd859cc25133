"""Options of the service, passed from the command line to the supervisor and each worker."""

from dataclasses import dataclass, field
from typing import Literal

from evergreen.json_record import JsonRecord


@dataclass(frozen=True)
class Limits:
    """Limits of one worker.

    Attributes
    ----------
    rows : int
        Largest number of rows in one request.
    bytes : int
        Largest size of a request body.
    seconds : float
        Time within which a request body must arrive.
    at_once : int
        Concurrent requests of one worker; more get status 503.
    per_key : int
        Concurrent requests of one API key in one worker; more get status 429.
    """

    rows: int = 10_000
    bytes: int = 16_000_000
    seconds: float = 30.0
    at_once: int = 1_000
    per_key: int = 500


@dataclass(frozen=True)
class Options(JsonRecord):
    """Options that all workers share.

    Attributes
    ----------
    names : list of str
        The models to serve; all that have a champion if empty.
    full : {"refuse", "drop"}
        What happens if predictions cannot be logged: refuse the request, or return them without logging.
    limits : Limits
    log_bytes : int or None
        Largest size of the log of one worker that waits for the lake; by default as `segments.default_limit` says.
    """

    names: list[str] = field(default_factory=list)
    full: Literal["refuse", "drop"] = "refuse"
    limits: Limits = field(default_factory=Limits)
    log_bytes: int | None = None
