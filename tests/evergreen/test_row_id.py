"""The id of a row: no two keys share one, Python and SQL agree, and an id of before is still found."""

import duckdb
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from evergreen import row_id

ANY = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
PART = st.text(st.sampled_from("|\\a'\"\n %ü1") | ANY, max_size=6)
KEY = st.integers(1, 3).flatmap(lambda parts: st.tuples(*[PART] * parts))
KEYS = st.integers(2, 3).flatmap(lambda parts: st.lists(st.tuples(*[PART] * parts), min_size=1, max_size=6))
NAMES = ["_id", 'he"ight', "x'y"]


@pytest.fixture(scope="module")
def connection():
    return duckdb.connect()


def table(keys):
    columns = {row_id.column(name): [key[place] for key in keys] for place, name in enumerate(NAMES[: len(keys[0])])}
    return pa.table({name[1:-1].replace('""', '"'): pa.array(values, pa.string()) for name, values in columns.items()})


@given(KEY, KEY)
def test_two_keys_of_as_many_columns_never_share_an_id(one, other):
    assume(len(one) == len(other))
    assert (row_id.row_id(one) == row_id.row_id(other)) == (one == other)


@given(KEY)
def test_a_key_of_one_column_is_its_own_id_and_an_escaped_id_is_known_for_one(key):
    id_ = row_id.row_id(key)
    assert row_id.is_escaped(id_, len(key))
    assert len(key) > 1 or id_ == key[0]
    assert len(key) == 1 or row_id.unescaped(id_) == row_id.plain(key)


@given(keys=KEYS)
def test_sql_makes_the_same_ids(connection, keys):
    names = NAMES[: len(keys[0])]
    connection.register("rows", table(keys))
    ids = connection.sql(f"SELECT {row_id.sql(names, 'rows')}, {row_id.plain_sql(names, 'rows')} FROM rows").fetchall()
    assert ids == [(row_id.row_id(key), row_id.plain(key)) for key in keys]


@given(keys=KEYS)
def test_a_row_is_found_by_its_id_and_by_the_one_of_before(connection, keys):
    """An id of before that is now the id of another row is that row's alone."""
    keys, names = sorted(set(keys)), NAMES[: len(keys[0])]
    texts = sorted({form(key) for key in keys for form in (row_id.row_id, row_id.plain)})
    connection.register("rows", table(keys))
    connection.register("log", pa.table({"_id": pa.array(texts, pa.string())}))
    match = row_id.matches('log."_id"', names, "rows")
    listed = ", ".join(row_id.column(name, "rows") for name in names)
    ids = set(connection.sql(f'SELECT log."_id", {listed} FROM log JOIN rows ON {match}').fetchall())
    expected = {
        (text, *key)
        for text in texts
        for key in keys
        if text == row_id.row_id(key) or (text == row_id.plain(key) and not row_id.is_escaped(text, len(key)))
    }
    assert ids == expected
