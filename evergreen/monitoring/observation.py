"""An observation: drift, data quality and performance of a champion at a point in time, as stored."""

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

import pandas as pd
from pydantic import Field

from evergreen import sql as sqls
from evergreen.drift.columns import Drift
from evergreen.evaluation.bootstrap import Interval
from evergreen.evaluation.performance import Observed
from evergreen.json_record import JsonRecord
from evergreen.lake.lake import OBSERVATIONS, Lake, Named
from evergreen.monitoring.probation import Probation

R = TypeVar("R", bound=JsonRecord)
BACKTEST = "backtest "  # how the version of an observation begins that a backtest made
STOPPED = "no rows since"  # how the problem begins of a source that brings no rows
OVERDUE = "labels are overdue"  # the first words of that alert


@dataclass(frozen=True)
class Observation(JsonRecord):
    """The measurements of one version in one window.

    Attributes
    ----------
    model, version : str
    as_of, since, until : str
        The time of the observation, and the window; ISO 8601.
    rows : int
        In the window.
    drift : list of Drift
        Every column; the largest excess over its threshold first.
    quality : list of str
        The data quality problems.
    realised : Observed or None
        Performance in the newest window with mature labels; None if there is none yet.
    ripened : str
        The end of that window; ISO 8601.
    state, reason : str
        Whether performance is ``"degraded"``, ``"holds"`` or ``"unknown"``, and why.
    slices : list of str
        The slices whose performance is degraded.
    suspected : str
        Why a training is worthwhile although the decline may be chance; empty if it is not.
    estimated : float
        The estimated metric in the window, before its labels arrive.
    past_error : str
        The error of past estimates, in words.
    estimated_degradation : str
        Of the estimate against the baseline, beyond the error of estimates; empty if there is none. Stored files name
        it ``foreseen``.
    judged : float
        The metric of the version's baseline.
    probation : Probation or None
        The comparison with the version it replaced; None without probation.
    unjudged : list of str
        What cannot be judged for longer than it should need, a phrase each.
    notes : list of str
        What to know of the labels.
    """

    model: str
    version: str
    as_of: str
    since: str
    until: str
    rows: int
    drift: list[Drift] = field(default_factory=list)
    quality: list[str] = field(default_factory=list)
    realised: Observed | None = None
    ripened: str = ""
    state: str = "unknown"
    reason: str = ""
    slices: list[str] = field(default_factory=list)
    suspected: str = ""
    estimated: float = math.nan
    past_error: str = ""
    estimated_degradation: Annotated[str, Field(alias="foreseen")] = ""
    judged: float = math.nan
    probation: Probation | None = None
    unjudged: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def backtested(self) -> bool:
        """Whether a backtest made it: no version of the registry was observed."""
        return self.version.startswith(BACKTEST)

    @property
    def reached(self) -> Interval | None:
        """The realised performance with its interval; None where labels are not mature."""
        return self.realised.whole.interval() if self.realised and self.realised.mature else None

    @property
    def monitored(self) -> dict[str, Any]:
        """The fields that a decision weighs."""
        return {
            "drift": tuple(column.phrase for column in self.drift if column.counts),
            "performance": self.reason if self.state == "degraded" else self.suspected,
            "foreseen": self.estimated_degradation,
            "quality": tuple(self.quality),
            "unjudged": tuple(self.unjudged),
            "predecessor": self.probation.reason if self.probation and self.probation.state == "worse" else "",
        }

    @property
    def series(self) -> list[tuple[str, dict[str, float]]]:
        """Points of the model's metric series: the end of a window, and its values."""
        excess = [column.times for column in self.drift if math.isfinite(column.times)]
        now = {"estimated": self.estimated, "judged": self.judged, "rows": float(self.rows)}
        now |= {
            "drifted_columns": float(sum(column.drifted for column in self.drift)),
            "farthest_column": max(excess, default=0),
        }
        reach = self.reached
        if reach is None:
            return [(self.until, now)]
        then = {"realised": reach.value, "realised_low": reach.low, "realised_high": reach.high}
        return [(self.until, now), (self.ripened, then)]


def store(lake: Lake, *observations: Observation) -> None:
    """Store observations of a model; those of the same version and time are replaced."""
    import pyarrow as pa

    rows: list[dict[str, Any]] = [
        {
            "key": f"{observation.version} {observation.as_of}",
            "version": observation.version,
            "as_of": pd.Timestamp(observation.as_of).to_pydatetime(),
            "seen": observation.dump(),
        }
        for observation in observations
    ]
    timestamp = pa.timestamp("us", tz="UTC")
    types = [("key", pa.string()), ("version", pa.string()), ("as_of", timestamp), ("seen", pa.string())]
    keys = ", ".join(sqls.literal(row["key"]) for row in rows)
    table = pa.Table.from_pylist(rows, schema=pa.schema(types))
    lake.replace(observations[0].model, OBSERVATIONS, table, f"key IN ({keys})")


def read(
    lake: Lake, model: Named, version: str = "", until: pd.Timestamp | None = None, most: int = 400, skip: int = 0
) -> list[Observation]:
    """The latest observations of a model, or of one version of it, oldest first; without the `skip` latest of them.

    With `BACKTEST` as version, those of its backtest.
    """
    return read_as(Observation, lake, model, version, until, most, skip)


def read_as(
    record: type[R],
    lake: Lake,
    model: Named,
    version: str = "",
    until: pd.Timestamp | None = None,
    most: int = 400,
    skip: int = 0,
) -> list[R]:
    """As `read`, of each observation the fields of a record, which takes less time than the whole."""
    if not lake.exists(model.name, OBSERVATIONS):
        return []
    wanted = ["as_of < $until"] if until is not None else []
    wanted += ["starts_with(version, $version)" if version == BACKTEST else "version = $version"] if version else []
    where = f"WHERE {' AND '.join(wanted)}" if wanted else ""
    bounds: dict[str, Any] = {"most": most, "skip": skip}
    bounds |= {"until": until.to_pydatetime()} if until is not None else {}
    bounds |= {"version": version} if version else {}
    sql = f"SELECT seen FROM {OBSERVATIONS} {where} ORDER BY as_of DESC LIMIT $most OFFSET $skip"
    rows = lake.query(model, sql, bounds, tables=[OBSERVATIONS])
    return [record.parse(text) for text in rows["seen"]][::-1]
