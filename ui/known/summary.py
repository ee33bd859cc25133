"""The summary of a model, as the page of all models and the action page show it."""

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evergreen.definition import loader
from evergreen.errors import EvergreenError
from evergreen.json_record import JsonRecord
from evergreen.lake.lake import Bare
from evergreen.lifecycle import acknowledgement
from evergreen.lifecycle.approval import pending_approval
from evergreen.monitoring import observation
from evergreen.monitoring.observation import Observation
from evergreen.registry.version import CHAMPION, Version
from evergreen.sql import stored
from evergreen.stores import Stores
from ui.known import health
from ui.known.health import Finding, Level

if TYPE_CHECKING:
    from evergreen.definition.model import Model

_TREND = 60  # checks


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

    @property
    def now(self) -> float:
        """The newest value of the metric; NaN if there is none."""
        return self.trend.shown[-1][1] if self.trend.shown else math.nan


def of(stores: Stores, name: str) -> Summary:
    """The summary of a model; what cannot be read of it is one of its findings."""
    try:
        definition: Model | Bare = loader.load(name)
    except EvergreenError as error:
        broken = Finding("model file", Level.BAD, " ".join(str(error).split()))
        return _read(stores, Bare(name), [broken])
    return _read(stores, definition, [])


def _read(stores: Stores, model: "Model | Bare", findings: list[Finding]) -> Summary:
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
    ]
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


def _drift(seen: Observation | None) -> dict[str, Any]:
    """The drift that the last check found."""
    if seen is None:
        return {}
    times = [column.times for column in seen.drift if math.isfinite(column.times)]
    return {"drifted": sum(column.drifted for column in seen.drift), "farthest": max(times, default=math.nan)}


def _since(champion: Version | None) -> str:
    since = champion.champion_since if champion else None
    return since.isoformat() if since is not None else ""


def _trend(seen: list[Observation]) -> Trend:
    mature = {looked.ripened: interval.value for looked in seen if (interval := looked.reached)}
    return Trend(
        realised=[(end, value) for end, value in sorted(mature.items()) if math.isfinite(value)],
        estimated=[(looked.until, looked.estimated) for looked in seen if math.isfinite(looked.estimated)],
        baseline=seen[-1].judged if seen else math.nan,
    )
