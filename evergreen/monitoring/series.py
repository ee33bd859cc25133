"""A model's observations as points of its performance over time: of each only what such a series needs."""

import math
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from evergreen.evaluation.bootstrap import Interval
from evergreen.evaluation.performance import Score
from evergreen.json_record import JsonRecord
from evergreen.lake.lake import Lake, Named
from evergreen.monitoring import observation


@dataclass(frozen=True)
class Reached:
    """Of `evergreen.evaluation.performance.Observed` the score of all rows."""

    mature: Annotated[bool, Field(alias="ripe")]
    whole: Score


@dataclass(frozen=True)
class Point(JsonRecord):
    """Of `evergreen.monitoring.observation.Observation` what its place in a series needs; fields as there."""

    version: str
    as_of: str
    since: str
    until: str
    rows: int
    realised: Reached | None = None
    ripened: str = ""
    state: str = "unknown"
    reason: str = ""
    estimated: float = math.nan
    estimated_degradation: Annotated[str, Field(alias="foreseen")] = ""
    judged: float = math.nan

    @property
    def reached(self) -> Interval | None:
        """The realised performance with its interval; None where labels are not mature."""
        return self.realised.whole.interval() if self.realised and self.realised.mature else None

    @property
    def backtested(self) -> bool:
        """Whether a backtest made it: no version of the registry was observed."""
        return self.version.startswith(observation.BACKTEST)


def points(lake: Lake, model: Named, most: int = 400) -> list[Point]:
    """The latest points of a model, oldest first; of several with the same end of their window the latest.

    Parameters
    ----------
    lake : Lake
    model : Named
    most : int
        How many observations to read.
    """
    latest = {point.until: point for point in observation.read_as(Point, lake, model, most=most)}
    return [latest[until] for until in sorted(latest)]
