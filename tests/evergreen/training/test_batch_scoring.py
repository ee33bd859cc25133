"""Batch scoring: a table of predictions, also of no rows."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from evergreen.training import batch_scoring


@pytest.mark.parametrize(
    ("task", "estimator", "columns"),
    [
        ("regression", LinearRegression(), ["id", "prediction", "version"]),
        ("classification", LogisticRegression(), ["id", "prediction", "probability_a", "probability_b", "version"]),
    ],
)
def test_of_no_rows_there_is_a_table_with_the_columns_and_the_estimator_is_not_asked(task, estimator, columns):
    rows = pd.DataFrame({"id": ["1", "2"], "x": [0.0, 1.0]})
    estimator.fit(rows[["x"]], np.array(["a", "b"]) if task == "classification" else rows["x"])
    model = SimpleNamespace(name="toy", task=task, key=["id"], time="at", features={"x": "number"})
    none = rows.head(0)
    predicted = batch_scoring.predictions(model, estimator, none)
    table = batch_scoring.table(model, estimator, "1", none, predicted)
    assert (list(table), len(table)) == (columns, 0)
