"""The declared schema: what is cast to it, and what is said of rows that do not fit."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen import NumberFormat
from evergreen.ingestion.schema import cast, each_once

UTC = "2013-01-01T12:00:00+00:00"
GOOD = {"id": ["a", "b"], "at": [UTC, UTC], "group": ["p", "q"], "x": [1.0, 2.0], "y": [0.5, None]}


def of(kind, values, toy, **more):
    """Cast one column of a kind, beside a table that fits; the values and what was said of them."""
    model = toy(features={"z": kind}, extra={}, slices=[], **more)
    table = pd.DataFrame({"id": [f"r{i}" for i in range(len(values))], "at": UTC, "y": 1.0}).assign(z=values)
    rows, problems = cast(table, model)
    return rows["z"], [(problem.column, problem.shown) for problem in problems]


FITS = [
    ("number", [1, 2], [1.0, 2.0]),
    ("number", ["1.5", "2e3"], [1.5, 2000.0]),
    ("number", [Decimal("1.5"), None], [1.5, None]),
    ("number", [True, False], [1.0, 0.0]),
    ("number", [1.0, np.nan], [1.0, None]),
    ("number", [None, None], [None, None]),
    ("integer", [1.0, 2.0], [1, 2]),
    ("integer", ["3", "4"], [3, 4]),
    ("integer", [2**60 + 1, 2**60 + 3], [2**60 + 1, 2**60 + 3]),
    ("boolean", ["TRUE", "false"], [True, False]),
    ("boolean", [1, 0], [True, False]),
    ("boolean", [1.0, None], [True, None]),
    ("boolean", [True, None], [True, None]),
    ("category", ["p", None], ["p", None]),
    ("category", [7, 8], ["7", "8"]),
    ("category", [7.0, None], ["7", None]),
    ("category", [7.0, 7.5], ["7", "7.5"]),
    ("category", [True, False], ["True", "False"]),
    ("text", ["", "None"], ["", "None"]),
]


@pytest.mark.parametrize(("kind", "values", "expected"), FITS)
def test_values_that_fit_are_cast(toy, kind, values, expected):
    column, problems = of(kind, pd.Series(values), toy)
    assert problems == []
    assert [None if pd.isna(value) else value for value in column] == expected


BREAKS = [
    ("number", ["1", "many"], "1 of 2 rows hold no number: 'many'"),
    ("number", [1.0, np.inf], "1 of 2 rows are infinite: inf"),
    ("number", ["1", "-inf"], "1 of 2 rows are infinite: '-inf'"),
    ("number", [[1], [2]], "2 of 2 rows hold no number: [1], [2]"),
    ("number", [pd.Timestamp(UTC), None], "1 of 2 rows are times, not numbers"),
    ("number", [pd.Timedelta("1h"), None], "1 of 2 rows are times, not numbers"),
    ("integer", [1.0, None], "1 of 2 rows are missing; declare the column a number"),
    ("integer", [1.0, 1.5], "1 of 2 rows are not whole: 1.5"),
    ("integer", ["1", "one"], "1 of 2 rows hold no number: 'one'"),
    ("boolean", ["yes", "true"], "1 of 2 rows are neither true nor false: 'yes'"),
    ("boolean", [2, 1], "1 of 2 rows are neither true nor false: 2"),
    ("datetime", ["12.5", "noon"], "2 of 2 rows are no ISO 8601 time: '12.5', 'noon'"),
    ("datetime", ["01/02/2013", UTC], "1 of 2 rows have no time zone while others do: '01/02/2013'"),
    ("datetime", [1357000000, 1357000001], "2 of 2 rows are no ISO 8601 time"),
    ("datetime", [UTC, "2013-01-01T12:00:00"], "1 of 2 rows have no time zone while others do"),
    ("datetime", ["2013-01-01 12:00:00+00", "2013-01-01 12:00:00"], "1 of 2 rows have no time zone while others do"),
    ("datetime", [pd.Timestamp(UTC), pd.Timestamp("2013-01-01")], "1 of 2 rows have no time zone while others do"),
]


@pytest.mark.parametrize(("kind", "values", "found"), BREAKS)
def test_values_that_do_not_fit_stay_as_they_came_and_are_told_of(toy, kind, values, found):
    given_values = pd.Series(values)
    column, [(name, said)] = of(kind, given_values, toy)
    assert (name, said[: len(found)]) == ("z", found)
    assert column.tolist() == given_values.tolist() or given_values.isna().any()


@pytest.mark.parametrize("values", [["1", "1.0"], [1, None]])
def test_a_key_is_the_same_whether_its_batch_has_gaps_or_not(toy, values):
    whole, _ = of("category", pd.Series([1, 2]), toy)
    assert of("category", pd.Series([1.0, None]), toy)[0][0] == whole[0] == "1"


@pytest.mark.parametrize(
    ("values", "timezone", "expected"),
    [
        (["2013-01-01T12:00:00Z"], "UTC", UTC),
        (["2013-01-01T14:00:00+02:00"], "UTC", UTC),
        (["2013-01-01 14:00:00+0200"], "America/New_York", UTC),
        (["2013-01-01 12:00:00+00"], "America/New_York", UTC),
        (["2013-01-01T07:00"], "America/New_York", UTC),
        (["2013-07-01T08:00"], "America/New_York", "2013-07-01T12:00:00+00:00"),
        (["2013-01-01"], "UTC", "2013-01-01T00:00:00+00:00"),
        ([datetime.date(2013, 1, 1)], "America/New_York", "2013-01-01T05:00:00+00:00"),
        ([datetime.datetime(2013, 1, 1, 7)], "America/New_York", UTC),
        (pd.DatetimeIndex(["2013-01-01 07:00"], tz="America/New_York"), "UTC", UTC),
        (["2018-11-04"], "America/Sao_Paulo", "2018-11-04T03:00:00+00:00"),  # a day that began at one o'clock
        ([pd.Timestamp(UTC), pd.Timestamp("2013-01-01 13:00", tz="Europe/Berlin")], "UTC", UTC),
        ([UTC, "2013-01-01 13:00:00.000+01"], "UTC", UTC),
        (["3000-01-01"], "UTC", "3000-01-01T00:00:00+00:00"),
    ],
)
def test_times_are_kept_in_utc(toy, values, timezone, expected):
    column, problems = of("datetime", pd.Series(values), toy, timezone=timezone)
    assert problems == []
    assert str(column.dtype) == "datetime64[us, UTC]"
    assert {moment.isoformat() for moment in column} == {expected}


def test_a_local_time_that_was_twice_is_not_guessed(toy):
    times = pd.Series(["2013-11-03T00:30", "2013-11-03T01:30"])
    _, [(_, said)] = of("datetime", times, toy, timezone="America/New_York")
    assert "1 of 2 rows are ambiguous in America/New_York" in said


@given(st.datetimes(pd.Timestamp("1990-01-01"), pd.Timestamp("2030-01-01")), st.sampled_from(["T", " "]))
def test_text_and_true_times_are_the_same_moment(toy, moment, separator):
    stamp = pd.Timestamp(moment, tz="UTC")
    text, problems = of("datetime", pd.Series([stamp.isoformat(sep=separator)]), toy)
    assert problems == []
    assert text[0] == stamp == of("datetime", pd.Series([stamp]), toy)[0][0]


@pytest.mark.parametrize(
    ("change", "column", "found"),
    [
        (lambda rows: rows.drop(columns="x"), "x", "no such column"),
        (
            lambda rows: rows.rename(columns={"group": "groups"}),
            "group",
            "no such column; did 'groups' take its place?",
        ),
        (lambda rows: rows.rename(columns={"x": "weight"}), "x", "no such column: undeclared: ['weight']"),
        (lambda rows: rows.drop(columns="y"), "y", "no such column"),
        (
            lambda rows: rows.set_axis([f"row {place}" for place in range(len(rows.columns))], axis=1)[["row 1"]],
            "id",
            "no such column, nor any other declared one; is there a header?",
        ),
        (lambda rows: rows.assign(y=["1", "high"]), "y", "1 of 2 rows hold no number: 'high'"),
        (lambda rows: rows.assign(at="soon"), "at", "2 of 2 rows are no ISO 8601 time: 'soon', 'soon'"),
    ],
    ids=["gone", "renamed", "renamed beyond knowing", "no labels' column", "no header", "a label as text", "no time"],
)
def test_a_table_that_does_not_fit_says_which_column_and_why(toy, change, column, found):
    _, problems = cast(change(pd.DataFrame(GOOD)), toy())
    assert [(problem.column, problem.shown, problem.success) for problem in problems][:1] == [(column, found, False)]


def test_a_table_that_fits_has_the_declared_columns_in_their_order_and_no_other(toy):
    rows, problems = cast(pd.DataFrame(GOOD).assign(surplus=1)[["surplus", "y", "x", "group", "at", "id"]], toy())
    assert problems == []
    assert list(rows) == ["id", "at", "x", "group", "y"]


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [("integer", [1, None], "Int64"), ("integer", [1, 0], "Int64"), ("number", [None, None], "float64")],
)
def test_a_label_may_be_missing(toy, kind, values, expected):
    rows, problems = cast(pd.DataFrame(GOOD).assign(y=values), toy(target_kind=kind))
    assert problems == []
    assert str(rows["y"].dtype) == expected


def test_every_problem_is_told_of_at_once(toy):
    _, problems = cast(pd.DataFrame(GOOD).assign(x="many", at="soon").drop(columns="id"), toy())
    assert sorted(problem.column for problem in problems) == ["at", "id", "x"]


WIDE_KEYS = [
    ([2**53, 2**53 + 1], True),
    ([str(2**53 + 1), "1"], True),
    ([Decimal(2**53 + 1), Decimal(1)], True),
    (["0.10000000000000000001", "0.1"], True),
    ([2**53, 2**63], False),
    (["0.1", "1e300"], False),
    ([0.1, 1e300], False),
    ([True, False], False),
]


@pytest.mark.parametrize(("values", "rounded"), WIDE_KEYS)
def test_a_key_of_numbers_that_a_float_rounds_is_refused(toy, values, rounded):
    model = toy(features={"z": "number"}, extra={}, slices=[], key=["z"])
    _, problems = cast(pd.DataFrame({"z": values, "at": UTC, "y": 1.0}), model)
    why = (
        "1 of 2 rows have more digits than a number keeps, so that several have one key; declare the column a category"
    )
    assert [(problem.found, problem.examples) for problem in problems] == [(why, "")] * rounded  # no key is shown


def test_a_key_that_people_wrote_keeps_its_digits(toy):
    parsing = {"z": NumberFormat(thousands=",")}
    rows = pd.DataFrame({"z": ["9,007,199,254,740,993", "7"], "at": UTC, "x": 1.0, "y": 1.0})
    kept, problems = cast(rows, toy(features={"x": "number"}, extra={}, slices=[], key=["z"], parsing=parsing))
    assert (kept["z"].tolist(), problems) == (["9007199254740993", "7"], [])
    _, problems = cast(rows, toy(features={"z": "number"}, extra={}, slices=[], key=["z"], parsing=parsing))
    assert "more digits than a number keeps" in problems[0].found


@pytest.mark.parametrize(
    "values",
    [["1.5", "1.50"], [1, "1.0"], [Decimal("0.10"), Decimal("0.1")], [True, True], [None, None]],
    ids=str,
)
def test_doubles_may_be_written_in_several_ways(toy, values):
    given = pd.DataFrame({"id": "a", "at": ["2013-01-01T00:00Z", "2013-01-01T00:00+00:00"], "y": 1.0})
    given["x"] = pd.Series(values, dtype=object)
    model = toy(features={"x": "number"}, extra={}, slices=[])
    rows, problems = cast(given, model)
    once, (warning,) = each_once(rows, given, model)
    assert (problems, len(once), warning.found[:11]) == ([], 1, "1 of 2 rows")


def test_rows_that_only_become_alike_are_no_doubles(toy):
    given = pd.DataFrame({"id": ["a", "a", "a"], "at": UTC, "y": 1.0, "x": [2**53, 2**53 + 1, 2**53]})
    model = toy(features={"x": "number"}, extra={}, slices=[])
    rows, _ = cast(given, model)
    once, (warning,) = each_once(rows, given, model)
    assert len(once) == 2  # whose key is not unique, which the contract tells
    assert warning.found.startswith("1 of 3 rows")
