"""Landing: a batch merged into the table of rows by its keys, in one commit that moves the watermark."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from evergreen.definition.kinds.register import kind_of
from evergreen.errors import LakeSchemaError
from evergreen.lake.arrow import OWN, as_kept, name_within, names_within, positions, to_arrow, to_pandas
from evergreen.lake.connection import CONFIGURATION, attached, column_names, files_within, register
from evergreen.sql import column, declared, quoted, same, stored

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

    from evergreen.definition.model import Model


@dataclass(frozen=True)
class Landed:
    """What landing a batch did to the table.

    Attributes
    ----------
    version : int
        The table's version afterwards.
    new, corrected, same : int
        Rows that were added, that replaced a row of the same key, and that were there already.
    """

    version: int
    new: int
    corrected: int
    same: int


def write(
    uri: str,
    opened: "DeltaTable | None",
    model: "Model",
    rows: pd.DataFrame,
    batch: str,
    arrived: pd.Timestamp,
    transaction: tuple[str, pd.Timestamp],
    warned: Sequence[str],
    noted: Mapping[str, str],
) -> dict[str, int]:
    """Write the rows of a batch that the table does not have yet with the same values.

    Parameters
    ----------
    uri : str
        Of the table.
    opened : DeltaTable or None
        The table as it is; None where there is none yet.
    model : Model
    rows : DataFrame
    batch : str
    arrived : Timestamp
    transaction : (str, Timestamp)
        The application, and its watermark afterwards.
    warned : sequence of str
    noted : dict of str to str
        What else is kept with the commit.

    Returns
    -------
    dict of str to int
        How many rows were ``new``, and how many ``corrected``.
    """
    _check_kinds(uri, opened, model)
    fresh, changed = _new_and_changed(opened, model, rows)
    written = fresh | changed
    data = _with_batch(to_arrow(rows if written.all() else rows[written], model), batch, arrived, opened)
    counts = {"new": int(fresh.sum()), "corrected": int(changed.sum())}
    warnings = {"warned": "; ".join(warned)} if warned else {}
    properties = _commit(*transaction, {"batch": batch, **counts, **warnings, **noted})
    if counts["corrected"]:
        merge(model, data, properties, opened)
    else:
        append(uri, data, properties, opened)
    return counts


def append(uri: str, data: "pa.Table", properties: Any, opened: "DeltaTable | None") -> None:
    """Add new rows, to a new table where there is none."""
    from deltalake import write_deltalake

    where = uri if opened is None else opened
    mode: Any = "error" if opened is None else "append"  # a second writer of a new table has to read it again
    schema: Any = None if opened is None else "merge"
    configuration: Any = CONFIGURATION if opened is None else None
    write_deltalake(
        where, data, mode=mode, schema_mode=schema, configuration=configuration, commit_properties=properties
    )


def merge(model: "Model", data: "pa.Table", properties: Any, opened: "DeltaTable | None") -> None:
    """Add new rows, and replace those of the same key."""
    assert opened is not None, "corrected rows are in the table"
    key = [quoted(name_within("rows", column_names(opened), stored(name))) for name in model.key]
    same_key = " AND ".join(f"b.{name} = t.{name}" for name in key)
    merger = opened.merge(
        data, same_key, source_alias="b", target_alias="t", merge_schema=True, commit_properties=properties
    )
    merger.when_matched_update_all().when_not_matched_insert_all().execute()


def _check_kinds(uri: str, opened: "DeltaTable | None", model: "Model") -> None:
    """Refuse a kind that the table's column does not have: a cast would hide the contradiction."""
    stored_kinds = _kinds(opened) if opened else {}
    by_casefold = {column.casefold(): column for column in stored_kinds}
    for name, kind in model.columns.items():
        if stored_kinds.get(name, kind_of(kind).delta) != kind_of(kind).delta:
            raise LakeSchemaError(
                f"{model.name}: {name!r} is declared {kind} ({kind_of(kind).delta}), but the table at "
                f"{uri} holds {stored_kinds[name]}. Declare it as it was, or give it another name."
            )
        if name not in stored_kinds and name.casefold() in by_casefold:
            raise LakeSchemaError(
                f"{model.name}: {name!r} differs only in case from {by_casefold[name.casefold()]!r}, which the table "
                f"at {uri} has. Declare it as it was, or give it another name."
            )


