"""The source `Call`: a function of the model file."""

from datetime import UTC

import pandas as pd
import pytest

from evergreen import Call
from evergreen.definition.sources import BEFORE_ANY_ROW
from evergreen.errors import SourceError
from tests.evergreen.ingestion.sources.small_table import DAY, LAKE, START, read


def raising(since, until):
    raise ConnectionError("the shop is shut")


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (raising, "toy: the source function raised ConnectionError: the shop is shut"),
        (lambda since, until: None, "toy: the source function returned NoneType, not a DataFrame"),
        (lambda since, until: [{"id": "a"}], "toy: the source function returned list"),
        (lambda since, until: pd.DataFrame([[1, 2]], columns=["x", "x"]), r"\['x'\] more than once"),
    ],
)
def test_a_function_that_gives_no_rows_says_so(toy, function, message):
    with pytest.raises(SourceError, match=message):
        read(toy(source=Call(function=function)))


def test_a_function_is_asked_for_the_period(toy):
    rows = read(toy())
    assert (rows["at"].min(), rows["at"].max()) == (START, START + pd.Timedelta(hours=23))


@pytest.mark.parametrize(
    ("start", "begin"),
    [
        (None, BEFORE_ANY_ROW),
        ("2013-01-01", START),
        ("2013-01-01T05:00+05:00", START),
        (START.to_pydatetime().astimezone(UTC), START),
    ],
)
def test_where_the_history_of_a_function_begins(toy, start, begin):
    model = toy(source=Call(function=print, start=start))
    assert model.source.begins(model, START + DAY, LAKE) == begin
