"""An observation: what a monitor sees of a champion at a moment, measured and judged, small enough to keep."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from evergreen import sql as sqls
from evergreen import time_units
from evergreen.drift import columns, data_quality, profile
from evergreen.drift import thresholds as drift_thresholds
from evergreen.drift.columns import Drift
from evergreen.drift.profile import Profile
from evergreen.evaluation import performance
from evergreen.evaluation.performance import Observed
from evergreen.ingestion import label_delay
from evergreen.ingestion.label_delay import Arrival, arrival
from evergreen.json_record import JsonRecord
from evergreen.lake.lake import OBSERVATIONS, PREDICTIONS, ROWS, Lake
from evergreen.monitoring import degradation, estimation, profile_store
from evergreen.monitoring.probation import Probation
from evergreen.monitoring.reference import PREDICTION, Reference
from evergreen.training import fitting

if TYPE_CHECKING:
    from evergreen.definition.model import Model

_PAST = 90  # observations that the error of estimates is told from
_EXPECTED = 30  # labels that the reference would hold; that fewer are missing may be chance

_ANSWERS = f"{sqls.RESERVED}answers"


@dataclass(frozen=True)
class Observation(JsonRecord):
    """What was seen of one version in one window.

    Attributes
    ----------
    model, version : str
    as_of, since, until : str
        When it was looked at, and the window; ISO 8601.
    rows : int
        In the window.
    drift : list of Drift
        Every column, the farthest beyond its threshold first.
    quality : list of str
        What is wrong with the data.
    realised : Observed or None
        Of the newest window whose labels have ripened; None if there is none yet.
    ripened : str
        The end of that window; ISO 8601.
    state, reason : str
        Whether performance is ``"degraded"``, ``"holds"`` or ``"unknown"``, and why.
    slices : list of str
        Those whose performance is degraded.
    suspected : str
        That performance seems so much worse that a training is worth it; empty if it does not.
    estimated : float
        The metric in the window, before its labels come.
    past_error : str
        How far such estimates were off, in words.
    foreseen : str
        By how much the estimate is worse than the judging, beyond what it is off by; empty if it is not.
    judged : float
        The metric at the version's judging.
    probation : Probation or None
        How the version does beside the one it replaced; None once that is settled.
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
    foreseen: str = ""
    judged: float = math.nan
    probation: Probation | None = None

    @property
    def seen(self) -> dict[str, Any]:
        """What a decision weighs of it."""
        return {
            "drift": tuple(one.phrase for one in self.drift if one.counts),
            "performance": self.reason if self.state == "degraded" else self.suspected,
            "foreseen": self.foreseen,
            "quality": tuple(self.quality),
            "predecessor": self.probation.reason if self.probation and self.probation.state == "worse" else "",
        }

    @property
    def series(self) -> list[tuple[str, dict[str, float]]]:
        """Points of the model's metric series: the end of a window, and the values that it came to."""
        far = [one.times for one in self.drift if math.isfinite(one.times)]
        now = {"estimated": self.estimated, "judged": self.judged, "rows": float(self.rows)}
        now |= {
            "drifted_columns": float(sum(one.drifted for one in self.drift)),
            "farthest_column": max(far, default=0),
        }
        if self.realised is None or not self.realised.ripe:
            return [(self.until, now)]
        reach = self.realised.whole.interval()
        then = {"realised": reach.value, "realised_low": reach.low, "realised_high": reach.high}
        return [(self.until, now), (self.ripened, then)]


