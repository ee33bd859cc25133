"""Names in SQL: every one is quoted in one place, and a user's are kept apart from Evergreen's own."""

import ast
import re
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.lake.arrow import OWN, name_within, names_within
from evergreen.sql import column, columns, declared, is_escaped, literal, quoted, stored
from tests.evergreen import sql_sources

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


# Parts of SQL that `Checker` cannot follow, with the reason why no name that somebody chose is among them.
REVIEWED = {
    "drift/scan.py: sql": ["cleaned", "source"],  # made of `counted_sql(column(name))`; every caller gives a query
    "governance/erasure.py: _scored": ["where"],  # of `any_of`, which quotes
    "governance/home_erasure.py: clean_database": ["column", "changes", "unclean"],  # columns of Prefect's tables
    "governance/lineage.py: _counts": ["table"],  # a table of the lake
    "ingestion/label_maturity.py: _read": ["days"],  # made of columns and whole numbers
    "ingestion/sources/csv_format.py: _alike": ["', '.join(options)"],  # literals and whole numbers
    "ingestion/sources/database.py: begins": ["self._nested"],  # the query of the model file
    "ingestion/sources/database.py: _later": ["self._nested"],  # the query of the model file
    "ingestion/sources/database.py: daily": ["self._nested"],  # the query of the model file
    "ingestion/sources/database.py: nested_names": ["query"],  # the same
    "ingestion/sources/files.py: daily": ["day", "scan.rows", "scan.time"],  # made by the scan
    "ingestion/sources/files.py: begins": ["scan.zoned", "scan.rows"],  # made by the scan, of quoted names and literals
    "ingestion/sources/files.py: of_period": ["self.rows", "self.time", "inside"],  # the same
    "ingestion/sources/files.py: read_newest": ["scan.rows", "scan.time", "later"],  # the same
    "ingestion/sources/files.py: later": ["self.rows", "self.time"],  # the same
    "ingestion/sources/files.py: origin": ["scan.time", "scan.rows_of_files", "inside"],  # the same
    "ingestion/sources/files.py: __enter__": ["self.rows"],  # the same
    "ingestion/sources/files.py: earliest": ["self.rows"],  # the same
    "ingestion/sources/files.py: pieces": ["self.rows"],  # the same
    "ingestion/sources/case_names.py: _columns": ["place.sql"],  # literals
    "ingestion/sources/file_access.py: time_kinds": ["place.sql"],  # the same
    "ingestion/sources/files.py: _read_names": ["self._place.sql"],  # the same
    "ingestion/sources/json_lines.py: _by_key": ["files"],  # literals, which its callers make
    "ingestion/sources/json_lines.py: _guessed": ["files"],  # the same
    "ingestion/sources/json_lines.py: _value": ["type"],  # a type of DuckDB's
    "ingestion/sources/json_lines.py: json_rows": ["rows"],  # literals, which its callers make
    "ingestion/sources/json_lines.py: keys_of": ["files"],  # the same
    "lake/connection.py: register": ["selected", "', '.join(places)"],  # numbered places, and quoted names
    "lake/landing.py: _compared": ["side", "differs"],  # a column or NULL
    "lake/maintenance.py: count_matching": ["table", "where"],  # a table of the lake, and of `any_of`, which quotes
    "lake/maintenance.py: erase_history": ["where"],  # of `any_of`, which quotes
    "lake/prediction_log.py: read": ["row", "before"],  # made by `row_id`
    "lifecycle/decision_log.py: read": ["' AND '.join(wanted)", "where"],  # a truth value
    "replay/point_in_time.py: of": ["table"],  # a random name
    "replay/point_in_time.py: replace": ["where"],  # a condition of this package, with bounds
    "replay/point_in_time.py: _register_rows": ["now", "wanted", "self.table"],  # a number, columns, and a random name
    "row_id.py: belongs": ["escaped", "id_sql"],  # a column's SQL and a literal
    "scaffold/reading/sample.py: total": [
        "self.relation"
    ],  # made by `_files` and `_sql`, of literals and the user's query
    "scaffold/reading/sample.py: sample": ["self.relation", "numbered", "step"],  # the same, and a number
    "scaffold/reading/sample.py: different": ["self.relation", "self.whole"],  # the same, and * or the row as text
    "scaffold/reading/sample.py: distinct": ["self.relation"],  # the same
    "scaffold/reading/sample.py: extent": ["terms", "self.relation"],  # quoted by the table's own `quote`
    "scaffold/reading/unlike_files.py: _of_parquet": ["place.sql"],  # literals
    "scaffold/template.py: _bound": ["inner", "start"],  # the user's query
    "training/snapshot.py: figures": ["self._known", "unit // tick", "block // tick"],  # of columns; whole numbers
    "training/snapshot.py: newest": ["self._known"],  # made of columns
    "training/snapshot.py: _known": ["self._used_from"],  # the same
    "training/snapshot.py: oldest": ["self._known"],
}


def unquoted():
    """The parts of SQL in the source that are neither quoted nor made of what is, by file and function."""
    for path in sql_sources.sources():
        for part in sql_sources.Checker(ast.parse(path.read_text())).found:
            yield f"{path.relative_to(ROOT).as_posix().removeprefix('evergreen/')}: {part}"


def test_every_part_of_sql_is_quoted_or_reviewed():
    reviewed = {f"{place}: {part}" for place, parts in REVIEWED.items() for part in parts}
    assert set(unquoted()) == reviewed


@pytest.mark.parametrize(
    ("body", "parts"),
    [
        ('sql = f"SELECT {model.time} FROM rows"', ["model.time"]),
        ('sql = f"SELECT {column(model.time)}, {columns(model.key)} FROM {ROWS}"', []),
        ('name = model.time\n    sql = f"SELECT {name} FROM rows"', ["name"]),
        ('name = quoted(model.time)\n    sql = f"SELECT {name} FROM rows"', []),
        ('name = quoted(a)\n    name += b\n    sql = f"SELECT {name} FROM rows"', ["name"]),
        ('sql = f"SELECT {argument} FROM rows"', ["argument"]),
        ("sql = f\"SELECT {', '.join(names)} FROM rows\"", ["', '.join(names)"]),
        ("sql = f\"SELECT {', '.join(quoted(n) for n in names)} FROM rows\"", []),
        ("sql = f\"SELECT {', '.join(n for n in names)} FROM rows\"", ["', '.join((n for n in names))"]),
        ("sql = f\"SELECT {', '.join(map(quoted, names))} FROM rows\"", []),
        ("sql = f\"SELECT {', '.join(map(str, names))} FROM rows\"", ["', '.join(map(str, names))"]),
        ('sql = "SELECT * FROM " + argument', ["argument"]),
        ('sql = "SELECT * FROM %s" % argument', ["argument"]),
        ('sql = "SELECT * FROM {}".format(argument)', ["argument"]),
        ('where = f"{argument} >= $since AND true"', ["argument"]),
        ('raise ValueError(f"No row FROM {argument} came.")', []),
    ],
)
def test_the_check_of_sql_sees_a_name_that_is_not_quoted(body, parts):
    source = f"def made(argument, model, names):\n    {body}\n"
    assert sql_sources.Checker(ast.parse(source)).found == [f"made: {part}" for part in parts]
