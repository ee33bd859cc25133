"""What was done, what answered when, and whether the log of it is whole, as the pages of Activity show it."""

from typing import Any, Self

from pydantic import BaseModel, Field

from evergreen.lake.audit_log import Line
from ui import story
from ui.api.answers.base import Fact, Paged, Text, finite


class Act(BaseModel):
    """A line of the audit log."""

    model: str
    number: int
    at: str = Field(description="The time that the act worked at.")
    written: str
    act: str
    subject: str = Field(description="The batch or version that it was done to.")
    by: Text = Field(description="The person who asked for it; null where the system did it by itself.")
    run: Text = Field(description="The flow run that did it.")
    sentence: str
    why: str
    detail: dict[str, Any]
    hash: str

    @classmethod
    def of(cls, line: Line) -> Self:
        """Of a line."""
        told = story.told(line)
        shown = {"detail": finite(line.details), "sentence": told.text, "why": told.why}
        return cls.model_validate(vars(line) | shown)


class Acts(Paged):
    """Acts, newest first."""

    found: int
    left: int = Field(description="How many logs are still to be read for the first time.")
    problems: list[str] = Field(description="What could not be read since.")
    acts: list[Act]


class Span(Fact):
    """A span of time in which one version answered, or none did."""

    version: Text = Field(description="null where the model was retired.")
    since: str
    until: Text = Field(description="null for the one that lasts.")
    act: str = Field(description="What began it.")
    by: Text
    reason: str
    line: int = Field(description="The number of that act's line in the audit log.")


class Answer(Fact):
    """What answered at a time."""

    model: str
    at: str
    answered: Span | None = Field(validation_alias="tenure", description="null before the first promotion.")
    canary: Text = Field(description="The version that answered a part of the requests beside it.")
    share: Text = Field(description="That part.")


class Champions(BaseModel):
    """Every version that answered, oldest first."""

    model: str
    spans: list[Span]


class Proof(Fact):
    """Whether an audit log is whole."""

    model: str
    whole: bool
    lines: int
    seals: int = Field(description="How many seals are kept in the home and in the model registry.")
    unsealed: int = Field(description="How many lines at the end no seal covers yet.")
    head: Text = Field(description="Number and hash of the last line.")
    problems: list[str]
