"""Predictions: what the champion answered for each row, kept by key until its label comes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from evergreen import fitting
from evergreen.lake import PREDICTIONS, ROWS, Lake

if TYPE_CHECKING:
    import pyarrow as pa

    from evergreen.model import Model


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
    import pyarrow as pa

    made = fitting.predict(model, estimator, rows) if len(rows) else np.zeros((0, 1))
    kept = pa.Table.from_pandas(rows[[*model.key, model.time]], preserve_index=False)
    moments = pa.timestamp("us", tz="UTC")
    columns = {
        "_version": pa.array([version] * len(rows), pa.string()),
        "_answered": pa.array([as_of.to_pydatetime()] * len(rows), moments),
        "_answers": pa.array(made.reshape(len(made), made.size // max(len(made), 1)).tolist(), pa.list_(pa.float64())),
    }
    place = kept.schema.get_field_index(model.time)
    kept = kept.set_column(place, model.time, kept.column(place).cast(moments))
    for name, values in columns.items():
        kept = kept.append_column(name, values)
    return kept
