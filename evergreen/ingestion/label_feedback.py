"""Label feedback: labels that callers sent to the service for rows that the lake has from another source."""

from typing import TYPE_CHECKING

import orjson
import pandas as pd

from evergreen.definition.kinds.register import kind_of
from evergreen.definition.sources import BEFORE_ANY_ROW
from evergreen.frames import with_columns
from evergreen.ingestion.sources.served import Served
from evergreen.lake.arrow import positions
from evergreen.lake.lake import LABELS, ROWS, Lake
from evergreen.row_id import matches
from evergreen.sql import RESERVED, column, columns, same, stored

if TYPE_CHECKING:
    from evergreen.definition.model import Model

_VALUE, _ROW = f"{RESERVED}value", f"{RESERVED}row"
FEEDBACK = "evergreen.labels"  # the application id whose transaction version is the watermark of label feedback
_LATE = pd.Timedelta(minutes=10)  # a commit can become visible later than its timestamp


def exists(lake: Lake, model: "Model") -> bool:
    """Whether there is label feedback for rows of another source; `Served` reads labels with its rows."""
    return not isinstance(model.source, Served) and lake.exists(model.name, LABELS) and lake.exists(model.name)


def since(*marks: pd.Timestamp | None) -> pd.Timestamp:
    """The time from which label feedback has not been applied, by the watermarks of lake and quarantine."""
    known = [mark for mark in marks if mark is not None]
    return max(known) - _LATE if known else BEFORE_ANY_ROW


def corrected(lake: Lake, model: "Model", since: pd.Timestamp, until: pd.Timestamp) -> pd.DataFrame:
    """The rows that label feedback changes, with the target as sent and the time at which it became known.

    The label received last for an id wins, effective at its latest `known_at`. If the source has a label time,
    the newer of both labels wins; else the one that was sent.

    Parameters
    ----------
    lake : Lake
    model : Model
    since, until : Timestamp
        When the label, or its row if that arrived later, reached the lake.

    Returns
    -------
    DataFrame
        The declared columns.
    """
    stored_columns = lake.columns(model.name)
    plain = [name for name in model.columns if name not in label_columns(model)]
    row_columns = [column(name, ROWS) if name in stored_columns else f"NULL AS {column(name)}" for name in plain]
    label_time = [f'said."_known" AS {column(model.label_time)}'] if model.label_time else []
    when = f' OR {column(model.label_time, ROWS)} IS DISTINCT FROM said."_known"' if model.label_time else ""
    typed, label = _typed(model), column(model.target, ROWS)
    sql = f"""
        SELECT {", ".join([*row_columns, *label_time])}, said."_value" AS "{_VALUE}" FROM {ROWS}
        JOIN {_latest_feedback(model)}
        WHERE (said."_landed" >= $since OR rows."_arrived" >= $since) AND {_newer(model, ROWS)}
        AND ({label} IS DISTINCT FROM {typed} OR ({typed} IS NULL AND said."_value" <> 'null'){when})
        ORDER BY {columns([model.time, *model.key], ROWS)}
    """
    bounds = {"since": since.to_pydatetime(), "until": until.to_pydatetime()}
    corrections = lake.query(model, sql, bounds, tables=[ROWS, LABELS])
    values = pd.Series([orjson.loads(value) for value in corrections[_VALUE]], index=corrections.index, dtype="object")
    return with_columns(corrections, {model.target: values})[list(model.columns)]


def label_columns(model: "Model") -> list[str]:
    """The columns of a row's label."""
    return [*([model.label_time] if model.label_time else []), model.target]


def with_stored_feedback(lake: Lake, model: "Model", rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the source, with the label feedback that the lake already has for them, where it is the newer label.

    A source that is read again can give a row without the label that was sent.
    """
    if rows.empty or not exists(lake, model):
        return rows
    import pyarrow as pa

    first, label = model.key[0], label_columns(model)
    stored_label = column(model.target, ROWS)
    sql = f"""
        SELECT given."_row" AS "{_ROW}", {columns(label, ROWS)}
        FROM given JOIN {ROWS} ON {same(model.key, "given", ROWS)} JOIN {_latest_feedback(model)}
        WHERE {column(first, ROWS)} BETWEEN $low AND $high AND {_newer(model, "given")}
        AND ({stored_label} = {_typed(model)} OR ({stored_label} IS NULL AND said."_value" = 'null'))
        ORDER BY given."_row"
    """
    low, high = rows[first].agg(["min", "max"]).tolist()
    bounds = {"low": low, "high": high, "until": pd.Timestamp.max.tz_localize("UTC").floor("s").to_pydatetime()}
    keys_and_labels = pa.Table.from_pandas(rows[list(dict.fromkeys([*model.key, *label]))], preserve_index=False)
    keys_and_labels = keys_and_labels.rename_columns([stored(name) for name in keys_and_labels.column_names])
    beside = {"given": keys_and_labels.append_column("_row", positions(len(rows)))}
    labels = lake.query(model, sql, bounds, tables=[ROWS, LABELS], beside=beside).set_index(_ROW)
    ours = rows.reset_index(drop=True)
    for name in label:
        ours.loc[labels.index, name] = labels[name].astype(ours[name].dtype)
    return ours


_LATEST_FEEDBACK = f"""(
    SELECT *, max("_known") OVER (PARTITION BY "_id") AS "_said" FROM {LABELS} WHERE "_landed" < $until
    QUALIFY row_number() OVER (PARTITION BY "_id" ORDER BY "_arrived" DESC, "_known" DESC) = 1
) AS said"""


def _latest_feedback(model: "Model") -> str:
    """The latest label feedback for each row as SQL, with its join to the table of rows.

    With a key of several columns, one row can have two ids: from before and after key parts were escaped.
    """
    match = matches('said."_id"', model.key, ROWS)
    if len(model.key) == 1:
        return f"{_LATEST_FEEDBACK} ON {match}"
    key = columns(model.key, ROWS)
    return f"""(
        SELECT {key}, said.* FROM {ROWS} JOIN {_LATEST_FEEDBACK} ON {match}
        QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY said."_arrived" DESC, said."_known" DESC) = 1
    ) AS said ON {same(model.key, "said", ROWS)}"""


def _typed(model: "Model") -> str:
    assert model.target_kind is not None
    return kind_of(model.target_kind).label_sql('said."_value"')


def _newer(model: "Model", beside: str) -> str:
    """The SQL condition that the label feedback is newer than the row's label."""
    if not model.label_time:
        return "true"
    known, label = column(model.label_time, beside), column(model.target, beside)
    return f'({label} IS NULL OR {known} IS NULL OR {known} <= said."_said")'
