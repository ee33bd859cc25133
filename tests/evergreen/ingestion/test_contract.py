"""Contracts, on Great Expectations itself: what holds, what breaks, what cannot be run."""

import pandas as pd
import pytest
from pydantic import ValidationError

from evergreen import expect
from evergreen.definition import expectations
from evergreen.errors import ContractError
from evergreen.ingestion.contract import Report, Result, check, required

NOON = pd.Timestamp("2013-01-01 12:00", tz="UTC")
TABLE = pd.DataFrame(
    {
        "id": ["a", "b", "c", "d"],
        "at": NOON + pd.to_timedelta([0, 1, 2, 3], unit="h"),
        "x": [1.0, 2.0, None, 40.0],
        "kind": ["up", "up", "down", "sideways"],
        "flag": [True, True, True, False],
    }
)


def named(expectation):
    """The name of a case."""
    return f"{expectation.type} {expectation.kwargs}"


BROKEN = [
    (expect("column_values_to_not_be_null", "x"), "1 of 4 rows"),
    (expect("column_values_to_be_between", "x", max_value=30), "1 of 4 rows: 40.0"),
    (expect("column_values_to_be_in_set", "kind", value_set=["up", "down"]), "1 of 4 rows: sideways"),
    (expect("column_distinct_values_to_be_in_set", "kind", value_set=["up"]), "2 distinct values: down, sideways"),
    (expect("column_values_to_be_unique", "kind"), "2 of 4 rows: up, up"),
    (expect("column_values_to_match_regex", "kind", regex="^up$"), "2 of 4 rows: down, sideways"),
    (expect("column_mean_to_be_between", "x", max_value=10), "another value: 14.33"),
    (expect("column_to_exist", "y"), "no such column"),
    (expect("column_values_to_not_be_null", "y"), "no such column"),
    (expect("table_row_count_to_be_between", min_value=10), "4"),
    (expect("compound_columns_to_be_unique", column_list=["kind", "flag"]), "2 of 4 rows"),
    (expect("column_values_to_be_between", "kind", min_value=0), "could not be checked"),
]
HELD = [
    expect("column_values_to_not_be_null", "x", mostly=0.7),
    expect("column_values_to_be_between", "x", min_value=1, max_value=40),
    expect("column_values_to_be_unique", "id"),
    expect("compound_columns_to_be_unique", column_list=["id", "kind"]),
    expect("column_values_to_be_between", "at", max_value=NOON + pd.Timedelta(hours=3)),
    expect("expect_column_to_exist", "x"),
]


GONE = "no value in all 4 rows; is the column still in the source?"
EMPTY = [
    (expect("column_values_to_not_be_null", "gone"), GONE),
    (expect("compound_columns_to_be_unique", column_list=["kind", "flag"]), "2 of 4 rows"),
]


def test_a_column_without_any_value_is_told_as_such():
    whole, part = (
        check(TABLE.assign(x=values), [expect("column_values_to_not_be_null", "x")]).failures[0]
        for values in ([None] * 4, [None, None, None, 1.0])
    )
    assert whole.shown == "no value in all 4 rows; is the column still in the source?"
    assert part.shown == "3 of 4 rows"


@pytest.mark.parametrize(("expectation", "found"), BROKEN, ids=[named(expectation) for expectation, _ in BROKEN])
def test_an_expectation_that_does_not_hold_says_what_was_found(expectation, found):
    report = check(TABLE, [expectation])
    assert not report.success
    assert [result.type for result in report.failures] == [expectation.type]
    assert report.failures[0].shown.startswith(found)


@pytest.mark.parametrize("expectation", HELD, ids=map(named, HELD))
def test_an_expectation_that_holds(expectation):
    assert check(TABLE, [expectation]).success


