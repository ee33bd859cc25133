"""Conversion between pandas, Arrow and the column kinds."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from evergreen.definition.kinds.register import kind_of
from evergreen.lake.request_fields import FIELDS
from evergreen.sql import declared, is_escaped, stored

if TYPE_CHECKING:
    import pyarrow as pa

    from evergreen.definition.model import Model

# Evergreen's own columns beside the declared ones, by table; a table not listed here has no declared columns.
OWN: dict[str, tuple[str, ...]] = {
    "rows": ("_batch", "_arrived"),
    "predictions": ("_version", "_answered", "_answers"),
    "served": ("_id", "_version", "_role", "_answers", "_landed", *(field.column for field in FIELDS)),
}
_OTHER = "_other:"  # prefix of a log column whose kind has changed


def names_within(table: str, stored_names: Sequence[str]) -> list[str]:
    """The stored names of a table's columns, in their order.

    In a table of an earlier release, a declared column that begins with an underscore has its plain name,
    unless that is one of Evergreen's own.
    """
    own = OWN.get(table)
    if own is None:
        return list(stored_names)
    fixed = [
        not name.startswith("_") or name in own or is_escaped(name) or name.startswith(_OTHER) for name in stored_names
    ]
    return [name if is_fixed else stored(name) for name, is_fixed in zip(stored_names, fixed, strict=True)]


def name_within(table: str, stored_names: Sequence[str], name: str) -> str:
    """The name of a column in a table, from its stored name."""
    return dict(zip(names_within(table, stored_names), stored_names, strict=True)).get(name, name)


def as_kept(rows: "pa.Table", table: str, stored_names: Sequence[str]) -> "pa.Table":
    """Rename the columns of rows to the names in the table."""
    return rows.rename_columns([name_within(table, stored_names, name) for name in rows.column_names])


def of_other_kind(name: str, kind: object) -> str:
    """The name of a log column whose kind differs from the table's."""
    return f"{_OTHER}{name} as {kind}"


def as_frame(table: "pa.Table") -> pd.DataFrame:
    """To pandas, with nullable types where whole numbers or truths have gaps: floats end at 2**53."""
    import pyarrow as pa

    nullable = {pa.int64(): pd.Int64Dtype(), pa.uint64(): pd.UInt64Dtype(), pa.bool_(): pd.BooleanDtype()}
    gaps = {field.type for field, column in zip(table.schema, table.columns, strict=True) if column.null_count}
    found: pd.DataFrame = table.to_pandas(types_mapper={kind: nullable[kind] for kind in gaps if kind in nullable}.get)
    return found


def to_pandas(table: "pa.Table") -> pd.DataFrame:
    """As `as_frame`, with declared columns by their own names."""
    found = as_frame(table)
    return found.rename(columns={name: declared(name) for name in found.columns if is_escaped(name)})


def to_arrow(rows: pd.DataFrame, model: "Model") -> "pa.Table":
    """Rows as an Arrow table of the declared kinds, by stored names."""
    import pyarrow as pa

    fields = [(name, kind_of(kind).arrow) for name, kind in model.columns.items() if name in rows.columns]
    declared_rows = rows[[name for name, _ in fields]]
    arrow_table = pa.Table.from_pandas(declared_rows, schema=pa.schema(fields), preserve_index=False)
    return arrow_table.rename_columns([stored(name) for name in arrow_table.column_names])


def positions(count: int) -> "pa.Array":
    """The numbers from 0 to `count` - 1."""
    import pyarrow as pa

    return pa.array(np.arange(count))
