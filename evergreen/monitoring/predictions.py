"""Predictions: what the champion answered for each row, kept by key until its label comes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from evergreen.lake.lake import PREDICTIONS, ROWS, SERVED, Lake
from evergreen.training import fitting

if TYPE_CHECKING:
    import pyarrow as pa

    from evergreen.definition.model import Model


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
    key, time = [f'"{column}"' for column in model.key], f'"{model.time}"'
    kept = lake.columns(model.name) if also else []
    columns = [*model.features, *(one for one in also if one in kept)]
    wanted = ", ".join(dict.fromkeys([*key, time, *(f'"{column}"' for column in columns)]))
    known = lake.exists(model.name, PREDICTIONS)
    within = f"{time} >= $since AND {time} < $until"
    there = f"(SELECT {', '.join(key)} FROM {PREDICTIONS} WHERE {within})"  # noqa: S608
    answered = f"ANTI JOIN {there} USING ({', '.join(key)})" if known else ""
    sql = f"""
        SELECT {wanted} FROM (SELECT * FROM {ROWS} WHERE {within}) {answered}
        ORDER BY {", ".join([time, *key])}
    """  # noqa: S608
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
        None where nothing was served. An id of the service is the row's key, its columns joined by ``|``.
    """
    if not lake.exists(model.name, SERVED):
        return None
    key, time = [f'"{column}"' for column in model.key], f'"{model.time}"'
    known = lake.exists(model.name, PREDICTIONS)
    within = f"{time} >= $since AND {time} < $until"
    there = f"ANTI JOIN (SELECT {', '.join(key)} FROM {PREDICTIONS} WHERE {within}) USING ({', '.join(key)})"  # noqa: S608
    sql = f"""
        SELECT {", ".join([*key, f"asked.{time}"])}, answered."_version", answered."_answers" FROM (
            SELECT {", ".join([*key, time])} FROM (SELECT * FROM {ROWS} WHERE {within}) {there if known else ""}
        ) AS asked JOIN (
            SELECT "_id", "_version", "_answers" FROM {SERVED} WHERE "_role" IN ('champion', 'canary')
            QUALIFY row_number() OVER (PARTITION BY "_id" ORDER BY "_time" DESC) = 1
        ) AS answered ON answered."_id" = concat_ws('|', {", ".join(key)})
        ORDER BY {", ".join([f"asked.{time}", *key])}
    """  # noqa: S608
    bounds = {"since": since.to_pydatetime(), "until": until.to_pydatetime()}
    rows = lake.query(model, sql, bounds, tables=[ROWS, SERVED, *([PREDICTIONS] if known else [])])
    answers = [list(one) for one in rows["_answers"]]
    return _table(model, rows, rows["_version"].tolist(), answers, until)


def _table(
    model: "Model", rows: pd.DataFrame, versions: list[str], answers: list[list[float]], as_of: pd.Timestamp
) -> "pa.Table":
    import pyarrow as pa

    kept = pa.Table.from_pandas(rows[[*model.key, model.time]], preserve_index=False)
    moments = pa.timestamp("us", tz="UTC")
    columns = {
        "_version": pa.array(versions, pa.string()),
        "_answered": pa.array([as_of.to_pydatetime()] * len(rows), moments),
        "_answers": pa.array(answers, pa.list_(pa.float64())),
    }
    place = kept.schema.get_field_index(model.time)
    kept = kept.set_column(place, model.time, kept.column(place).cast(moments))
    for name, values in columns.items():
        kept = kept.append_column(name, values)
    return kept