def test_all_are_reported_in_one_run_each_with_its_column():
    report = check(TABLE, [*HELD, *(expectation for expectation, _ in BROKEN)])
    assert report.rows == 4
    assert len(report.results) == len(HELD) + len(BROKEN)
    assert len(report.failures) == len(BROKEN)
    assert {result.column for result in report.failures} == {"x", "kind", "y", ""}


def test_a_warning_is_reported_and_does_not_stop():
    report = check(TABLE, [expect("column_values_to_not_be_null", "x", warn=True), HELD[2]])
    assert report.success
    assert [(result.column, result.warn) for result in report.failures] == [("x", True)]


def test_a_warning_does_not_excuse_what_stops():
    warned = expect("column_values_to_not_be_null", "x", warn=True)
    assert not check(TABLE, [warned, BROKEN[1][0]]).success


@pytest.mark.parametrize("rows", [1000, 1001])
def test_a_single_bad_row_among_many_is_found(rows):
    table = pd.DataFrame({"x": [0.0] * (rows - 1) + [9.0]})
    report = check(table, [expect("column_values_to_be_between", "x", max_value=1)])
    assert (report.failures[0].found, report.failures[0].examples) == (f"1 of {rows:,} rows", "9.0")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("column_values_to_be_betwen", "Did you mean 'column_values_to_be_between'"),
        ("column_chisquare_test_p_value_to_be_greater_than", "has no"),
        ("x", "has no 'expect_x'"),
        ("", "has no 'expect_'"),
    ],
)
def test_an_unknown_expectation_is_refused_where_it_is_written(name, hint):
    with pytest.raises(ValidationError, match=hint):
        expect(name, "x")


@pytest.mark.parametrize(
    "expectation",
    [
        expect("column_values_to_be_between", "x", least=5),
        expect("column_values_to_be_between", "x"),
        expect("column_values_to_be_in_set", "kind", value_set=7),
        expect("column_values_to_not_be_null"),
        expect("column_values_to_not_be_null", "x", mostly=7),
        expect("compound_columns_to_be_unique", column_list=["kind"]),
    ],
    ids=named,
)
def test_an_expectation_that_cannot_be_run_is_an_error_of_the_model_file(expectation):
    with pytest.raises(ContractError, match=f"{expectation.type} in the contract.*Fix the model file"):
        check(TABLE, [expectation])


def test_the_vocabulary_is_great_expectations_own():
    from great_expectations.expectations.registry import list_registered_expectation_implementations

    unregistered = expectations.vocabulary() - set(list_registered_expectation_implementations())
    assert unregistered <= {"expect_multicolumn_values_to_be_unique"}  # imported, and yet not to be had
    assert len(expectations.vocabulary()) > 50


FAULTS = {
    "none": ({}, []),
    "duplicate keys": ({"id": ["a", "a", "c", "d"]}, ["id"]),
    "a null key": ({"id": ["a", None, "c", "d"]}, ["id"]),
    "a null time": ({"at": TABLE["at"].where(TABLE["id"] != "b")}, ["at"]),
    "a time in the future": ({"at": TABLE["at"] + pd.Timedelta(hours=1)}, ["at"]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_every_batch_must_meet(toy, fault):
    changes, columns = FAULTS[fault]
    report = check(TABLE.assign(**changes), required(toy(), NOON + pd.Timedelta(hours=4)))
    assert [result.column for result in report.failures] == columns


@pytest.mark.parametrize(
    ("second", "success"), [(["p", "q", "p", "q"], True), (["p", "p", "p", "q"], False)], ids=["unique", "twice"]
)
def test_a_key_of_two_columns_is_unique_as_a_pair(toy, second, success):
    table = TABLE.assign(id=["a", "a", "b", "b"], part=second)
    report = check(table, required(toy(key=["id", "part"]), NOON + pd.Timedelta(hours=4)))
    assert report.success is success


def test_a_report_of_nothing_is_a_success():
    assert Report(0, []).success
    assert not Report(1, [Result("schema", "x", success=False, warn=False, expected="", found="")]).success
