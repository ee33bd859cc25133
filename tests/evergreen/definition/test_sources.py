"""What all sources share: the periods of a history, and how a source is written."""

from datetime import timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen import Call, Files
from evergreen.definition.sources import periods

START = pd.Timestamp("2013-01-01", tz="UTC")


@given(
    st.timedeltas(timedelta(0), timedelta(days=40)),
    st.none() | st.timedeltas(timedelta(hours=6), timedelta(days=60)),
)
def test_periods_follow_each_other_without_a_gap_from_beginning_to_end(length, batch):
    end = START + length
    cut = periods(Call(function=print, batch=batch), START, end)
    edges = [START, *(high for _, high in cut)]
    assert [low for low, _ in cut] == edges[:-1]
    assert edges[-1] == end
    assert all(low < high for low, high in cut)
    assert batch is None or all(high - low <= batch for low, high in cut)


@pytest.mark.parametrize("bad", [{"batch": "often"}, {"lookback": "7 bananas"}, {"pth": "x"}])
def test_a_source_that_cannot_be_is_refused_where_it_is_written(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        Files(path="x.parquet", **bad)
