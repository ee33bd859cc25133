"""What must hold of every kind of column, whichever there are."""

import duckdb
import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pytest

from evergreen.definition.kinds.register import KINDS
from evergreen.drift.bins import bins_of
from evergreen.lake.arrow import to_arrow
from evergreen.training import fitting

EVERY = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def values(kind):
    """Three values of the kind, as JSON."""
    return [kind.json_example, kind.json_example, kind.json_example]


def cast(kind):
    converted, problem = kind.cast(pd.Series(values(kind)), "UTC")
    assert problem == ""
    return converted


@EVERY
def test_it_is_registered_by_its_name(kind):
    assert KINDS[kind.name] is kind
    assert kind.words


@EVERY
def test_its_example_is_taken_by_a_request_and_kept(kind):
    value = kind.json_example
    assert type(value) in kind.json_types or kind.check(value) == value
    assert kind.keep(value) == value
    assert kind.from_csv(str(value).lower() if value is True else str(value)) == value


@EVERY
@pytest.mark.parametrize("wrong", [[1], {"a": 1}, b"x", object()])
def test_what_no_kind_is_raises(kind, wrong):
    assert type(wrong) not in kind.json_types
    for read in (kind.check, kind.keep):
        with pytest.raises(ValueError):  # noqa: PT011 - the caller words it
            read(wrong)


@EVERY
def test_what_is_cast_comes_back_from_the_lakes_type(kind, toy):
    model = toy(extra={"group": "category", "c": kind.name})
    table = to_arrow(pd.DataFrame({"c": cast(kind)}), model)
    assert table.schema.field("c").type == kind.arrow
    assert table.column("c").null_count == 0


@EVERY
def test_the_estimator_sees_a_request_as_it_saw_the_table(kind):
    frame = fitting.frame([[value] for value in values(kind)], {"c": kind.name}, "UTC")
    assert frame["c"].tolist() == cast(kind).tolist()


@EVERY
def test_values_are_counted_alike_in_python_and_in_sql(kind):
    converted = cast(kind)
    bins = bins_of(converted, kind.name)
    assert bins.kind == kind.bins
    rows = pa.table({"c": pa.Array.from_pandas(converted, type=kind.arrow)})
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("rows", rows)
        counted = [row[0] for row in connection.sql(f"SELECT {kind.counted_sql('c')} FROM rows").fetchall()]
    expected = kind.categories(converted) if kind.bins == "category" else kind.numbers(converted)
    assert counted == pytest.approx(expected.tolist()) if kind.bins == "number" else counted == expected.tolist()


@EVERY
def test_a_label_is_read_from_json_in_sql_and_logged_as_arrow_takes_it(kind):
    text = orjson.dumps(kind.json_example).decode()
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        label = connection.sql(f"SELECT {kind.label_sql('$1::JSON')} AS v", params=[text]).to_arrow_table()
    logged = pa.array([kind.logged(kind.json_example, "UTC")], kind.arrow)
    assert label.column("v").cast(kind.arrow).to_pylist() == logged.to_pylist()


@EVERY
def test_a_person_types_a_value(kind):
    typed = kind.parse(str(kind.json_example), "UTC")
    assert np.array([typed]) == np.array([kind.logged(kind.json_example, "UTC")])
