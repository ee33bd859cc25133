"""What the API answers: its objects, made of the facts that the pages show."""

import math
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, Field

from evergreen.governance.audit import Verified
from evergreen.governance.tenure import Answered, Tenure
from evergreen.ingestion.quarantine import Entry as Held
from evergreen.lake.audit_log import Line
from evergreen.lifecycle.decision_log import Entry as Decided
from evergreen.monitoring.observation import Observation as Observed
from evergreen.registry import version as registry
from ui import story
from ui.known.fleet import Known
from ui.known.health import Finding as Found
from ui.known.summary import Summary
from ui.pages.models import Listed

Level = Literal["good", "unknown", "attention", "bad"]
Time = Field(description="A time, ISO 8601; null where there is none.")


class Problem(BaseModel):
    """Why there is no answer."""

    detail: str = Field(description="A sentence: what was wrong, what came, and what to do.")


class Paged(BaseModel):
    """A page of a list."""

    page: int = Field(description="From 1.")
    size: int = Field(description="The most items of a page.")
    more: bool = Field(description="Whether there is a page after it.")


class Finding(BaseModel):
    """What one side of a model says."""

    side: str = Field(description="Such as `performance`.")
    level: Level
    reason: str

    @classmethod
    def of(cls, found: Found) -> Self:
        """Of a finding."""
        return cls(side=found.side, level=level(found), reason=found.reason)


class Model(BaseModel):
    """A model in a line."""

    name: str
    purpose: str
    owner: str
    health: Finding = Field(description="The finding that decides.")
    metric: str
    greater_is_better: bool
    value: float | None = Field(description="The newest value of the metric: measured, or else estimated.")
    baseline: float | None = Field(description="The metric of the champion at its evaluation.")
    champion: str | None = Field(description="The number of the version that answers.")
    champion_since: str | None = Time
    newest_row: str | None = Time
    checked: str | None = Field(description="As of when the monitor looked last.")
    quarantined: int = Field(description="How many batches wait for a person.")
    pending_approval: str | None = Field(description="The version that is pending approval.")
    alert: str | None = Field(description="The monitor's alert that no later check has cleared.")

    @classmethod
    def of(cls, known: Summary) -> Self:
        """Of what is known of a model."""
        return cls(**_line(known))


class Value(BaseModel):
    """A metric at a time."""

    at: str
    value: float


class ModelDetails(Model):
    """A model with what each side of it says."""

    findings: list[Finding]
    held: list[str] = Field(description="The batches that wait for a person.")
    realised: list[Value] = Field(description="The metric where labels are known, oldest first.")
    estimated: list[Value] = Field(description="The metric before labels arrive, oldest first.")

    @classmethod
    def of(cls, known: Summary) -> Self:
        """Of what is known of a model."""
        return cls(
            **_line(known),
            findings=[Finding.of(found) for found in known.findings],
            held=known.quarantined,
            realised=[Value(at=at, value=value) for at, value in known.trend.realised],
            estimated=[Value(at=at, value=value) for at, value in known.trend.estimated],
        )


class Models(Paged):
    """Models, those that need a person first."""

    as_of: str | None = Field(description="When the stores were last read whole; null before.")
    problem: str | None = Field(description="Why they could not be read since.")
    left: int = Field(description="How many models are still to be read for the first time.")
    found: int = Field(description="How many models meet the filter.")
    all: int
    counts: dict[Level, int] = Field(description="How many meet the text of the filter, by health.")
    models: list[Model]

    @classmethod
    def of(cls, known: Known, listed: Listed, size: int) -> Self:
        """Of a page of models."""
        return cls(
            page=listed.page,
            size=size,
            more=listed.page < listed.pages,
            as_of=known.at.isoformat() if known.at else None,
            problem=known.problem or None,
            left=known.left,
            found=listed.found,
            all=listed.all,
            counts={name: listed.counts[name] for name in ("good", "unknown", "attention", "bad")},
            models=[Model.of(summary) for summary in listed.shown],
        )


class Column(BaseModel):
    """The drift of a column."""

    column: str
    distance: float | None = Field(description="Jensen-Shannon, of the window from the reference.")
    threshold: float | None
    drifted: bool
    importance: float | None = Field(description="The share of the champion's feature importance.")
    counts: bool = Field(description="Whether it drifted and is important enough to ask for a training.")


