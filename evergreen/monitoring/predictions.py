"""Predictions: what the champion answered for each row, kept by key until its label comes."""

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


def unanswered(
    lake: Lake, model: "Model", since: pd.Timestamp, until: pd.Timestamp, also: Sequence[str] = ()
) -> pd.DataFrame:
    """The rows with time in ``[since, until)`` that nobody has answered yet, ordered by time and key.

    Parameters
    ----------
    lake : Lake
    model : Model
    since, until : Timestamp
    also : sequence of str
        Columns beside the features, as far as the table has them.

    Returns
    -------
    DataFrame
        Keys, time and features, as they are now in the table.
    """
    kept = lake.columns(model.name) if also else []
    wanted = columns([*model.key, model.time, *model.features, *(one for one in also if one in kept)])
    known, period = lake.exists(model.name, PREDICTIONS), within(model.time)
    sql = f"""
        SELECT {wanted} FROM (SELECT * FROM {ROWS} WHERE {period}) {_without_predicted(model) if known else ""}
        ORDER BY {columns([model.time, *model.key])}
    """
    bounds = {"since": since.to_pydatetime(), "until": until.to_pydatetime()}
    return lake.query(model, sql, bounds, tables=[ROWS, PREDICTIONS] if known else [ROWS])


def answer(model: "Model", estimator: Any, rows: pd.DataFrame, version: str, as_of: pd.Timestamp) -> "pa.Table":
    """Predict rows, in the form that the lake keeps.

    Returns
    -------
    pyarrow.Table
        Keys, time, ``_version``, ``_answered`` (when), and ``_answers``: the number, or the
        probabilities of the version's classes in their order.
    """
    made = fitting.predict(model, estimator, rows) if len(rows) else np.zeros((0, 1))
    answers = made.reshape(len(made), made.size // max(len(made), 1)).tolist()
    return _table(model, rows, [version] * len(rows), answers, as_of)


def logged(lake: Lake, model: "Model", since: pd.Timestamp, until: pd.Timestamp) -> "pa.Table | None":
    """What the service really answered for rows that have no answer here yet, in the form of `answer`.

    Returns
    -------
    pyarrow.Table or None
        None where nothing was served. An id of the service is that of the row: `evergreen.row_id`.
    """
    if not lake.exists(model.name, SERVED):
        return None
    known, period = lake.exists(model.name, PREDICTIONS), within(model.time)
    row, key = columns([*model.key, model.time]), columns(model.key, "asked")
    sql = f"""
        SELECT {columns([*model.key, model.time], "asked")},
            answered."_version" AS "{_VERSION}", answered."_answers" AS "{_ANSWERS}" FROM (
            SELECT {row} FROM (SELECT * FROM {ROWS} WHERE {period}) {_without_predicted(model) if known else ""}
        ) AS asked JOIN (
            SELECT "_id", "_time", "_version", "_answers" FROM {SERVED} WHERE "_role" IN ('champion', 'canary')
            QUALIFY row_number() OVER (PARTITION BY "_id" ORDER BY "_time" DESC) = 1
        ) AS answered ON {matches('answered."_id"', model.key, "asked")}
        QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY answered."_time" DESC) = 1
        ORDER BY {columns([model.time, *model.key], "asked")}
    """
    bounds = {"since": since.to_pydatetime(), "until": until.to_pydatetime()}
    rows = lake.query(model, sql, bounds, tables=[ROWS, SERVED, *([PREDICTIONS] if known else [])])
    answers = [list(one) for one in rows[_ANSWERS]]
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
    kept = pa.Table.from_pandas(rows[names], preserve_index=False).rename_columns([stored(name) for name in names])
    moments = pa.timestamp("us", tz="UTC")
    columns = {
        "_version": pa.array(versions, pa.string()),
        "_answered": pa.array([as_of.to_pydatetime()] * len(rows), moments),
        "_answers": pa.array(answers, pa.list_(pa.float64())),
    }
    place = names.index(model.time)
    kept = kept.set_column(place, stored(model.time), kept.column(place).cast(moments))
    for name, values in columns.items():
        kept = kept.append_column(name, values)
    return kept
