"""The summary of a model, as the page of all models and the action page show it."""

import math
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any

from evergreen.durations import as_text
from evergreen.errors import EvergreenError
from evergreen.iso_time import parsed, seconds
from evergreen.json_record import JsonRecord
from evergreen.lake.lake import OBSERVATIONS, Bare
from ui.known import health
from ui.known.health import Finding, Level

if TYPE_CHECKING:
    from evergreen.definition.model import Model
    from evergreen.monitoring.observation import Observation
    from evergreen.registry.version import Version
    from evergreen.stores import Stores

_TREND = 60  # checks
_LATE, _LEAST = 3.0, timedelta(days=1)  # a check that is so many usual steps late, and at least so long, is missed


@dataclass(frozen=True)
class Trend:
    """How a metric went.

    Attributes
    ----------
    realised, estimated : list of (str, float)
        The end of a window, ISO 8601, and the metric; oldest first.
    baseline : float
        The metric of the champion at its evaluation; NaN if it is not known.
    """

    realised: list[tuple[str, float]] = field(default_factory=list)
    estimated: list[tuple[str, float]] = field(default_factory=list)
    baseline: float = math.nan

    @property
    def shown(self) -> list[tuple[str, float]]:
        """What is measured, or else what is estimated."""
        return self.realised or self.estimated


@dataclass(frozen=True)
class Summary(JsonRecord):
    """A model in a line; times are ISO 8601, empty where unknown.

    Attributes
    ----------
    name, purpose, owner, metric : str
        As its file says.
    greater_is_better : bool
        Of the metric.
    champion, champion_since : str
        The number of the version that answers, and since when.
    newest : str
        The time of the newest row.
    checked : str
        As of when the monitor looked last.
    drifted : int
        The columns whose drift it found.
    farthest : float
        The farthest column's distance as a multiple of its threshold; NaN if it is not known.
    verdict : str
        Of the last training; empty before there is one.
    trend : Trend
    quarantined : list of str
        The batches that wait for a person.
    pending : str
        The version that is pending approval; empty for none.
    until : str
        When the request for approval lapses.
    retrained : bool
        Whether there was a training after that of the pending version.
    written : str
        When the last check was written, by the clock; empty without a champion.
    step : float
        The usual time between checks, in seconds; NaN if there were too few.
    alert, alerted : str
        The monitor's alert that no later check has cleared, and when it was raised.
    acknowledged : str
        Who has acknowledged the alert, and why; empty if nobody has.
    findings : list of Finding
        What each side of it says.
    """

    name: str
    purpose: str = ""
    owner: str = ""
    metric: str = ""
    greater_is_better: bool = False
    champion: str = ""
    champion_since: str = ""
    newest: str = ""
    checked: str = ""
    drifted: int = 0
    farthest: float = math.nan
    verdict: str = ""
    trend: Trend = field(default_factory=Trend)
    quarantined: list[str] = field(default_factory=list)
    pending: str = ""
    until: str = ""
    retrained: bool = False
    written: str = ""
    step: float = math.nan
    alert: str = ""
    alerted: str = ""
    acknowledged: str = ""
    findings: list[Finding] = field(default_factory=list)

    @property
    def unanswered(self) -> bool:
        """Whether there is an alert that nobody has acknowledged."""
        return bool(self.alert) and not self.acknowledged

    @property
    def health(self) -> Finding:
        """The finding that decides."""
        return health.worst(self.findings) if self.findings else Finding("", Level.UNKNOWN, "nothing is known of it")

    def at(self, now: datetime) -> "Summary":
        """The same at a time: since it was read, a request for approval may have lapsed and a check been missed."""
        lapsed = bool(self.pending and self.until) and now > parsed(self.until)
        late = self._late(now)
        if not lapsed and late is None:
            return self
        findings = [finding for finding in self.findings if not lapsed or finding.side != "approval"]
        if lapsed and not self.retrained:
            told = f"version {self.pending} was not answered by {_minute(self.until)}, and the request has lapsed"
            findings.append(Finding("approval", Level.ATTENTION, f"{told}: train again to create one"))
        if late is not None:
            findings.append(late)
        return replace(self, pending="" if lapsed else self.pending, findings=findings)

    def _late(self, now: datetime) -> Finding | None:
        """That there should have been a check since, if there should."""
        if not self.written or not math.isfinite(self.step):
            return None
        if now - parsed(self.written) <= max(_LATE * timedelta(seconds=self.step), _LEAST):
            return None
        usual = as_text(timedelta(seconds=self.step))
        told = f"the monitor has not looked since {_minute(self.written)}; it used to look every {usual}"
        return Finding("monitoring", Level.ATTENTION, told)

    @property
    def now(self) -> float:
        """The newest value of the metric; NaN if there is none."""
        return self.trend.shown[-1][1] if self.trend.shown else math.nan