class Interval(BaseModel):
    """A value with its confidence interval."""

    value: float | None
    low: float | None
    high: float | None


class Observation(BaseModel):
    """What the monitor measured of a version in one window."""

    as_of: str
    version: str
    since: str
    until: str
    rows: int
    state: str = Field(description="degraded, holds or unknown.")
    reason: str
    realised: Interval | None = Field(description="The metric where labels are known.")
    realised_until: str | None = Time
    estimated: float | None
    baseline: float | None
    drift: list[Column]
    quality: list[str]
    unjudged: list[str]

    @classmethod
    def of(cls, seen: Observed) -> Self:
        """Of an observation."""
        mature = seen.realised is not None and seen.realised.mature
        interval = seen.realised.whole.interval() if seen.realised is not None and mature else None
        return cls(
            as_of=seen.as_of,
            version=seen.version,
            since=seen.since,
            until=seen.until,
            rows=seen.rows,
            state=seen.state,
            reason=seen.reason,
            realised=Interval(**{name: number(value) for name, value in vars(interval).items()}) if interval else None,
            realised_until=(seen.ripened or None) if mature else None,
            estimated=number(seen.estimated),
            baseline=number(seen.judged),
            drift=[
                Column(
                    column=drift.column,
                    distance=number(drift.measures.jensen_shannon),
                    threshold=number(drift.threshold),
                    drifted=drift.drifted,
                    importance=number(drift.importance),
                    counts=drift.counts,
                )
                for drift in seen.drift
            ],
            quality=seen.quality,
            unjudged=seen.unjudged,
        )


class Observations(Paged):
    """Observations, newest first."""

    observations: list[Observation]


class Decision(BaseModel):
    """A decision on a model, also one to do nothing."""

    as_of: str
    trigger: str = Field(description="The trigger, or `monitor`.")
    wish: str = Field(description="The trigger with its reason.")
    action: str
    reason: str
    found: str = Field(description="What the monitor found that is not as it was.")

    @classmethod
    def of(cls, entry: Decided) -> Self:
        """Of an entry of the decision log."""
        return cls(
            as_of=entry.as_of,
            trigger=entry.asked,
            wish=entry.wish,
            action=entry.action,
            reason=entry.reason,
            found=entry.found,
        )


class Decisions(Paged):
    """Decisions, newest first."""

    decisions: list[Decision]


class Version(BaseModel):
    """A version of a model."""

    number: str
    aliases: list[str]
    as_of: str | None = Field(description="The training used what was known at this time.")
    trained_because: str
    rows: int | None
    refit_of: str | None
    decision: str = Field(description="The verdict of the gates; empty before there is one.")
    reason: str = Field(description="Why the gates decided so.")
    against: str | None = Field(description="The champion that it was compared with.")
    approval: str | None
    champion_since: str | None = Time
    rolled_back_at: str | None = Time
    rolled_back_reason: str | None
    commit: str
    table_version: int | None

    @classmethod
    def of(cls, version: registry.Version) -> Self:
        """Of a version of the registry."""
        return cls(
            number=version.number,
            aliases=list(version.aliases),
            as_of=_iso(version.as_of),
            trained_because=version.reason,
            rows=version.rows,
            refit_of=version.refit_of or None,
            decision=version.decision,
            reason=version.verdict_reason,
            against=version.judged_against or None,
            approval=version.approval or None,
            champion_since=_iso(version.champion_since),
            rolled_back_at=_iso(version.rolled_back_at),
            rolled_back_reason=version.rolled_back_reason or None,
            commit=version.commit,
            table_version=version.table_version,
        )


class Versions(Paged):
    """Versions, newest first."""

    found: int
    versions: list[Version]


class Failure(BaseModel):
    """An expectation that a batch failed; without examples of rows."""

    column: str
    expected: str
    found: str


class Batch(BaseModel):
    """A batch in quarantine."""

    batch: str
    state: str = Field(description="held, released or dropped.")
    since: str
    until: str
    arrived: str
    rows: int
    note: str
    failures: list[Failure]

    @classmethod
    def of(cls, entry: Held) -> Self:
        """Of an entry of the quarantine."""
        return cls(
            batch=entry.batch,
            state=entry.state,
            since=entry.since,
            until=entry.until,
            arrived=entry.arrived,
            rows=entry.rows,
            note=entry.note,
            failures=[
                Failure(column=failure.column, expected=failure.expected, found=failure.found)
                for failure in entry.failures
            ],
        )


