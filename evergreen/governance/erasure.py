"""Erasure: delete a person's rows from every store, and record the deletion without their values."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape

import pandas as pd

from evergreen.definition import row_ids
from evergreen.definition.disclosure import without_old_examples
from evergreen.definition.kinds.register import kind_of
from evergreen.definition.model import Model
from evergreen.errors import ErasureError, LakeError
from evergreen.governance import artifact_erasure, home_erasure, learnt_rows
from evergreen.ingestion import erased_rows
from evergreen.ingestion.quarantine import Entry
from evergreen.lake import audit_log, maintenance
from evergreen.lake.lake import LABELS, PREDICTIONS, PROFILES, ROWS, SERVED, Lake
from evergreen.registry.version import Version
from evergreen.row_id import is_escaped, row_id, unescaped
from evergreen.settings import Settings, secret
from evergreen.sql import any_of, column, columns, equal, stored
from evergreen.stores import Stores
from evergreen.time_units import unit_start
from evergreen.training import recipe
from evergreen.training.snapshot import Snapshot

_BY_ROW = (PREDICTIONS, SERVED, LABELS)
Conditions = list[dict[str, object]]


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
    left : list of str
        What holds the rows and is out of reach, a sentence each.
    """

    model: str
    rows: dict[str, int]
    versions: list[str]
    unknown: list[str]
    left: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Request:
    """The rows to erase.

    Attributes
    ----------
    model : Model
    as_text, typed : dict of column to value
        What the rows have, as it was given and by the column's kind.
    found : DataFrame
        The rows of the lake's table, with the declared columns.
    ids : list of str
        Of these rows, and of those in quarantine; the one that is asked for if the values are a key.
    """

    model: Model
    as_text: dict[str, str]
    typed: dict[str, object]
    found: pd.DataFrame
    ids: list[str]

    @property
    def logged_ids(self) -> Conditions:
        """The ids in every form that a log can have them in."""
        plainly = (unescaped(row) for row in self.ids)
        extra = [] if len(self.model.key) == 1 else [row for row in plainly if not is_escaped(row, len(self.model.key))]
        return [{"_id": row} for row in dict.fromkeys([*self.ids, *extra])]

    @property
    def keys(self) -> Conditions:
        """The rows' keys, by stored name."""
        if self.found.empty:
            return []
        records = self.found[self.model.key].drop_duplicates().to_dict("records")
        return [{stored(str(name)): _plain(value) for name, value in record.items()} for record in records]

    @property
    def held(self) -> list[dict[str, str]]:
        """What rows in quarantine have: the values that were asked for, or the key of a row of the table, as text."""
        keys = [] if self.found.empty else self.found[self.model.key].drop_duplicates().astype("str").to_dict("records")
        return [self.as_text, *({str(name): str(value) for name, value in key.items()} for key in keys)]

    @property
    def units(self) -> Conditions:
        """The units of the profiles that count the rows."""
        if self.found.empty:
            return []
        units = {unit_start(time, self.model.monitoring.unit) for time in self.found[self.model.time].dropna()}
        return [{"unit": unit.to_pydatetime()} for unit in sorted(units)]


def erase(
    stores: Stores,
    model: Model,
    values_as_text: dict[str, str],
    reason: str,
    at: pd.Timestamp,
    by: str = "",
    page: Callable[[Entry], str] | None = None,
) -> Erased:
    """Delete a person's rows from every store with its history; repeating it finds nothing.

    The table of rows comes last: it tells what else belongs to them, to a repeated call too.

    Parameters
    ----------
    stores : Stores
    model : Model
    values_as_text : dict of column to value
        The rows that match all of these values; what is kept about these rows elsewhere matches by their ids.
    reason : str
        For the record, such as the number of the request; the values themselves are not kept.
    at : Timestamp
    by : str, optional
    page : callable, optional
        Makes the page of an entry in quarantine whose rows are erased; by default it says where to look.

    Raises
    ------
    ErasureError
        A column is not declared, or a value is not of its kind.
    LakeError
        A table cannot be written; what was erased stays erased, and the same call again continues.
    RegistryError
        What is stored with versions cannot be read or written; likewise.
    """
    unknown = sorted(set(values_as_text) - set(model.columns))
    if unknown or not values_as_text:
        raise ErasureError(f"{model.name} declares no column {unknown}; name some of {sorted(model.columns)}.")
    lake, quarantine = stores.lake, stores.quarantine
    request = _requested(stores, model, values_as_text)
    versions, unread = _trained_on(stores, request)
    conditions_by_table = _conditions(lake, request)
    rows = {
        table: maintenance.count_matching(lake, model, table, conditions) if conditions else 0
        for table, conditions in conditions_by_table.items()
        if table != PROFILES
    }
    rows["quarantine"] = sum(map(len, quarantine.matching(model.name, request.held)))
    left = _left(lake, model, conditions_by_table)
    numbers = [version.number for version in versions]
    detail = {"rows": rows, "versions": numbers, "reason": reason, "moment": at.isoformat(), "remembered": True}
    audit_log.write(lake, model.name, "deletion", "rows", at, by=by, detail=detail)
    left += _erase_artifacts(stores, request, [*versions, *unread])
    quarantine.keep_erased(model.name, erased_rows.hashed(request.ids))
    quarantine.erase(model.name, request.held, page or _bare_page)
    for table, conditions in conditions_by_table.items():
        if conditions:
            lake.erase(model, table, conditions)
    return Erased(model.name, rows, numbers, [version.number for version in unread], left)


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


