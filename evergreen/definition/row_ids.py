"""The ids of rows in a frame, the same as the lake's SQL gives them."""

from typing import TYPE_CHECKING

import pandas as pd

from evergreen.definition.kinds.register import kind_of
from evergreen.row_id import row_id

if TYPE_CHECKING:
    from evergreen.definition.kinds.column_kind import Values
    from evergreen.definition.model import Model


def ids(model: "Model", rows: pd.DataFrame) -> list[str]:
    """The id of each row, by a frame that has all columns of the key, of their declared kinds."""
    texts = [_texts(model.columns.get(name, "text"), rows[name]) for name in model.key]
    return [row_id(parts) for parts in zip(*texts, strict=True)]


def _texts(kind: str, values: "Values") -> list[object]:
    """What DuckDB writes of each value as text; a missing one as pandas writes it."""
    text = kind_of(kind).key_text
    missing = values.isna()
    plain = [value.isoformat() if isinstance(value, pd.Timestamp) else value for value in values.tolist()]
    return [str(value) if gone else text(value, "UTC") for value, gone in zip(plain, missing, strict=True)]