class Quarantine(Paged):
    """Batches in quarantine, newest first."""

    found: int
    batches: list[Batch]


class Act(BaseModel):
    """A line of the audit log."""

    model: str
    number: int
    at: str = Field(description="The time that the act worked at.")
    written: str
    act: str
    subject: str = Field(description="The batch or version that it was done to.")
    by: str | None = Field(description="The person who asked for it; null where the system did it by itself.")
    run: str | None = Field(description="The flow run that did it.")
    sentence: str
    why: str
    detail: dict[str, Any]
    hash: str

    @classmethod
    def of(cls, line: Line) -> Self:
        """Of a line."""
        told = story.told(line)
        return cls(
            model=line.model,
            number=line.number,
            at=line.at,
            written=line.written,
            act=line.act,
            subject=line.subject,
            by=line.by or None,
            run=line.run or None,
            sentence=told.text,
            why=told.why,
            detail=_finite(line.details),
            hash=line.hash,
        )


class Acts(Paged):
    """Acts, newest first."""

    found: int
    left: int = Field(description="How many logs are still to be read for the first time.")
    problems: list[str] = Field(description="What could not be read since.")
    acts: list[Act]


class Span(BaseModel):
    """A span of time in which one version answered, or none did."""

    version: str | None = Field(description="null where the model was retired.")
    since: str
    until: str | None = Field(description="null for the one that lasts.")
    act: str = Field(description="What began it.")
    by: str | None
    reason: str
    line: int = Field(description="The number of that act's line in the audit log.")

    @classmethod
    def of(cls, tenure: Tenure) -> Self:
        """Of a tenure."""
        return cls(
            version=tenure.version or None,
            since=tenure.since,
            until=tenure.until or None,
            act=tenure.act,
            by=tenure.by or None,
            reason=tenure.reason,
            line=tenure.line,
        )


class Answer(BaseModel):
    """What answered at a time."""

    model: str
    at: str
    answered: Span | None = Field(description="null before the first promotion.")
    canary: str | None = Field(description="The version that answered a part of the requests beside it.")
    share: str | None = Field(description="That part.")

    @classmethod
    def of(cls, found: Answered) -> Self:
        """Of what answered."""
        return cls(
            model=found.model,
            at=found.at,
            answered=Span.of(found.tenure) if found.tenure else None,
            canary=found.canary or None,
            share=found.share or None,
        )


class Champions(BaseModel):
    """Every version that answered, oldest first."""

    model: str
    spans: list[Span]


class Proof(BaseModel):
    """Whether an audit log is whole."""

    model: str
    whole: bool
    lines: int
    seals: int = Field(description="How many seals are kept in the home and in the model registry.")
    unsealed: int = Field(description="How many lines at the end no seal covers yet.")
    head: str | None = Field(description="Number and hash of the last line.")
    problems: list[str]

    @classmethod
    def of(cls, verified: Verified) -> Self:
        """Of a verification."""
        return cls(
            model=verified.model,
            whole=not verified.problems,
            lines=verified.lines,
            seals=verified.seals,
            unsealed=verified.unsealed,
            head=verified.head or None,
            problems=verified.problems,
        )


def level(found: Found) -> Level:
    """A level, as the API writes it."""
    return found.level.name.lower()  # type: ignore[return-value]


def number(value: float | None) -> float | None:
    """A number; null for what JSON cannot write."""
    return value if value is not None and math.isfinite(value) else None


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_finite(part) for part in value]
    return number(value) if isinstance(value, float) else value


def _line(known: Summary) -> dict[str, Any]:
    return {
        "name": known.name,
        "purpose": known.purpose,
        "owner": known.owner,
        "health": Finding.of(known.health),
        "metric": known.metric,
        "greater_is_better": known.greater_is_better,
        "value": number(known.now),
        "baseline": number(known.trend.baseline),
        "champion": known.champion or None,
        "champion_since": known.champion_since or None,
        "newest_row": known.newest or None,
        "checked": known.checked or None,
        "quarantined": len(known.quarantined),
        "pending_approval": known.pending or None,
        "alert": known.alert or None,
    }
