"""Served: what the prediction service answered, and what became of it, as the lake keeps both."""

import itertools
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
import pandas as pd

from evergreen.definition.kinds.table import kind_of
from evergreen.definition.sources import Declared, Tables
from evergreen.lake.lake import LABELS, SERVED, Lake
from evergreen.lake.request_fields import FIELDS, moments

if TYPE_CHECKING:
    import pyarrow as pa


Head = dict[str, Any]
Line = dict[str, Any]


def land(lake: Lake, model: str, lines: Iterable[tuple[Line, Head]], app: str, number: int, now: datetime) -> None:
    """Append a model's answered predictions and labels to their tables, once, however often it is tried.

    Parameters
    ----------
    lake : Lake
    model : str
    lines : iterable of (line, head)
        Of one segment of the log: columns of values, and what is to be known of them.
    app, number : str, int
        Who wrote the segment, and its number, which is above those of all before it.
    now : datetime
        Kept with each row as ``_landed``.

    Raises
    ------
    LakeError
        A table cannot be written.
    """
    import pyarrow as pa

    found: dict[str, list[pa.Table]] = {SERVED: [], LABELS: []}
    for _, group in itertools.groupby(sorted(lines, key=_name), key=_name):
        pairs = list(group)
        head, some = pairs[0][1], [line for line, _ in pairs]
        table = LABELS if head.get("table") == LABELS else SERVED
        found[table].append(labels(some) if table == LABELS else answers(some, head))
    for table, parts in found.items():
        if parts:
            rows = _beside_others(pa.concat_tables(parts, promote_options="default"), lake.schema(model, table))
            landed = pa.array([now] * len(rows), pa.timestamp("us", tz="UTC"))
            lake.append(model, table, rows.append_column("_landed", landed), once=(app, number))


def _beside_others(rows: "pa.Table", kept: "pa.Schema | None") -> "pa.Table":
    """Columns that the table has by another type get a name of their own: a kind that changed stops no log."""
    types = {} if kept is None else {field.name: field.type for field in kept}
    other = [field for field in rows.schema if types.get(field.name, field.type) != field.type]
    return rows.rename_columns({field.name: f"{field.name} as {field.type}" for field in other}) if other else rows


def read(lake: Tables, model: Declared, since: pd.Timestamp, until: pd.Timestamp) -> pd.DataFrame:
    """The rows of which an answer or a label landed in ``[since, until)``, with what is known of them now.

    Returns
    -------
    DataFrame
        Columns as the source `evergreen.Served` gives them; of an id the newest answer and the newest label.
    """
    known = lake.exists(model.name, LABELS)
    newest = f'(SELECT * FROM {LABELS} QUALIFY row_number() OVER (PARTITION BY "_id" ORDER BY "_arrived" DESC) = 1)'  # noqa: S608
    none = 'SELECT \'\' AS "_id", \'null\' AS "_value", now() AS "_known", now() AS "_landed" WHERE false'
    sql = f"""
        SELECT answered.*, labelled."_value", labelled."_known" FROM (
            SELECT * FROM {SERVED} WHERE "_role" IN ('champion', 'canary')
            QUALIFY row_number() OVER (PARTITION BY "_id" ORDER BY "_time" DESC) = 1
        ) AS answered LEFT JOIN ({newest if known else none}) AS labelled USING ("_id")
        WHERE (answered."_landed" >= $since AND answered."_landed" < $until)
           OR (labelled."_landed" >= $since AND labelled."_landed" < $until)
        ORDER BY "_time", "_id"
    """  # noqa: S608
    bounds = {"since": since.to_pydatetime(), "until": until.to_pydatetime()}
    rows = lake.query(model, sql, bounds, tables=[SERVED, LABELS] if known else [SERVED])
    asked = rows["asked_at"].fillna(rows["_time"]) if "asked_at" in rows else rows["_time"]
    values = [None if value is None or pd.isna(value) else orjson.loads(value) for value in rows["_value"]]
    given = {
        "id": rows["_id"],
        "asked_at": asked,
        "labelled_at": rows["_known"],
        model.target: pd.Series(values, dtype="object"),
    }
    sent = [name for name in rows.columns if not name.startswith("_") and name not in given]
    return pd.DataFrame({name: rows[name] for name in sent} | given)


def _name(pair: tuple[Line, Head]) -> str:
    return str(pair[1]["head"])


def answers(lines: list[Line], head: Head) -> "pa.Table":
    """What one version answered, a row a prediction.

    Returns
    -------
    pyarrow.Table
        ``_id``, ``_version``, ``_role``, ``_answers`` (the number, or the probabilities of the version's
        classes in their order), the columns of `evergreen.lake.request_fields`, then every column that was
        sent, by its kind.
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
            one for line in lines for one in line["beside"].get(name) or itertools.repeat(None, len(line["ids"]))
        )
    kinds = head["features"] | head["beside"]
    return pa.table(columns | {name: _column(values, kinds[name], head["timezone"]) for name, values in sent.items()})


def labels(lines: list[Line]) -> "pa.Table":
    """What became of what was asked, a row a label.

    Returns
    -------
    pyarrow.Table
        ``_id``, ``_known`` (when the label became known), ``_arrived`` (when it came here), ``_value``
        (as JSON). Of the labels of one id, that which came last holds.
    """
    import pyarrow as pa

    arrived = [line["arrived"] for line in lines for _ in line["ids"]]
    known = [came if at is None else at for at, came in zip(_joined(lines, "known"), arrived, strict=True)]
    values = [orjson.dumps(value).decode() for value in _joined(lines, "values")]
    return pa.table(
        {
            "_id": pa.array(_joined(lines, "ids"), pa.string()),
            "_known": moments(known),
            "_arrived": moments(arrived),
            "_value": pa.array(values, pa.string()),
        }
    )


def _joined(lines: list[Line], name: str) -> list[Any]:
    return list(itertools.chain.from_iterable(line[name] for line in lines))


def _column(values: Iterable[Any], kind: str, timezone: str) -> "pa.Array":
    import pyarrow as pa

    column_kind = kind_of(kind)
    return pa.array([column_kind.logged(value, timezone) for value in values], column_kind.arrow)
