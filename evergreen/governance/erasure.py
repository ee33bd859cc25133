"""Erasure: delete a person's rows from every store, and record the deletion without their values."""

from dataclasses import dataclass

import pandas as pd

from evergreen.definition.kinds.register import kind_of
from evergreen.definition.model import Model
from evergreen.errors import ErasureError, LakeError
from evergreen.lake import audit_log, maintenance
from evergreen.lake.lake import LABELS, PREDICTIONS, ROWS, SERVED, Lake
from evergreen.registry.version import Version
from evergreen.row_id import is_escaped, plain, row_id
from evergreen.sql import stored
from evergreen.stores import Stores
from evergreen.training import recipe
from evergreen.training.snapshot import Snapshot

_KEPT = (ROWS, PREDICTIONS, SERVED, LABELS)


@dataclass(frozen=True)
class Erased:
    """What was erased.

    Attributes
    ----------
    model : str
    rows : dict of str to int
        How many rows, by table and in quarantine.
    versions : list of str
        The versions that were trained on them, the oldest first; they keep what they learned from the
        rows until a version trained without them replaces them.
    unknown : list of str
        Versions whose rows can no longer be read because of earlier erasures.
    """

    model: str
    rows: dict[str, int]
    versions: list[str]
    unknown: list[str]


def erase(
    stores: Stores, model: Model, values_as_text: dict[str, str], reason: str, at: pd.Timestamp, by: str = ""
) -> Erased:
    """Delete a person's rows from the lake with its history and from quarantine; repeating it finds nothing.

    Parameters
    ----------
    stores : Stores
    model : Model
    values_as_text : dict of column to value
        The rows that match all of these values; log rows also match by an id made of the model's key.
    reason : str
        For the record, such as the number of the request; the values themselves are not kept.
    at : Timestamp
    by : str, optional

    Raises
    ------
    ErasureError
        A column is not declared, or a value is not of its kind.
    LakeError
        A table cannot be written; what was erased stays erased, and the same call again continues.
    """
    unknown = sorted(set(values_as_text) - set(model.columns))
    if unknown or not values_as_text:
        raise ErasureError(f"{model.name} declares no column {unknown}; name some of {sorted(model.columns)}.")
    typed_values = {column: _typed(model, column, value) for column, value in values_as_text.items()}
    lake, quarantine = stores.lake, stores.quarantine
    versions, unread = _trained_on(stores, model, typed_values)
    conditions_by_table = _conditions(lake, model, values_as_text, typed_values)
    rows = {
        table: sum(maintenance.count_matching(lake, model, table, values) for values in conditions)
        for table, conditions in conditions_by_table.items()
    }
    rows["quarantine"] = quarantine.matching(model.name, values_as_text)
    detail = {"rows": rows, "versions": versions, "reason": reason, "moment": at.isoformat()}
    audit_log.write(lake, model.name, "deletion", "rows", at, by=by, detail=detail)
    for table, conditions in conditions_by_table.items():
        for values in conditions:
            lake.erase(model, table, values)
    quarantine.erase(model.name, values_as_text)
    return Erased(model.name, rows, versions, unread)


def parsed(model: Model, words: list[str]) -> dict[str, str]:
    """Columns and values from the command line: ``column=value``, or the value of the only key column.

    Raises
    ------
    ErasureError
        A value has no column, and the model has several key columns.
    """
    values: dict[str, str] = {}
    for word in words:
        column, equals, value = word.partition("=")
        if not equals and len(model.key) > 1:
            raise ErasureError(f"{model.name} has the key columns {model.key}: give {word!r} as column=value.")
        values |= {column: value} if equals else {model.key[0]: word}
    return values


def _typed(model: Model, column: str, value: str) -> object:
    kind = model.columns[column]
    try:
        return kind_of(kind).parse(value, model.timezone)
    except ValueError as error:
        raise ErasureError(f"{model.name}: {column!r} is of kind {kind}; {value!r} is not a valid value.") from error


def _conditions(
    lake: Lake, model: Model, values_as_text: dict[str, str], typed_values: dict[str, object]
) -> dict[str, list[dict[str, object]]]:
    """The values by stored column that rows to erase have, for each table; one condition for each form of the row id.

    A table without one of the columns has no such rows.
    """
    conditions: dict[str, list[dict[str, object]]] = {}
    for table in _KEPT:
        schema = lake.schema(model.name, table)
        if schema is None:
            continue
        columns = {stored(name): value for name, value in typed_values.items()}
        if set(columns) <= set(schema.names):
            conditions[table] = [columns]
        elif "_id" in schema.names and set(values_as_text) == set(model.key):
            key = [values_as_text[name] for name in model.key]
            ids = [row_id(key), *([] if is_escaped(plain(key), len(key)) else [plain(key)])]
            conditions[table] = [{"_id": row} for row in ids]
    return conditions


def _trained_on(stores: Stores, model: Model, wanted: dict[str, object]) -> tuple[list[str], list[str]]:
    """The versions that were trained on such rows, and those whose training rows can no longer be read."""
    trained, unread = [], []
    for version in reversed(stores.registry.versions(model.name)):
        try:
            if _was_trained_on(stores.lake, model, version, wanted):
                trained.append(version.number)
        except LakeError:
            unread.append(version.number)
    return trained, unread


def _was_trained_on(lake: Lake, model: Model, version: Version, wanted: dict[str, object]) -> bool:
    if not version.recorded:
        return False
    return Snapshot.of(lake, model, version).matching(recipe.split_of(version), wanted) > 0
