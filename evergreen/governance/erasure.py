"""Erasure: a person's rows taken out of everything that keeps rows, with a record that does not hold them."""

from dataclasses import dataclass

import pandas as pd

from evergreen.definition.kinds.table import kind_of
from evergreen.definition.model import Model
from evergreen.errors import ErasureError, LakeError
from evergreen.lake import audit_log, maintenance
from evergreen.lake.lake import LABELS, PREDICTIONS, ROWS, SERVED, Lake
from evergreen.registry.version import Version
from evergreen.row_id import is_escaped, plain, row_id
from evergreen.sql import stored
from evergreen.stores import Stores
from evergreen.training import plan
from evergreen.training.snapshot import Snapshot

_KEPT = (ROWS, PREDICTIONS, SERVED, LABELS)


@dataclass(frozen=True)
class Erased:
    """What was erased.

    Attributes
    ----------
    model : str
    rows : dict of str to int
        How many, by table, and of the quarantine; 0 where there were none.
    versions : list of str
        The numbers of those that were trained on them, the oldest first; they still know what they
        have learnt, until a training without the rows takes their place.
    unknown : list of str
        Versions whose rows can no longer be read, since others were erased before.
    """

    model: str
    rows: dict[str, int]
    versions: list[str]
    unknown: list[str]


def erase(stores: Stores, model: Model, given: dict[str, str], reason: str, at: pd.Timestamp, by: str = "") -> Erased:
    """Take a person's rows out of the lake with all its history, and out of quarantine; again finds nothing.

    Parameters
    ----------
    stores : Stores
    model : Model
    given : dict of column to value
        Which rows: all that meet every one of these; of the log also those whose id is the model's key.
    reason : str
        For the record, such as the number of the request; the values themselves are not kept.
    at : Timestamp
    by : str, optional

    Raises
    ------
    ErasureError
        A column is not declared, or a value is none of its kind.
    LakeError
        A table cannot be written; what was erased before stays so, and the same again goes on.
    """
    unknown = sorted(set(given) - set(model.columns))
    if unknown or not given:
        raise ErasureError(f"{model.name} declares no column {unknown}; name some of {sorted(model.columns)}.")
    wanted = {column: _typed(model, column, value) for column, value in given.items()}
    lake, quarantine = stores.lake, stores.quarantine
    versions, unread = _taught(stores, model, wanted)
    asked = _asked(lake, model, given, wanted)
    rows = {
        table: sum(maintenance.count_matching(lake, model, table, one) for one in either)
        for table, either in asked.items()
    }
    rows["quarantine"] = quarantine.matching(model.name, given)
    told = {"rows": rows, "versions": versions, "reason": reason, "moment": at.isoformat()}
    audit_log.write(lake, model.name, "deletion", "rows", at, by=by, detail=told)
    for table, either in asked.items():
        for one in either:
            lake.erase(model, table, one)
    quarantine.erase(model.name, given)
    return Erased(model.name, rows, versions, unread)


def parsed(model: Model, words: list[str]) -> dict[str, str]:
    """Columns and values as a person gives them: ``column=value``, or the value of the only key.

    Raises
    ------
    ErasureError
        A value stands alone, and the model has several keys.
    """
    given: dict[str, str] = {}
    for word in words:
        column, equals, value = word.partition("=")
        if not equals and len(model.key) > 1:
            raise ErasureError(f"{model.name} has the keys {model.key}: say which one {word!r} is of, as column=value.")
        given |= {column: value} if equals else {model.key[0]: word}
    return given


def _typed(model: Model, column: str, value: str) -> object:
    kind = model.columns[column]
    try:
        return kind_of(kind).parse(value, model.timezone)
    except ValueError as error:
        raise ErasureError(f"{model.name}: {column!r} is a {kind}, which {value!r} is not.") from error


def _asked(
    lake: Lake, model: Model, given: dict[str, str], wanted: dict[str, object]
) -> dict[str, list[dict[str, object]]]:
    """By table, by stored names, which columns are to have which values: of a row's ids, that of now or of before.

    A table that lacks a column keeps nothing of the kind.
    """
    found: dict[str, list[dict[str, object]]] = {}
    for table in _KEPT:
        schema = lake.schema(model.name, table)
        if schema is None:
            continue
        columns = {stored(name): value for name, value in wanted.items()}
        if set(columns) <= set(schema.names):
            found[table] = [columns]
        elif "_id" in schema.names and set(given) == set(model.key):
            key = [given[name] for name in model.key]
            ids = [row_id(key), *([] if is_escaped(plain(key), len(key)) else [plain(key)])]
            found[table] = [{"_id": one} for one in ids]
    return found


def _taught(stores: Stores, model: Model, wanted: dict[str, object]) -> tuple[list[str], list[str]]:
    """The versions that were trained on such rows, and those of which nobody can tell any more."""
    taught, unread = [], []
    for version in reversed(stores.registry.versions(model.name)):
        try:
            if _learnt(stores.lake, model, version, wanted):
                taught.append(version.number)
        except LakeError:
            unread.append(version.number)
    return taught, unread


def _learnt(lake: Lake, model: Model, version: Version, wanted: dict[str, object]) -> bool:
    if not version.recorded:
        return False
    return Snapshot.of(lake, model, version).matching(plan.split_of(version), wanted) > 0