def _kinds(opened: "DeltaTable") -> dict[str, str]:
    """The declared columns of the table of rows, and their types in Delta."""
    fields = opened.schema().fields
    names = names_within("rows", [field.name for field in fields])
    kinds = {name: str(getattr(field.type, "type", field.type)) for name, field in zip(names, fields, strict=True)}
    return {declared(name): kind for name, kind in kinds.items() if name not in OWN["rows"]}


def _with_batch(rows: "pa.Table", batch: str, arrived: pd.Timestamp, opened: "DeltaTable | None") -> "pa.Table":
    """Rows by the names that the table has, with the batch that they came with."""
    import pyarrow as pa

    named = rows if opened is None else as_kept(rows, "rows", column_names(opened))
    time = pa.scalar(arrived.to_pydatetime(), pa.timestamp("us", tz="UTC"))
    named = named.append_column("_batch", pa.repeat(pa.scalar(batch, pa.string()), len(rows)))
    return named.append_column("_arrived", pa.repeat(time, len(rows)))


def _new_and_changed(
    opened: "DeltaTable | None", model: "Model", rows: pd.DataFrame
) -> tuple["pd.Series[bool]", "pd.Series[bool]"]:
    """Which rows are new, and which replace a row of the same key with other values."""
    fresh = pd.Series(True, index=rows.index)
    changed = pd.Series(False, index=rows.index)
    if opened is None or rows.empty:
        return fresh, changed
    comparison = _compared(opened, model, rows, model.key)
    if comparison["known"].any():
        comparison = _compared(opened, model, rows, list(model.columns))
    fresh[:] = ~comparison["known"].to_numpy(dtype=bool)
    changed[:] = comparison["known"].to_numpy(dtype=bool) & comparison["differs"].to_numpy(dtype=bool)
    return fresh, changed


def _compared(opened: "DeltaTable", model: "Model", rows: pd.DataFrame, compared: list[str]) -> pd.DataFrame:
    """For each row whether the table has its key, and whether it differs there in the columns to compare."""
    same_key = same(model.key, "b", "t")
    stored_kinds = _kinds(opened)
    stored_columns = {name: column(name, "t") if name in stored_kinds else "NULL" for name in compared}
    differs = " OR ".join(f"{column(name, 'b')} IS DISTINCT FROM {side}" for name, side in stored_columns.items())
    first = column(model.key[0], "t")
    known = f"{first} IS NOT NULL"
    batch = to_arrow(rows, model).append_column("_row", positions(len(rows)))
    # Files are skipped by the range of their keys, and the join keeps only the batch in memory,
    # however large the table is.
    candidates = f"SELECT * FROM t SEMI JOIN b ON {same_key} WHERE {first} BETWEEN $low AND $high"
    low, high = rows[model.key[0]].agg(["min", "max"]).tolist()
    with attached() as connection:
        files = files_within(opened, name_within("rows", column_names(opened), stored(model.key[0])), low, high)
        register(connection, "t", files, names_within("rows", files.schema.names))
        connection.register("b", batch)
        sql = f"SELECT {known} AS known, {known} AND ({differs}) AS differs FROM b LEFT JOIN ({candidates}) AS t ON {same_key} ORDER BY _row"  # noqa: E501
        return to_pandas(connection.sql(sql, params={"low": low, "high": high}).to_arrow_table())


def _commit(app: str, mark: pd.Timestamp, note: dict[str, Any]) -> Any:
    from deltalake import CommitProperties, Transaction

    metadata = {f"evergreen.{name}": str(value) for name, value in note.items()}
    transaction = Transaction(app_id=app, version=mark.value // 1000)
    # No retry: after a concurrent commit the batch has to be compared with the table again.
    return CommitProperties(custom_metadata=metadata, app_transactions=[transaction], max_commit_retries=0)