def observe(lake: Lake, model: "Model", version: str, base: Reference, as_of: pd.Timestamp) -> Observation:
    """Look at the newest whole units: drift, data quality, performance as realised and as estimated."""
    unit, window = model.monitoring.unit, model.monitoring.window
    until = time_units.unit_start(as_of, unit)
    since = until - window
    seen = profile_store.between(lake, model, version, base, since, until)
    curve, watched = arrival(lake, model, as_of)
    looked = _look(lake, model, version, base, as_of, curve)
    current, labels = _features(model, seen), _labels(lake, model, version, base, looked.get("ripened", ""), as_of)
    rows = _answers(lake, model, version, since, until)
    past = estimation.past_error(pairs(read(lake, model, version, until=as_of, most=_PAST)))
    estimated = base.estimator.estimate(rows, _prediction(model, rows))
    return Observation(
        model=model.name,
        version=version,
        as_of=as_of.isoformat(),
        since=since.isoformat(),
        until=until.isoformat(),
        rows=max((column.rows for column in current.values()), default=0),
        drift=_drift(model, base, current | labels),
        quality=_quality(model, base, current, labels)
        + (_overdue(looked["realised"]) if "realised" in looked else _silent(model, base, watched, as_of)),
        estimated=estimated,
        past_error=str(past),
        foreseen=degradation.foreseen(model.metric, estimated, base.judged.whole, past, model.gates),
        judged=base.judged.whole.value,
        **looked,
    )


def _quality(
    model: "Model", base: Reference, current: dict[str, profile.Column], labels: dict[str, profile.Column]
) -> list[str]:
    """What is wrong with the rows, and with labels of older ones; no rows at all are wrong, and no quiet week."""
    features = {name: column for name, column in current.items() if name != PREDICTION}
    if not any(column.rows for column in features.values()):
        return ["no rows in the window"]
    given = features | labels
    return data_quality.quality(base.profile.total(), given, drift_thresholds.level(model.monitoring, len(given)))


def _overdue(ripened: Observed) -> list[str]:
    """Labels that should have come by now, and did not: nobody can tell how the model does."""
    if ripened.ripe or not ripened.rows:
        return []
    return [_late(ripened.labelled, ripened.rows, f"{ripened.since}")]


def _silent(model: "Model", base: Reference, watched: pd.DataFrame, as_of: pd.Timestamp) -> list[str]:
    """The same where nothing tells any more how labels come: a window of rows and more that should have some."""
    waiting = label_delay.unheard(model, watched, as_of)
    share = 1 - base.profile.total()[model.target].missing
    if not len(waiting) * share >= _EXPECTED:
        return []
    first, last = waiting[model.time].min(), waiting[model.time].max()
    reached = last - first >= model.monitoring.window - model.monitoring.unit
    return [_late(0.0, len(waiting), first.isoformat())] if reached else []


def _late(share: float, rows: int, since: str) -> str:
    return f"labels are overdue: {share:.0%} of the {rows:,} rows from {since[:10]} on have one"


def _drift(model: "Model", base: Reference, current: dict[str, profile.Column]) -> list[Drift]:
    """Features, answers and, of their own window, labels."""
    thresholds = drift_thresholds.calibrate(base.profile.columns, model.monitoring)
    measured = columns.measure(base.profile.total(), current)
    found = columns.judge(measured, thresholds, base.importance, model.monitoring.important)
    shown = PREDICTION if "prediction" in model.columns else "prediction"
    return [replace(one, column=shown) if one.column == PREDICTION else one for one in found]


def _features(model: "Model", seen: Profile) -> dict[str, profile.Column]:
    """Features and answers of a window; its labels may yet have to come."""
    return {name: column for name, column in seen.total().items() if name != model.target}


def _labels(
    lake: Lake, model: "Model", version: str, base: Reference, until: str, as_of: pd.Timestamp
) -> dict[str, profile.Column]:
    """The labels of the newest window in which they have ripened: early ones are a biased sample.

    Those that came after their rows were counted for the last time are counted here.
    """
    if not until:
        return {}
    end = pd.Timestamp(until)
    since = end - model.monitoring.window
    if since >= label_delay.horizon(model, as_of):
        seen = profile_store.between(lake, model, version, base, since, end)
    else:
        seen = profile_store.count(lake, model, version, base, since, end, [model.target])
    return {model.target: seen.total()[model.target]}


