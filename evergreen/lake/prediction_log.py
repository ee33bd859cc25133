"""The prediction log: the predictions that the service made, and the label feedback on them, in the lake."""

import itertools
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
import pandas as pd

from evergreen import row_id
from evergreen.definition.kinds.register import kind_of
from evergreen.definition.sources import Declared, Tables
from evergreen.lake.arrow import of_other_kind
from evergreen.lake.lake import LABELS, SERVED, Lake
from evergreen.lake.request_fields import FIELDS, timestamps
from evergreen.sql import RESERVED, declared, is_escaped, quoted, stored

if TYPE_CHECKING:
    import pyarrow as pa


_IDS = (row_id.sql, row_id.plain_sql)
Head = dict[str, Any]
Line = dict[str, Any]


def land(lake: Lake, model: str, lines: Iterable[tuple[Line, Head]], app: str, number: int, now: datetime) -> None:
    """Append a model's served predictions and label feedback to their tables; a repeated call appends nothing.

    Parameters
    ----------
    lake : Lake
    model : str
    lines : iterable of (line, head)
        Of one segment of the log: columns of values, and their metadata.
    app, number : str, int
        The writer of the segment, and its number, which rises with every segment.
    now : datetime
        Kept with each row as ``_landed``.

    Raises
    ------
    LakeError
        A table cannot be written.
    """
    import pyarrow as pa

    parts_of: dict[str, list[pa.Table]] = {SERVED: [], LABELS: []}
    for _, group in itertools.groupby(sorted(lines, key=_name), key=_name):
        pairs = list(group)
        head, some = pairs[0][1], [line for line, _ in pairs]
        table = LABELS if head.get("table") == LABELS else SERVED
        parts_of[table].append(labels(some) if table == LABELS else predictions(some, head))
    for table, parts in parts_of.items():
        if parts:
            rows = _beside_others(pa.concat_tables(parts, promote_options="default"), lake.schema(model, table))
            landed = pa.array([now] * len(rows), pa.timestamp("us", tz="UTC"))
            lake.append(model, table, rows.append_column("_landed", landed), once=(app, number))


def _beside_others(rows: "pa.Table", table_schema: "pa.Schema | None") -> "pa.Table":
    """Rename columns whose type differs from the table's, so that a changed kind does not stop the log."""
    types = {} if table_schema is None else {field.name: field.type for field in table_schema}
    other = [field for field in rows.schema if types.get(field.name, field.type) != field.type]
    return (
        rows.rename_columns({field.name: of_other_kind(field.name, field.type) for field in other}) if other else rows
    )


def read(lake: Tables, model: Declared, since: pd.Timestamp, until: pd.Timestamp) -> pd.DataFrame:
    """The rows whose prediction or label landed in ``[since, until)``, with their current values.

    Returns
    -------
    DataFrame
        Columns as the source `evergreen.Served` gives them, with the newest prediction and label of each id.
    """
    has_labels, schema = lake.exists(model.name, LABELS), lake.schema(model.name, SERVED)
    sent_columns = [name for name in (schema.names if schema else []) if not name.startswith("_") or is_escaped(name)]
    # If the key was sent, it identifies the row across ids from before and after key parts were escaped.
    by_key = len(model.key) > 1 and set(map(stored, model.key)) <= set(sent_columns)
    row, before = (f'coalesce({make(model.key)}, "_id")' if by_key else '"_id"' for make in _IDS)
    parts = len(model.key) if by_key else 1
    belongs = row_id.belongs('labelled."_id"', parts, 'answered."_row"', 'answered."_before"')
    newest = f'(SELECT * FROM {LABELS} QUALIFY row_number() OVER (PARTITION BY "_id" ORDER BY "_arrived" DESC) = 1)'
    none = """SELECT '' AS "_id", 'null' AS "_value", now() AS "_known", now() AS "_landed", now() AS "_arrived"
        WHERE false"""
    sent = "".join(f", answered.{quoted(name)}" for name in sent_columns)
    ours = [f"answered.{name} AS {quoted(f'{RESERVED}{name}')}" for name in ("_id", "_time")]
    ours += [f"labelled.{name} AS {quoted(f'{RESERVED}{name}')}" for name in ("_value", "_known")]
    sql = f"""
        SELECT {", ".join(ours)}{sent} FROM (
            SELECT *, {row} AS "_row", {before} AS "_before" FROM {SERVED} WHERE "_role" IN ('champion', 'canary')
            QUALIFY row_number() OVER (PARTITION BY "_row" ORDER BY "_time" DESC) = 1
        ) AS answered LEFT JOIN ({newest if has_labels else none}) AS labelled ON {belongs}
        WHERE (answered."_landed" >= $since AND answered."_landed" < $until)
           OR (labelled."_landed" >= $since AND labelled."_landed" < $until)
        QUALIFY row_number() OVER (PARTITION BY "_row" ORDER BY labelled."_arrived" DESC NULLS LAST) = 1
        ORDER BY answered."_time", answered."_id"
    """
    bounds = {"since": since.to_pydatetime(), "until": until.to_pydatetime()}
    rows = lake.query(model, sql, bounds, tables=[SERVED, LABELS] if has_labels else [SERVED])
    time, values = rows[f"{RESERVED}_time"], rows[f"{RESERVED}_value"]
    own_columns = {
        "id": rows[f"{RESERVED}_id"],
        "asked_at": rows["asked_at"].fillna(time) if "asked_at" in rows else time,
        "labelled_at": rows[f"{RESERVED}_known"],
        model.target: pd.Series([None if pd.isna(value) else orjson.loads(value) for value in values], dtype="object"),
    }
    asked = [name for name in map(declared, sent_columns) if name not in own_columns]
    return pd.DataFrame({name: rows[name] for name in asked} | own_columns)


