"""What a person asks of the service, and the supervisor of each worker."""

from dataclasses import dataclass, field
from typing import Literal

from evergreen.json_record import JsonRecord


@dataclass(frozen=True)
class Limits:
    """What one worker takes.

    Attributes
    ----------
    rows : int
        Of one request.
    bytes : int
        Of a body.
    seconds : float
        In which a body has to come.
    at_once : int
        Requests at one time; more are told 503.
    per_key : int
        Requests at one time of one API key; more are told 429.
    """

    rows: int = 10_000
    bytes: int = 16_000_000
    seconds: float = 30.0
    at_once: int = 1_000
    per_key: int = 500


@dataclass(frozen=True)
class Options(JsonRecord):
    """What all workers have in common.

    Attributes
    ----------
    names : list of str
        The models to serve; all that have a champion if empty.
    full : {"refuse", "drop"}
        What becomes of an answer that cannot be logged: no answer, or an answer without a log.
    limits : Limits
    """

    names: list[str] = field(default_factory=list)
    full: Literal["refuse", "drop"] = "refuse"
    limits: Limits = field(default_factory=Limits)
