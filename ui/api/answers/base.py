"""What the objects of the API have in common: how they are made of facts, and what JSON cannot write."""

import math
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class Fact(BaseModel):
    """An object that is made of the attributes of another one, by their names or by an alias."""

    model_config = ConfigDict(from_attributes=True)

    @classmethod
    def of(cls, found: object) -> Self:
        """Of the object that holds the facts."""
        return cls.model_validate(found)


class Problem(BaseModel):
    """Why there is no answer."""

    detail: str = Field(description="A sentence: what was wrong, what came, and what to do.")


class Paged(BaseModel):
    """A page of a list."""

    page: int = Field(description="From 1.")
    size: int = Field(description="The most items of a page.")
    more: bool = Field(description="Whether there is a page after it.")


def finite(value: Any) -> Any:
    """A value in which each number that JSON cannot write is null."""
    if isinstance(value, dict):
        return {name: finite(part) for name, part in value.items()}
    if isinstance(value, list):
        return [finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _moment(value: datetime | str | None) -> str | None:
    return value.isoformat() if isinstance(value, datetime) else value or None


Number = Annotated[float | None, BeforeValidator(finite)]
Text = Annotated[str | None, BeforeValidator(lambda text: text or None)]
Moment = Annotated[str | None, BeforeValidator(_moment), Field(description="A time, ISO 8601; null without one.")]
