"""Ids of rows: a frame and the lake's SQL give the same."""

import duckdb
import pandas as pd
import pytest

from evergreen import row_id
from evergreen.definition import row_ids
from evergreen.definition.kinds.register import kind_of

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


def test_a_number_that_no_float_holds_has_the_id_of_no_other():
    text = kind_of("number").key_text
    assert [str(text(value, "UTC")) for value in (7, 2**53, 2**53 + 1)] == [
        "7.0",
        "9007199254740992.0",
        "9007199254740993",
    ]
