"""What `label_delay` and `label_time` mean, said twice: in pandas and in SQL."""

from datetime import timedelta

import duckdb
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.definition import label_delay

NOON = pd.Timestamp("2013-01-01T12:00", tz="UTC")
HOUR = pd.Timedelta(hours=1)
hours = st.integers(0, 50)


@pytest.mark.parametrize(
    ("label_time", "known", "used"),
    [
        ("", 2, 2),  # the delay alone
        ("told", 5, 5),  # later than the delay
        ("early", 1, 2),  # known, and not used before its row is as old as the delay
    ],
)
def test_a_label_is_known_at_its_time_and_used_once_its_row_is_as_old_as_the_delay(toy, label_time, known, used):
    model = toy(label_delay=timedelta(hours=2), label_time=label_time or None)
    rows = pd.DataFrame({"at": [NOON], "told": [NOON + 5 * HOUR], "early": [NOON + HOUR]})
    assert list(label_delay.known_at(model, rows)) == [NOON + known * HOUR]
    assert list(label_delay.used_from(model, rows)) == [NOON + used * HOUR]


@given(st.lists(st.tuples(hours, st.none() | hours), min_size=1, max_size=20), hours, st.booleans())
def test_pandas_and_sql_say_the_same(toy, rows, delay, with_time):
    model = toy(label_delay=timedelta(hours=delay), label_time="told" if with_time else None)
    told = pd.Series([None if hour is None else NOON + hour * HOUR for _, hour in rows], dtype="datetime64[us, UTC]")
    frame = pd.DataFrame({"at": [NOON + hour * HOUR for hour, _ in rows], "told": told})
    given_time = frame["told"].notna() | (not with_time)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for ours, sql in [
            (label_delay.known_at(model, frame), label_delay.known_at_sql(model)),
            (label_delay.used_from(model, frame), label_delay.used_from_sql(model)),
        ]:
            found = connection.execute(f"SELECT {sql} AS t FROM frame").df()["t"]
            assert list(found[given_time]) == list(ours[given_time])
            assert found[~given_time].isna().all()
            assert ours[~given_time].isna().all()
