"""Numbers as people write them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from evergreen.definition.kinds.exactness import EXACT, exact, is_kept, restored
from evergreen.definition.kinds.messages import describe
from evergreen.definition.parsing.parser import Parser

if TYPE_CHECKING:
    from evergreen.definition.kinds.column_kind import Values


SPACES = "\u00a0\u2007\u2009\u202f"  # between thousands, where a line may not break, or a narrow one
SIGNS = "+-\u2212"
_MINUS = "\u2212"
_MINUS_BEHIND = re.compile(r"^([^+-]*[^+\s-])\s*-$")  # of a text of a million digits it asks each once
_IN_PARENTHESES = re.compile(r"^([^()]*)\(([^()]*)\)$")
_PLAIN = re.compile(r"[+-]?\d+(\.\d+)?")


class NumberFormat(Parser):
    """A number as people write it, with its minus before or behind it.

    Attributes
    ----------
    decimal, thousands : str
        What stands between the whole number and its fraction, and between thousands; a space stands for every kind.
    remove : str
        Further characters that are no part of the number, such as ``$%``.
    parentheses : bool
        Whether a number in parentheses is less than zero, as accounts write it: ``$(1,234.50)``.
    missing : list of str
        What is written where there is none; a number such as ``-200`` is missing in columns of numbers, too.

    Examples
    --------
    >>> NumberFormat(thousands=",", remove="$").value(["$1,234.50"], "UTC")
    1234.5
    """

    decimal: str = Field(".", min_length=1, max_length=1)
    thousands: str = Field("", max_length=1)
    remove: str = ""
    parentheses: bool = False
    missing: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _check(self) -> NumberFormat:
        if self.decimal in (self.thousands, *self.remove):
            raise ValueError(f"the decimal sign {self.decimal!r} cannot be removed")
        return self

    def inputs(self, name: str) -> list[str]:
        """The column itself."""
        return [name]

    def series(self, columns: Sequence[Values], timezone: str) -> tuple[Values, str]:
        """Floats, NaN where missing; a column of numbers stays as it is."""
        import pandas as pd

        values = columns[0]
        if pd.api.types.is_numeric_dtype(values):
            return (values.mask(values.isin(self._codes)) if self._codes else values), ""
        text = values.astype("str").str.strip()
        present = values.notna() & ~text.isin({"", *self.missing})
        plain = text.str.replace(_IN_PARENTHESES, r"-\1\2", regex=True) if self.parentheses else text
        plain = plain.str.translate(self._translation).str.strip().str.replace(_MINUS_BEHIND, r"-\1", regex=True)
        plain = plain.where(present)
        numbers = pd.to_numeric(plain, errors="coerce").astype("float64")
        # A float is enough for a feature, but not for a key.
        numbers = restored(plain, numbers) if (numbers.abs() >= EXACT).any() else numbers
        unread = numbers.isna() & present
        numbers = numbers.mask(numbers.isin(self._codes)) if self._codes else numbers
        return (values, describe(values, unread, "hold no number")) if unread.any() else (numbers, "")

    def value(self, values: Sequence[Any], timezone: str) -> Any:
        """A number stays as it is, unless it is written for a missing one."""
        value = values[0]
        if type(value) is str:
            text = value.strip()
            if text == "" or text in self.missing:
                return None
            plain = _IN_PARENTHESES.sub(r"-\1\2", text) if self.parentheses else text
            plain = _MINUS_BEHIND.sub(r"-\1", plain.translate(self._translation).strip())
            value = float(plain)
            beyond = EXACT <= abs(value) < math.inf
            value = exact(plain) if beyond and not is_kept(plain, value) else value
        return None if value in self._codes else value

    @cached_property
    def _codes(self) -> frozenset[float]:
        """The numbers that are written for missing ones."""
        return frozenset(float(word) for word in self.missing if _PLAIN.fullmatch(word))

    @property
    def _translation(self) -> dict[int, str]:
        spaces = SPACES if self.thousands == " " else ""
        removed = dict.fromkeys(map(ord, self.thousands + spaces + self.remove), "")
        return removed | {ord(self.decimal): ".", ord(_MINUS): "-"}
