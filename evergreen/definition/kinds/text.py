"""The kind `text`: free text."""

from __future__ import annotations

from typing import ClassVar, Literal

from evergreen.definition.kinds.category import Category


class Text(Category):
    """A text whose words matter; its drift is that of its length."""

    name = "text"
    bins: ClassVar[Literal["number", "category"]] = "number"
    heading = "TEXTS"
    inferred = ()

    def counted_sql(self, column: str) -> str:
        """The length."""
        return f"CAST(length({column}) AS DOUBLE)"
