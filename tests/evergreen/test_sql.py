"""Names in SQL: every one is quoted in one place, and a user's are kept apart from Evergreen's own."""

import re
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.lake.arrow import OWN, name_within, names_within
from evergreen.sql import column, columns, declared, is_escaped, literal, quoted, stored

ROOT = Path(__file__).parents[2]
OURS = {name for names in OWN.values() for name in names}
NAME = st.text(
    st.sampled_from("_abQ\"' .$") | st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1
)


@given(
    NAME | st.sampled_from(sorted(OURS)).flatmap(lambda name: st.sampled_from([name, name.title(), f"_user:{name}"]))
)
def test_a_declared_column_is_stored_under_a_name_that_is_none_of_ours_and_is_read_back(name):
    assert declared(stored(name)) == name
    assert stored(name).casefold() not in OURS
    assert name_within("rows", names_within("rows", [stored(name), "_batch"]), stored(name)) == stored(name)


@pytest.mark.parametrize(
    ("table", "name", "read"),
    [
        ("rows", "_foo", "_user:_foo"),
        ("rows", "_version", "_user:_version"),
        ("rows", "_batch", "_batch"),
        ("rows", "_Batch", "_user:_Batch"),
        ("rows", "_user:_foo", "_user:_foo"),
        ("predictions", "_batch", "_user:_batch"),
        ("predictions", "_version", "_version"),
        ("served", "_other:x as string", "_other:x as string"),
        ("profiles", "_foo", "_foo"),
    ],
)
def test_a_table_of_before_is_read_by_the_names_of_now_and_keeps_its_own(table, name, read):
    assert names_within(table, [name, "x"]) == [read, "x"]
    assert name_within(table, [name, "x"], read) == name


@given(NAME)
def test_duckdb_reads_a_quoted_name_and_a_literal_as_they_are(name):
    relation = duckdb.sql(f"SELECT {literal(name)} AS {quoted(name)}")
    assert (relation.columns, relation.fetchall()) == ([name], [(name,)])


def test_columns_are_listed_once():
    assert columns(["a", "_b", "a"], "t") == 't."a", t."_user:_b"'
    assert (column("a"), is_escaped("_b"), is_escaped(stored("_b"))) == ('"a"', False, True)


def test_no_sql_quotes_a_name_by_hand():
    """An f-string that puts quotation marks round a value breaks on a name that holds one."""
    by_hand = re.compile(r"""(?:^|[\s.'])\\?"\{[a-z][\w.]*\}\\?\"""")
    sources = [path for part in ("evergreen", "tasks", "flows", "benchmarks") for path in ROOT.glob(f"{part}/**/*.py")]
    sql = [path for path in sources if path.name != "template.py"]  # which writes Python
    lines = [(path, line.strip()) for path in sql for line in path.read_text().splitlines()]
    assert [(path.name, line) for path, line in lines if by_hand.search(line)] == []