def _name(pair: tuple[Line, Head]) -> str:
    return str(pair[1]["head"])


def predictions(lines: list[Line], head: Head) -> "pa.Table":
    """The predictions of one version, one row each.

    Returns
    -------
    pyarrow.Table
        ``_id``, ``_version``, ``_role``, ``_answers`` (the number, or the probabilities of the version's
        classes in their order), the columns of `evergreen.lake.request_fields`, then every column that was
        sent, by its kind and stored name.
    """
    import pyarrow as pa

    ids = _joined(lines, "ids")
    columns = {
        "_id": pa.array(ids, pa.string()),
        "_version": pa.array([head["version"]] * len(ids), pa.string()),
        "_role": pa.array([head.get("role", "champion")] * len(ids), pa.string()),
        "_answers": pa.array(_joined(lines, "answers"), pa.list_(pa.float64())),
    }
    for field in FIELDS:
        values = (field.of(line, len(line["ids"])) for line in lines)
        columns[field.column] = field.arrow(list(itertools.chain.from_iterable(values)))
    sent = dict(zip(head["features"], zip(*_joined(lines, "rows"), strict=True), strict=True))
    beside = sorted({name for line in lines for name in line["beside"]})
    for name in beside:
        sent[name] = tuple(
            value for line in lines for value in line["beside"].get(name) or itertools.repeat(None, len(line["ids"]))
        )
    kinds = head["features"] | head["beside"]
    sent_arrays = {stored(name): _column(values, kinds[name], head["timezone"]) for name, values in sent.items()}
    return pa.table(columns | sent_arrays)


def labels(lines: list[Line]) -> "pa.Table":
    """The label feedback, one row each.

    Returns
    -------
    pyarrow.Table
        ``_id``, ``_known`` (when the label became known), ``_arrived`` (when it was received), ``_value``
        (as JSON). The label received last for an id wins.
    """
    import pyarrow as pa

    arrived = [line["arrived"] for line in lines for _ in line["ids"]]
    known = [received if at is None else at for at, received in zip(_joined(lines, "known"), arrived, strict=True)]
    values = [orjson.dumps(value).decode() for value in _joined(lines, "values")]
    return pa.table(
        {
            "_id": pa.array(_joined(lines, "ids"), pa.string()),
            "_known": timestamps(known),
            "_arrived": timestamps(arrived),
            "_value": pa.array(values, pa.string()),
        }
    )


def _joined(lines: list[Line], name: str) -> list[Any]:
    return list(itertools.chain.from_iterable(line[name] for line in lines))


def _column(values: Iterable[Any], kind: str, timezone: str) -> "pa.Array":
    import pyarrow as pa

    column_kind = kind_of(kind)
    return pa.array([column_kind.logged(value, timezone) for value in values], column_kind.arrow)
