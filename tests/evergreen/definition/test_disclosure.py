"""What may be shown of a column: no value of a single row."""

import pandas as pd
import pytest

from evergreen.definition.disclosure import (
    group_names,
    in_artifacts,
    masked,
    of_error,
    on_pages,
    typical,
    without_examples,
)
from evergreen.definition.options import Serving


@pytest.fixture
def model(toy):
    return toy(
        features={"x": "number", "name": "category"},
        extra={"remark": "text", "group": "category"},
        serving=Serving(private={"name": "hash"}),
    )


def test_examples_are_given_of_no_key_text_or_private_column(model):
    assert without_examples(model) == {"id", "remark", "name"}
    assert in_artifacts(model, ["id", "x", "name", "remark"]) == ["x"]
    assert on_pages(model, ["id", "x", "name", "remark"]) == ["id", "x", "remark"]


def test_a_group_is_named_by_its_value_only_if_enough_rows_share_it(model):
    assert group_names(model, "group", {"a": 10, "b": 9, "c": 1, "d": 30}) == {
        "a": "a",
        "b": "rare group 1",
        "c": "rare group 2",
        "d": "d",
    }


@pytest.mark.parametrize("column", ["name", "remark", "id"])
def test_a_group_of_a_column_that_is_not_shown_has_a_number_by_its_size(model, column):
    assert group_names(model, column, {"Ada": 20, "Bo": 300}) == {"Ada": "group 2", "Bo": "group 1"}


@pytest.mark.parametrize(
    ("kind", "values", "private", "shown"),
    [
        ("number", [place * 1.37 for place in range(100)], False, [14.0, 41.0, 68.0, 95.0, 120.0]),
        ("number", [0.25] * 60 + [0.75] * 40, False, [0.25, 0.75, 0.25, 0.75, 0.25]),
        ("number", [0.0] * 80 + [place + 0.123 for place in range(20)], False, [0.0, 0.0, 0.0, 0.0, 9.2]),
        ("integer", [10115, 10117] * 50, False, [10115, 10117, 10115, 10117, 10115]),
        ("integer", list(range(10_000, 10_200)), False, [10000] * 5),
        ("category", ["a"] * 30 + ["b"] * 20 + ["Ada"], False, ["a", "b", "a", "b", "a"]),
        ("category", ["Ada", "Bo"], False, ["Ada"] * 5),
        ("category", ["Ada", "Bo"], True, ["private"] * 5),
        ("text", [f"remark {place}" for place in range(50)], False, ["text"] * 5),
        ("text", ["nothing"] * 50, False, ["nothing"] * 5),
        ("boolean", [True] * 30 + [False] * 20, False, [True, False, True, False, True]),
        ("number", [None] * 10, False, [None] * 5),
    ],
)
def test_a_typical_value_is_no_single_rows(kind, values, private, shown):
    given = pd.Series(values, dtype="Int64" if kind == "integer" else None)
    assert typical(given, kind, 5, private=private) == shown


def test_typical_times_are_full_hours():
    times = pd.Series(pd.date_range("2013-01-01 00:07", periods=100, freq="7h", tz="UTC"))
    shown = typical(times, "datetime", 5, private=False)
    assert len(set(shown)) == 5
    assert not set(shown) & set(times)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("could not convert string to float: 'Ada'", "could not convert string to float: '…'"),
        (
            "unknown categories [np.str_('Ada'), \"O'Brien\"] in column 0",
            "unknown categories [np.str_('…'), \"…\"] in column 0",
        ),
        ("can't read 'x', it's 'Ada'", "can't read 'x', it's '…'"),
        ("bad value -987654.5 in row 12", "bad value … in row 12"),
        ("first line\n   name salary\n0  Ada 12", "first line"),
        ("", ""),
        ("a" * 300, "a" * 197 + "..."),
    ],
)
def test_a_librarys_message_is_shown_without_values(text, shown):
    assert masked(text, ["x"]) == shown


def raised(message):
    try:
        raise ValueError(message)
    except ValueError as error:
        return error


def test_of_an_error_beside_private_columns_only_its_place_is_told():
    error = raised("Ada")
    assert of_error(error) == "ValueError: Ada"
    assert of_error(raised("")) == "ValueError"
    told = of_error(error, private={"name": "hash"})
    assert "Ada" not in told
    assert told.startswith("ValueError in test_disclosure.py, line ")


def test_with_debug_the_whole_error_is_shown_in_the_terminal(monkeypatch, capsys):
    monkeypatch.setenv("EVERGREEN_DEBUG", "1")
    of_error(raised("Ada"), private={"name": "hash"})
    assert "ValueError: Ada" in capsys.readouterr().err
