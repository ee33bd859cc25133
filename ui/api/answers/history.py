"""What was measured, decided, trained and quarantined, as the pages of a model show it."""

from typing import Self

from pydantic import AliasPath, Field

from evergreen.registry.version import Version as Stored
from ui.api.answers.base import Fact, Moment, Number, Paged, Text
from ui.facts.versions import approval_now


class Column(Fact):
    """The drift of a column."""

    column: str
    distance: Number = Field(
        validation_alias=AliasPath("measures", "jensen_shannon"),
        description="Jensen-Shannon, of the window from the reference.",
    )
    threshold: Number
    drifted: bool
    importance: Number = Field(description="The share of the champion's feature importance.")
    counts: bool = Field(description="Whether it drifted and is important enough to ask for a training.")


class Interval(Fact):
    """A value with its confidence interval."""

    value: Number
    low: Number
    high: Number


class Observation(Fact):
    """What the monitor measured of a version in one window."""

    as_of: str
    version: str
    since: str
    until: str
    rows: int
    state: str = Field(description="degraded, holds or unknown.")
    reason: str
    realised: Interval | None = Field(validation_alias="reached", description="The metric where labels are known.")
    realised_until: Moment = Field(validation_alias="ripened")
    estimated: Number
    baseline: Number = Field(validation_alias="judged")
    drift: list[Column]
    quality: list[str]
    unjudged: list[str]

    @classmethod
    def of(cls, found: object) -> Self:
        """Of an observation; what is not measured yet ends at no time."""
        made = super().of(found)
        return made if made.realised else made.model_copy(update={"realised_until": None})


class Observations(Paged):
    """Observations, newest first."""

    observations: list[Observation]


class Decision(Fact):
    """A decision on a model, also one to do nothing."""

    as_of: str
    trigger: str = Field(validation_alias="asked", description="The trigger, or `monitor`.")
    wish: str = Field(description="The trigger with its reason.")
    action: str
    reason: str
    found: str = Field(description="What the monitor found that is not as it was.")


class Decisions(Paged):
    """Decisions, newest first."""

    decisions: list[Decision]


class Version(Fact):
    """A version of a model."""

    number: str
    aliases: list[str]
    as_of: Moment = Field(description="The training used what was known at this time.")
    trained_because: str = Field(validation_alias="reason")
    rows: int | None
    refit_of: Text
    decision: str = Field(description="The verdict of the gates; empty before there is one.")
    reason: str = Field(validation_alias="verdict_reason", description="Why the gates decided so.")
    against: Text = Field(validation_alias="judged_against", description="The champion that it was compared with.")
    approval: Text = Field(
        description="waiting, approved, refused, lapsed or superseded; empty if none was requested.",
    )
    champion_since: Moment
    rolled_back_at: Moment
    rolled_back_reason: Text
    commit: str
    table_version: int | None

    @classmethod
    def of(cls, found: object) -> Self:
        """Of a version of the registry; a request for approval may have lapsed since."""
        assert isinstance(found, Stored)
        state = approval_now(found).state if found.approval else ""
        return super().of(found).model_copy(update={"approval": state})


class Versions(Paged):
    """Versions, newest first."""

    found: int
    versions: list[Version]


class Failure(Fact):
    """An expectation that a batch failed; without examples of rows."""

    column: str
    expected: str
    found: str


class Batch(Fact):
    """A batch in quarantine."""

    batch: str
    state: str = Field(description="held, released or dropped.")
    since: str
    until: str
    arrived: str
    rows: int
    note: str
    failures: list[Failure]


class Quarantine(Paged):
    """Batches in quarantine, newest first."""

    found: int
    batches: list[Batch]