def _look(
    lake: Lake, model: "Model", version: str, base: Reference, as_of: pd.Timestamp, arrival: Arrival
) -> dict[str, Any]:
    """Performance in the newest window that has ripened."""
    after = arrival.ripe_after()
    if after is None:
        return {"reason": "when labels come is not known yet"}
    until = time_units.unit_start(as_of - after, model.monitoring.unit)
    rows = _answers(lake, model, version, until - model.monitoring.window, until)
    known = rows[model.target].notna() & (fitting.known_at(model, rows) <= as_of)
    rows = rows.assign(**{model.target: rows[model.target].where(known)})
    now = performance.observed(
        model, rows, _prediction(model, rows), classes=base.classes, arrival=arrival, as_of=as_of
    )
    found = degradation.declines(model.metric, now, base.judged)
    suspicion = model.policy.suspicion
    judged = degradation.degraded(now, found, model.gates, model.monitoring, suspicion=suspicion)
    return {
        "realised": now,
        "ripened": until.isoformat(),
        "state": judged.state,
        "reason": judged.reason,
        "slices": judged.slices,
        "suspected": judged.suspected,
    }


def _answers(lake: Lake, model: "Model", version: str, since: pd.Timestamp, until: pd.Timestamp) -> pd.DataFrame:
    """The rows of a period that one version answered, with all that is known of them."""
    key, period = sqls.columns(model.key), sqls.within(model.time)
    sql = f"""
        SELECT {sqls.columns(model.columns, "r")}, p."_answers" AS "{_ANSWERS}"
        FROM (SELECT * FROM {ROWS} WHERE {period}) AS r
        JOIN (SELECT {key}, "_answers" FROM {PREDICTIONS} WHERE {period} AND "_version" = $version) AS p USING ({key})
        ORDER BY {sqls.columns([model.time, *model.key], "r")}
    """
    bounds = {"since": since.to_pydatetime(), "until": until.to_pydatetime(), "version": version}
    return lake.query(model, sql, bounds, tables=[ROWS, PREDICTIONS])


def _prediction(model: "Model", rows: pd.DataFrame) -> Any:
    if rows.empty:
        return np.zeros((0,) if model.task == "regression" else (0, 2))
    answers = np.array(rows[_ANSWERS].to_list(), dtype=np.float64)
    return answers[:, 0] if model.task == "regression" else answers


def keep(lake: Lake, one: Observation) -> None:
    """Keep an observation; the same moment again replaces it."""
    import pyarrow as pa

    moments = pa.timestamp("us", tz="UTC")
    key = f"{one.version} {one.as_of}"
    row = {"key": key, "version": one.version, "as_of": pd.Timestamp(one.as_of).to_pydatetime(), "seen": one.dump()}
    types = [("key", pa.string()), ("version", pa.string()), ("as_of", moments), ("seen", pa.string())]
    rows = pa.Table.from_pylist([row], schema=pa.schema(types))
    lake.replace(one.model, OBSERVATIONS, rows, f"key = {sqls.literal(key)}")


def read(
    lake: Lake, model: "Model", version: str = "", until: pd.Timestamp | None = None, most: int = 400
) -> list[Observation]:
    """The latest observations of a model, or of one version of it, oldest first."""
    if not lake.exists(model.name, OBSERVATIONS):
        return []
    wanted = ["as_of < $until"] if until is not None else []
    wanted += ["version = $version"] if version else []
    where = f"WHERE {' AND '.join(wanted)}" if wanted else ""
    bounds: dict[str, Any] = {"most": most}
    bounds |= {"until": until.to_pydatetime()} if until is not None else {}
    bounds |= {"version": version} if version else {}
    sql = f"SELECT seen FROM {OBSERVATIONS} {where} ORDER BY as_of DESC LIMIT $most"
    found = lake.query(model, sql, bounds, tables=[OBSERVATIONS])
    return [Observation.parse(text) for text in found["seen"]][::-1]


def pairs(seen: Sequence[Observation]) -> list[tuple[float, float]]:
    """What was estimated of each window, and what was realised in it once its labels had ripened."""
    estimated = {one.until: one.estimated for one in seen}
    realised = {one.ripened: one.realised.whole.value for one in seen if one.realised and one.realised.ripe}
    return [(estimated[end], realised[end]) for end in estimated if end in realised]
