"""Conversion between pandas, Arrow and the column kinds."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from evergreen.definition.kinds.table import kind_of

if TYPE_CHECKING:
    import pyarrow as pa

    from evergreen.definition.model import Model

_OWN = {"_batch": "category", "_arrived": "datetime"}  # kept beside the declared columns


def to_pandas(table: "pa.Table") -> pd.DataFrame:
    """To pandas, with nullable types where whole numbers or truths have gaps."""
    import pyarrow as pa

    nullable = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    gaps = {field.type for field in table.schema if table.column(field.name).null_count}
    found: pd.DataFrame = table.to_pandas(types_mapper={kind: nullable[kind] for kind in gaps if kind in nullable}.get)
    return found


def to_arrow(rows: pd.DataFrame, model: "Model") -> "pa.Table":
    """Rows as an Arrow table of the declared kinds."""
    import pyarrow as pa

    declared: dict[str, Any] = {**model.columns, **_OWN}
    fields = [(column, kind_of(kind).arrow) for column, kind in declared.items() if column in rows.columns]
    return pa.Table.from_pandas(rows[[name for name, _ in fields]], schema=pa.schema(fields), preserve_index=False)


def positions(count: int) -> "pa.Array":
    """The numbers from 0 to `count` - 1."""
    import pyarrow as pa

    return pa.array(np.arange(count))
