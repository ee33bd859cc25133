"""The health of a model: the worst of what its data, drift, performance, quarantine and serving say, in words."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evergreen.lifecycle.acknowledgement import Alert
    from evergreen.lifecycle.approval import Approval
    from evergreen.monitoring.observation import Observation


class Level(IntEnum):
    """How well a model is, the worst last."""

    GOOD = 0
    UNKNOWN = 1
    ATTENTION = 2
    BAD = 3

    @property
    def word(self) -> str:
        """For a person."""
        return {0: "well", 1: "not known yet", 2: "needs attention", 3: "bad"}[self.value]


@dataclass(frozen=True)
class Finding:
    """What one side of a model says.

    Attributes
    ----------
    side : str
        Such as `performance`.
    level : Level
    reason : str
        A phrase.
    """

    side: str
    level: Level
    reason: str


def worst(findings: Iterable[Finding]) -> Finding:
    """The finding that decides; of equal ones the first."""
    return max(findings, key=lambda finding: finding.level)


def of_registry(champion: str, trained: bool, pending: "Approval | None", verdict: str) -> Iterator[Finding]:
    """What the versions of a model say.

    Parameters
    ----------
    champion : str
        The number of the champion; empty if there is none.
    trained : bool
        Whether there is any version.
    pending : Approval or None
    verdict : str
        Of the last training.
    """
    if pending is not None:
        yield Finding("approval", Level.ATTENTION, pending.sentence)
    if champion:
        yield Finding("serving", Level.GOOD, f"version {champion} is champion")
    elif trained:
        yield Finding("serving", Level.BAD, f"no version answers; the last training ended with: {verdict or 'nothing'}")
    else:
        yield Finding("serving", Level.UNKNOWN, "no version has been trained yet")


def of_alert(alert: "Alert | None") -> Iterator[Finding]:
    """What the alert of the monitor says that no later check has cleared; nothing new once it is acknowledged.

    While the monitor fails, the state of the model is unknown, also after a person has acknowledged the alert.
    """
    if alert is None:
        return
    from evergreen.lifecycle.decision import MONITOR_FAILED

    if alert.entry.reason.startswith(MONITOR_FAILED):
        yield Finding("monitoring", Level.ATTENTION if alert.by else Level.BAD, alert.entry.reason)
    elif not alert.by:
        yield Finding("alert", Level.ATTENTION, alert.entry.reason)


def of_quarantine(held: int) -> Iterator[Finding]:
    """What the quarantine says.

    Parameters
    ----------
    held : int
        How many batches wait for a person.
    """
    if held:
        batches = "1 batch is" if held == 1 else f"{held} batches are"
        yield Finding("quarantine", Level.ATTENTION, f"{batches} in quarantine")


def of_observation(seen: "Observation | None") -> Iterator[Finding]:
    """What the last check of the monitor says; nothing without one."""
    if seen is None:
        yield Finding("performance", Level.UNKNOWN, "it has not been monitored yet")
        return
    yield _performance(seen)
    drifted = [column.phrase for column in seen.drift if column.counts]
    if drifted:
        yield Finding("drift", Level.ATTENTION, f"drift: {'; '.join(drifted)}")
    for problem in seen.quality:
        yield Finding("data", Level.ATTENTION, problem)
    for phrase in seen.unjudged:
        yield Finding("monitoring", Level.ATTENTION, phrase)


def _performance(seen: "Observation") -> Finding:
    if seen.state == "degraded":
        return Finding("performance", Level.BAD, seen.reason)
    if seen.estimated_degradation or seen.suspected:
        return Finding("performance", Level.ATTENTION, seen.estimated_degradation or seen.suspected)
    level = Level.GOOD if seen.state == "holds" else Level.UNKNOWN
    return Finding("performance", level, seen.reason)
