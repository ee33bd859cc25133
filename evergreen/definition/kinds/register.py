"""The register of all kinds of columns, by name. A new kind is one more entry in `KINDS`."""

from evergreen.definition.kinds.boolean import Boolean
from evergreen.definition.kinds.category import Category
from evergreen.definition.kinds.column_kind import ColumnKind
from evergreen.definition.kinds.integer import Integer
from evergreen.definition.kinds.number import Number
from evergreen.definition.kinds.text import Text
from evergreen.definition.kinds.timestamp import Datetime

KINDS: dict[str, ColumnKind] = {
    kind.name: kind for kind in (Number(), Integer(), Category(), Text(), Boolean(), Datetime())
}


def kind_of(name: str) -> ColumnKind:
    """The kind that a model file names."""
    return KINDS[name]
