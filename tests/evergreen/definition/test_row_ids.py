"""Ids of rows: a frame and the lake's SQL give the same."""

import duckdb
import pandas as pd
import pytest

from evergreen import row_id
from evergreen.definition import row_ids

ROWS = pd.DataFrame(
    {
        "at": pd.to_datetime(["2026-04-01", "2026-04-01T02:00:00.250+02:00"], format="ISO8601", utc=True),
        "store": [7.0, 0.1],
        "n": [7, -1],
        "code": ["a|b", "c\\"],
        "new": [True, False],
    }
)


@pytest.mark.parametrize("key", ["at", "store", "n", "code", "new", ["at", "store", "n", "code", "new"]])
def test_a_key_of_any_kind_gives_the_ids_of_the_lake(toy, key):
    model = toy(
        key=key,
        features={"store": "number", "x": "number"},
        extra={"n": "integer", "code": "category", "new": "boolean"},
        slices=[],
    )
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("landed", ROWS)
        landed = connection.sql(f"SELECT {row_id.sql(model.key)} FROM landed").fetchall()
    assert row_ids.ids(model, ROWS) == [row for (row,) in landed]
