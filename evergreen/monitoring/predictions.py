"""The champion's prediction for each row, stored by key until its label arrives."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from evergreen.lake.lake import PREDICTIONS, ROWS, SERVED, Lake
from evergreen.row_id import matches
from evergreen.sql import RESERVED, columns, stored, within
from evergreen.training import fitting

if TYPE_CHECKING:
    import pyarrow as pa

    from evergreen.definition.model import Model

_VERSION, _ANSWERS = f"{RESERVED}version", f"{RESERVED}answers"


def without_prediction(
    lake: Lake, model: "Model", since: pd.Timestamp, until: pd.Timestamp, also: Sequence[str] = ()
) -> pd.DataFrame:
    """The rows with time in ``[since, until)`` that have no prediction yet, ordered by time and key.

    Parameters
    ----------
    lake : Lake
    model : Model
    since, until : Timestamp
    also : sequence of str
        Further columns; those that the table does not have are left out.

    Returns
    -------
    DataFrame
        Keys, time and features, as they are now in the table.
    """
    present = lake.columns(model.name) if also else []
    wanted = columns([*model.key, model.time, *model.features, *(name for name in also if name in present)])
    predicted, period = lake.exists(model.name, PREDICTIONS), within(model.time)
    sql = f"""
        SELECT {wanted} FROM (SELECT * FROM {ROWS} WHERE {period}) {_without_predicted(model) if predicted else ""}
        ORDER BY {columns([model.time, *model.key])}
    """
    bounds = {"since": since.to_pydatetime(), "until": until.to_pydatetime()}
    return lake.query(model, sql, bounds, tables=[ROWS, PREDICTIONS] if predicted else [ROWS])


def predict(model: "Model", estimator: Any, rows: pd.DataFrame, version: str, as_of: pd.Timestamp) -> "pa.Table":
    """Predict rows, in the layout of the predictions table.

    Returns
    -------
    pyarrow.Table
        Keys, time, ``_version``, ``_answered`` (when), and ``_answers``: the number, or the
        probabilities of the version's classes in their order.
    """
    predictions = fitting.predict(model, estimator, rows) if len(rows) else np.zeros((0, 1))
    answers = predictions.reshape(len(predictions), predictions.size // max(len(predictions), 1)).tolist()
    return _table(model, rows, [version] * len(rows), answers, as_of)


def logged(lake: Lake, model: "Model", since: pd.Timestamp, until: pd.Timestamp) -> "pa.Table | None":
    """The predictions that the service sent, for rows without a stored prediction, in the layout of `predict`.

    Returns
    -------
    pyarrow.Table or None
        None if nothing was served. Served ids match row ids: see `evergreen.row_id`.
    """
    if not lake.exists(model.name, SERVED):
        return None
    predicted, period = lake.exists(model.name, PREDICTIONS), within(model.time)
    row, key = columns([*model.key, model.time]), columns(model.key, "asked")
    sql = f"""
        SELECT {columns([*model.key, model.time], "asked")},
            answered."_version" AS "{_VERSION}", answered."_answers" AS "{_ANSWERS}" FROM (
            SELECT {row} FROM (SELECT * FROM {ROWS} WHERE {period}) {_without_predicted(model) if predicted else ""}
        ) AS asked JOIN (
            SELECT "_id", "_time", "_version", "_answers" FROM {SERVED} WHERE "_role" IN ('champion', 'canary')
            QUALIFY row_number() OVER (PARTITION BY "_id" ORDER BY "_time" DESC) = 1
        ) AS answered ON {matches('answered."_id"', model.key, "asked")}
        QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY answered."_time" DESC) = 1
        ORDER BY {columns([model.time, *model.key], "asked")}
    """
    bounds = {"since": since.to_pydatetime(), "until": until.to_pydatetime()}
    rows = lake.query(model, sql, bounds, tables=[ROWS, SERVED, *([PREDICTIONS] if predicted else [])])
    answers = [list(values) for values in rows[_ANSWERS]]
    return _table(model, rows, rows[_VERSION].tolist(), answers, until)


def _without_predicted(model: "Model") -> str:
    """A join that leaves out the rows of a period that have a prediction."""
    key = columns(model.key)
    return f"ANTI JOIN (SELECT {key} FROM {PREDICTIONS} WHERE {within(model.time)}) USING ({key})"


def _table(
    model: "Model", rows: pd.DataFrame, versions: list[str], answers: list[list[float]], as_of: pd.Timestamp
) -> "pa.Table":
    import pyarrow as pa

    names = list(dict.fromkeys([*model.key, model.time]))
    table = pa.Table.from_pandas(rows[names], preserve_index=False).rename_columns([stored(name) for name in names])
    timestamp = pa.timestamp("us", tz="UTC")
    columns = {
        "_version": pa.array(versions, pa.string()),
        "_answered": pa.array([as_of.to_pydatetime()] * len(rows), timestamp),
        "_answers": pa.array(answers, pa.list_(pa.float64())),
    }
    place = names.index(model.time)
    table = table.set_column(place, stored(model.time), table.column(place).cast(timestamp))
    for name, values in columns.items():
        table = table.append_column(name, values)
    return table
