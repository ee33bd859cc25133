"""Models, as the page of all of them shows them."""

from enum import IntEnum
from typing import Annotated, Any, Literal, Self

from pydantic import AliasPath, BaseModel, BeforeValidator, Field, model_validator

from ui.api.answers.base import Fact, Moment, Number, Paged, Text
from ui.known.fleet import Known
from ui.pages.models import Listed

LevelName = Literal["good", "unknown", "attention", "bad"]
Level = Annotated[LevelName, BeforeValidator(lambda level: level.name.lower() if isinstance(level, IntEnum) else level)]
_LEVELS: tuple[LevelName, ...] = ("good", "unknown", "attention", "bad")


class Finding(Fact):
    """What one side of a model says."""

    side: str = Field(description="Such as `performance`.")
    level: Level
    reason: str


class Model(Fact):
    """A model in a line."""

    name: str
    purpose: str
    owner: str
    health: Finding = Field(description="The finding that decides.")
    metric: str
    greater_is_better: bool
    value: Number = Field(
        validation_alias="now", description="The newest value of the metric: measured, or else estimated."
    )
    baseline: Number = Field(
        validation_alias=AliasPath("trend", "baseline"), description="The metric of the champion at its evaluation."
    )
    champion: Text = Field(description="The number of the version that answers.")
    champion_since: Moment
    newest_row: Moment = Field(validation_alias="newest")
    checked: Moment = Field(description="As of when the monitor looked last.")
    quarantined: Annotated[int, BeforeValidator(len)] = Field(description="How many batches wait for a person.")
    pending_approval: Text = Field(validation_alias="pending", description="The version that is pending approval.")
    alert: Text = Field(description="The monitor's alert that no later check has cleared.")


class Value(BaseModel):
    """A metric at a time."""

    at: str
    value: float

    @model_validator(mode="before")
    @classmethod
    def _of_pair(cls, pair: Any) -> Any:
        return dict(zip(("at", "value"), pair, strict=True)) if isinstance(pair, tuple | list) else pair


class ModelDetails(Model):
    """A model with what each side of it says."""

    findings: list[Finding]
    held: list[str] = Field(
        validation_alias=AliasPath("quarantined"), description="The batches that wait for a person."
    )
    realised: list[Value] = Field(
        validation_alias=AliasPath("trend", "realised"),
        description="The metric where labels are known, oldest first.",
    )
    estimated: list[Value] = Field(
        validation_alias=AliasPath("trend", "estimated"),
        description="The metric before labels arrive, oldest first.",
    )


class Models(Paged):
    """Models, those that need a person first."""

    as_of: str | None = Field(description="When the stores were last read whole; null before.")
    problem: str | None = Field(description="Why they could not be read since.")
    left: int = Field(description="How many models are still to be read for the first time.")
    found: int = Field(description="How many models meet the filter.")
    all: int
    counts: dict[LevelName, int] = Field(description="How many meet the text of the filter, by health.")
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
            counts={name: listed.counts[name] for name in _LEVELS},
            models=[Model.of(summary) for summary in listed.shown],
        )
