"""Text in which words stand for what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from evergreen.definition.parsing.parser import Parser

if TYPE_CHECKING:
    from evergreen.definition.kinds.column_kind import Values


class TextFormat(Parser):
    """Text, or the name of a class, with words for a missing one.

    Attributes
    ----------
    missing : list of str
        What is written where there is none.

    Examples
    --------
    >>> [TextFormat(missing=["NA"]).value([text], "UTC") for text in ("Yes", "NA")]
    ['Yes', None]
    """

    missing: list[str] = Field(min_length=1)

    def inputs(self, name: str) -> list[str]:
        """The column itself."""
        return [name]

    def series(self, columns: Sequence[Values], timezone: str) -> tuple[Values, str]:
        """Without the values that stand for missing ones."""
        values = columns[0]
        return values.mask(values.astype("str").str.strip().isin(self.missing)), ""

    def value(self, values: Sequence[Any], timezone: str) -> Any:
        """As it is, or None."""
        value = values[0]
        return None if type(value) is str and value.strip() in self.missing else value
