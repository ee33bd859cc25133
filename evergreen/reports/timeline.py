"""What happened to a model, as marks on the time axis of its performance."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Protocol

import pandas as pd

from evergreen.registry.version import Version

if TYPE_CHECKING:
    from evergreen.ingestion.quarantine import Entry as Quarantined
    from evergreen.lifecycle.decision_log import Entry

PROMOTED, REINSTATED, ROLLED_BACK = "promoted", "an earlier version came back", "rolled back"
REJECTED, UNDECIDED = "rejected", "not enough evidence"
ALARM, ESTIMATED, QUARANTINED = "alarm", "estimated degradation", "batch in quarantine"
_VERDICTS = {"reject": REJECTED, UNDECIDED: UNDECIDED}
_ALARMS = ("alert", "train", "roll back")


class Seen(Protocol):
    """Of an observation what its marks need."""

    @property
    def version(self) -> str:
        """The number of the version."""

    @property
    def since(self) -> str:
        """The start of its window; ISO 8601."""

    @property
    def until(self) -> str:
        """The end of its window."""

    @property
    def estimated_degradation(self) -> str:
        """The estimated degradation; empty if there is none."""

    @property
    def backtested(self) -> bool:
        """Whether a backtest made it."""


@dataclass(frozen=True)
class Event:
    """A mark.

    Attributes
    ----------
    kind : str
        A key of `evergreen.reports.monitoring_plots.MARKS`.
    at, until : str
        When it was, or when it began and ended; ISO 8601.
    what : str
        The version, the batch or the reason.
    version : str
        The number of the version that it is about; empty if it is about none.
    """

    kind: str
    at: str
    until: str
    what: str
    version: str = ""


def of_versions(versions: Sequence[Version]) -> Iterator[Event]:
    """Promotions, rollbacks, and the verdicts that promoted nothing."""
    for version in versions:
        named = f"version {version.number}"
        if version.promoted_at:
            own = version.promoted_by in (version.number, version.refit_of)
            yield _event(PROMOTED if own else REINSTATED, version.promoted_at, named, version.number)
        if version.rolled_back_at:
            yield _event(ROLLED_BACK, version.rolled_back_at, f"{named}: {version.rolled_back_reason}", version.number)
        if version.decision in _VERDICTS and version.as_of is not None:
            what = f"{named}: {version.verdict_reason}"
            yield _event(_VERDICTS[version.decision], version.as_of, what, version.number)


def of_backtest(seen: Sequence[Seen]) -> Iterator[Event]:
    """The changes of version within a backtest."""
    backtested = [observation for observation in seen if observation.backtested]
    for before, now in pairwise(backtested):
        if now.version != before.version:
            yield Event(PROMOTED, now.until, now.until, now.version)


def of_estimates(seen: Sequence[Seen]) -> Iterator[Event]:
    """The spans in which a degradation was estimated."""
    for degraded, group in groupby(seen, key=lambda observation: bool(observation.estimated_degradation)):
        span = list(group)
        if degraded:
            yield Event(ESTIMATED, span[0].until, span[-1].until, span[-1].estimated_degradation)


def of_decisions(entries: Sequence["Entry"]) -> Iterator[Event]:
    """What the monitor found and did not leave at that; of the same action several times in a row, the first.

    Parameters
    ----------
    entries : sequence of Entry
        Newest first.
    """
    monitored = [entry for entry in reversed(entries) if not entry.wish]
    for action, group in groupby(monitored, key=lambda entry: entry.action):
        first = next(group)
        if action in _ALARMS:
            yield Event(ALARM, first.as_of, first.as_of, f"{action}: {first.reason}")


def of_quarantine(entries: Sequence["Quarantined"]) -> Iterator[Event]:
    """Batches that broke their contract, by when they came."""
    for entry in entries:
        yield Event(QUARANTINED, entry.arrived, entry.arrived, f"batch {entry.batch}, {entry.state}")


def within(events: Sequence[Event], since: str, until: str) -> list[Event]:
    """The marks from a time on; what came after the last time is drawn there. By time.

    Parameters
    ----------
    events : sequence of Event
    since, until : str
        ISO 8601; the source may have ended long ago.
    """
    began, ended = pd.Timestamp(since), pd.Timestamp(until)
    shown = []
    for event in events:
        at, last = pd.Timestamp(event.at), pd.Timestamp(event.until)
        if last >= began:
            place = min(max(at, began), ended).isoformat()
            shown.append(Event(event.kind, place, min(last, ended).isoformat(), event.what, event.version))
    return sorted(shown, key=lambda event: pd.Timestamp(event.at))


def _event(kind: str, at: pd.Timestamp, what: str, number: str) -> Event:
    return Event(kind, at.isoformat(), at.isoformat(), what, number)