def _requested(stores: Stores, model: Model, values_as_text: dict[str, str]) -> _Request:
    typed = {name: _typed(model, name, value) for name, value in values_as_text.items()}
    found = pd.DataFrame()
    if stores.lake.exists(model.name) and set(typed) <= set(known := stores.lake.columns(model.name)):
        where, bounds = equal({stored(name): value for name, value in typed.items()})
        names = [name for name in model.columns if name in known]
        found = stores.lake.query(model, f"SELECT {columns(names)} FROM {ROWS} WHERE {where}", bounds)
    ids = []
    if set(values_as_text) == set(model.key):
        asked = pd.DataFrame({name: [typed[name]] for name in model.key})
        ids = [row_id([values_as_text[name] for name in model.key]), *row_ids.ids(model, asked)]
    for rows in (found, *stores.quarantine.matching(model.name, [values_as_text])):
        ids += learnt_rows.ids(model, rows)
    if set(model.key) <= set(found.columns):
        ids += row_ids.ids(model, found)
    return _Request(model, values_as_text, typed, found, list(dict.fromkeys(ids)))


def _conditions(lake: Lake, request: _Request) -> dict[str, Conditions]:
    """The conditions that rows to erase meet, by table, the table of rows last."""
    conditions: dict[str, Conditions] = {}
    asked: dict[str, object] = {stored(name): value for name, value in request.typed.items()}
    for table in (*_BY_ROW, PROFILES, ROWS):
        schema = lake.schema(request.model.name, table)
        if schema is None:
            continue
        own = {PREDICTIONS: request.keys, PROFILES: request.units}.get(table, request.logged_ids)
        by_values = [asked] if table != PROFILES and set(asked) <= set(schema.names) else []
        conditions[table] = by_values if table == ROWS else [*by_values, *own]
    return conditions


def _left(lake: Lake, model: Model, conditions_by_table: dict[str, Conditions]) -> list[str]:
    """What is out of reach: lines of the audit log that an earlier release wrote, files that a batch scoring wrote."""
    lines = [line for line in audit_log.read(lake, model.name) if without_old_examples(line.detail) != line.detail]
    old = f"{len(lines):,} of the audit log's lines were written by an earlier release with examples of rows; the log "
    left = [f"{old}is chained, so they stay."] if lines else []
    return left + _scored(lake, model, conditions_by_table)


def _scored(lake: Lake, model: Model, conditions_by_table: dict[str, Conditions]) -> list[str]:
    if not conditions_by_table.get(SERVED):
        return []
    where, bounds = any_of(conditions_by_table[SERVED])
    sql = f"SELECT count(*) AS n FROM {SERVED} WHERE \"_role\" = 'batch' AND ({where})"
    scored = int(lake.query(model, sql, bounds, tables=[SERVED])["n"][0])
    return [f"{scored:,} predictions of these rows were also written to files by `evergreen score`."] if scored else []


def _erase_artifacts(stores: Stores, request: _Request, versions: Sequence[Version]) -> list[str]:
    home, model = Settings.read().home, request.model
    values = _only_theirs(stores.lake, request)
    left = artifact_erasure.erase(stores.registry, model, list(versions), values, request.found)
    home_erasure.erase(home, model.name, artifact_erasure.row_texts(request.found, list(model.features)))
    return left


def _only_theirs(lake: Lake, request: _Request) -> artifact_erasure.Values:
    """The values of the rows that no remaining row has, by column: numbers as they are counted, others as text."""
    values: artifact_erasure.Values = {}
    for name, kind in request.model.columns.items():
        if name not in request.found or kind_of(kind).name == "text":
            continue
        counted = request.found[name].dropna().value_counts()
        sql = (
            f"SELECT {column(name)} AS v, count(*) AS n FROM {ROWS} WHERE list_contains($v, {column(name)}) GROUP BY 1"
        )
        asked = [_plain(value) for value in counted.index]
        everywhere = lake.query(request.model, sql, {"v": asked}) if asked else pd.DataFrame({"v": [], "n": []})
        rest = {
            value for value, rows in zip(everywhere["v"], everywhere["n"], strict=True) if rows > counted.get(value, 0)
        }
        own = pd.Series([value for value in counted.index if value not in rest], dtype=request.found[name].dtype)
        binned = kind_of(kind).categories(own) if kind_of(kind).bins == "category" else kind_of(kind).numbers(own)
        values[name] = set(binned)
    return values


def _plain(value: object) -> object:
    """A value as a query takes it."""
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime()
    return value.item() if hasattr(value, "item") else value


def _bare_page(entry: Entry) -> str:
    command = f"evergreen quarantine show {entry.model} {entry.batch}"
    return f"<!doctype html><title>erased</title><p>Rows of this batch were erased. See <code>{escape(command)}</code>."


def _trained_on(stores: Stores, request: _Request) -> tuple[list[Version], list[Version]]:
    """The versions that were trained on such rows, and those of which it cannot be said any more."""
    trained, unread = [], []
    for version in reversed(stores.registry.versions(request.model.name)):
        learnt = _was_trained_on(stores, request, version)
        if learnt is None:
            unread.append(version)
        elif learnt:
            trained.append(version)
    return trained, unread


def _was_trained_on(stores: Stores, request: _Request, version: Version) -> bool | None:
    """By the rows themselves; where they cannot be read any more by the hashes of their ids."""
    if not version.recorded:
        return False
    try:
        snapshot = Snapshot.of(stores.lake, request.model, version)
        return snapshot.matching(recipe.split_of(version), request.typed) > 0
    except LakeError:
        text = stores.registry.text(version, learnt_rows.ARTIFACT)
        return learnt_rows.holds(text, request.ids, secret()) if text and request.ids else None
