"""The register of all kinds of columns, by name. A new kind is one more entry in `KINDS`."""

from typing import TYPE_CHECKING

from evergreen.definition.kinds.boolean import Boolean
from evergreen.definition.kinds.category import Category
from evergreen.definition.kinds.column_kind import ColumnKind
from evergreen.definition.kinds.integer import Integer
from evergreen.definition.kinds.number import Number
from evergreen.definition.kinds.text import Text
from evergreen.definition.kinds.timestamp import Datetime

if TYPE_CHECKING:
    from evergreen.definition.kinds.column_kind import Values

KINDS: dict[str, ColumnKind] = {
    kind.name: kind for kind in (Number(), Integer(), Category(), Text(), Boolean(), Datetime())
}


def kind_of(name: str) -> ColumnKind:
    """The kind that a model file names."""
    return KINDS[name]


def likely(values: "Values") -> str:
    """The kind of a column that no model file declares: a number, a truth value or a time if all values are such.

    Examples
    --------
    >>> import pandas as pd
    >>> [likely(pd.Series(some)) for some in (["1", None], ["a", "1"], ["2026-01-31"], [True])]
    ['number', 'category', 'datetime', 'boolean']
    """
    known = values.dropna()
    if known.empty:
        return Category.name
    kinds: list[type[ColumnKind]] = [Boolean] if all(isinstance(value, bool) for value in known) else [Number, Datetime]
    return next((kind.name for kind in kinds if not kind().cast(known, "UTC")[1]), Category.name)