def of(stores: "Stores", name: str) -> Summary:
    """The summary of a model; what cannot be read of it is one of its findings."""
    from evergreen.definition import loader

    try:
        definition: Model | Bare = loader.load(name)
    except EvergreenError as error:
        broken = Finding("model file", Level.BAD, " ".join(str(error).split()))
        return _read(stores, Bare(name), [broken])
    return _read(stores, definition, [])


def _read(stores: "Stores", model: "Model | Bare", findings: list[Finding]) -> Summary:
    from evergreen.lifecycle import acknowledgement
    from evergreen.lifecycle.approval import pending_approval
    from evergreen.monitoring import observation
    from evergreen.registry.version import CHAMPION
    from evergreen.sql import stored

    lake, versions = stores.lake, stores.registry.versions(model.name)
    champion = next((version for version in versions if CHAMPION in version.aliases), None)
    last = next((version for version in versions if not version.refit_of), None)
    number, pending = champion.number if champion else "", pending_approval(versions)
    held = [entry.batch for entry in stores.quarantine.entries(model.name) if entry.state == "held"]
    # The columns of an observation are stored without their kinds, so that the bare name reads them as well.
    seen = observation.read(lake, Bare(model.name), most=_TREND)
    alert = acknowledgement.current(lake, Bare(model.name))
    mark = lake.watermark(model.name)
    newest = mark if isinstance(model, Bare) else lake.newest(model.name, stored(model.time)) or mark
    findings = [
        *findings,
        *health.of_registry(
            champion.number if champion else "", bool(versions), pending, last.decision if last else ""
        ),
        *health.of_quarantine(len(held)),
        *(health.of_observation(seen[-1] if seen else None) if champion else ()),
        *health.of_alert(alert),
    ]
    judged = {pending.version.number, pending.judged} if pending else set()
    return Summary(
        name=model.name,
        **_declared(model),
        champion=number,
        champion_since=_since(champion),
        newest=newest.isoformat() if newest is not None else "",
        checked=seen[-1].as_of if seen else "",
        **_drift(seen[-1] if seen else None),
        verdict=last.decision if last else "",
        trend=_trend(seen),
        quarantined=held,
        pending=pending.version.number if pending else "",
        until=pending.until if pending else "",
        retrained=last is not None and bool(judged) and last.number not in judged,
        written=_written(stores, model.name) if champion and seen else "",
        step=_step(seen),
        alert=alert.entry.reason if alert else "",
        alerted=alert.entry.as_of if alert else "",
        acknowledged=alert.acknowledged if alert else "",
        findings=findings,
    )


def _declared(model: "Model | Bare") -> dict[str, Any]:
    if isinstance(model, Bare):
        return {}
    return {
        "purpose": model.purpose,
        "owner": model.owner,
        "metric": model.metric.name,
        "greater_is_better": model.metric.greater_is_better,
    }


def _drift(seen: "Observation | None") -> dict[str, Any]:
    """The drift that the last check found."""
    if seen is None:
        return {}
    times = [column.times for column in seen.drift if math.isfinite(column.times)]
    return {"drifted": sum(column.drifted for column in seen.drift), "farthest": max(times, default=math.nan)}


def _written(stores: "Stores", name: str) -> str:
    """When the last check of a model was written; empty if that is not known."""
    from evergreen.lake.delta_lake import DeltaLake

    at = stores.lake.written(name, OBSERVATIONS) if isinstance(stores.lake, DeltaLake) else None
    return at.isoformat() if at is not None else ""


def _step(seen: "list[Observation]") -> float:
    """The usual time between checks, in seconds; NaN for fewer than three of them."""
    times = sorted({seconds(looked.as_of) for looked in seen if not looked.backtested})
    steps = [after - before for before, after in pairwise(times)]
    return median(steps) if len(steps) > 1 else math.nan


def _minute(moment: str) -> str:
    return f"{moment[:16].replace('T', ' ')} UTC"


def _since(champion: "Version | None") -> str:
    since = champion.champion_since if champion else None
    return since.isoformat() if since is not None else ""


def _trend(seen: "list[Observation]") -> Trend:
    mature = {looked.ripened: interval.value for looked in seen if (interval := looked.reached)}
    return Trend(
        realised=[(end, value) for end, value in sorted(mature.items()) if math.isfinite(value)],
        estimated=[(looked.until, looked.estimated) for looked in seen if math.isfinite(looked.estimated)],
        baseline=seen[-1].judged if seen else math.nan,
    )
