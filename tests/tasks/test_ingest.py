"""The stage that takes a batch in: whatever is asked for, how often and how late, the table ends as the source is."""

import tempfile
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen import Call
from evergreen.definition import loader
from evergreen.ingestion import batch
from evergreen.stores import Stores
from tasks.ingest import ingest

START, HOUR, HOURS = pd.Timestamp("2013-01-01", tz="UTC"), pd.Timedelta(hours=1), 12


class Shop:
    """A source in memory: by hour the value that was written last, which may come late and be corrected."""

    def __init__(self):
        self.sold = {}

    def between(self, since, until):
        return {hour: value for hour, value in self.sold.items() if since <= START + hour * HOUR < until}

    def rows(self, since, until):
        frame = self.between(since, until)
        at = START + pd.to_timedelta(list(frame), unit="h")
        y = np.array(list(frame.values()), dtype=float)
        return pd.DataFrame({"id": [f"h{hour}" for hour in frame], "at": at, "x": 1.0, "z": y, "side": "up", "y": y})


@pytest.fixture(scope="module")
def toy():
    return loader.load("toy")


SOLD = st.dictionaries(st.integers(0, HOURS - 1), st.integers(0, 3), max_size=8)
ASKED = st.tuples(st.integers(0, HOURS - 1), st.integers(1, HOURS)).map(lambda low: (low[0], sum(low)))  # any period
DUE = st.integers(1, HOURS)  # what the loop asks for at that hour: from the watermark on, and the lookback
STEPS = st.lists(st.tuples(SOLD, ASKED | DUE), min_size=1, max_size=5)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(STEPS, st.integers(0, HOURS))
def test_any_sequence_of_periods_ends_with_each_row_once_as_it_was_told_last(toy, steps, lookback):
    """Overlaps, repeats, gaps, rows that come late and corrections, within the lookback and behind it."""
    shop, expected, reached = Shop(), {}, START
    source = Call(function=shop.rows, start=START, batch="4h", lookback=timedelta(hours=lookback))
    model = toy.model_copy(update={"source": source, "contract": []})
    everything = (START, START + 2 * HOURS * HOUR + HOUR)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVERGREEN_LAKE", folder)
        patch.setattr(loader, "load", lambda name: model)
        stores = replace(Stores.open(), live=False)
        lake, quarantine = stores.lake, stores.quarantine
        for sold, wanted in [*steps, ({}, everything)]:
            shop.sold |= sold
            for since, until in periods(wanted, model, lake, quarantine):
                frame = shop.between(since, until)
                taken = ingest.fn(stores, "toy", since, until, until)
                assert (taken.rows, taken.new + taken.corrected + taken.same) == (len(frame), len(frame))
                if until > reached and frame:  # what lies behind the watermark whole has landed before
                    expected, reached = expected | frame, until
                assert held(lake, model) == expected
        assert expected == shop.sold
        assert quarantine.entries("toy") == []


def periods(wanted, model, lake, quarantine):
    if isinstance(wanted, int):
        return batch.outstanding(model, lake, quarantine, START + wanted * HOUR)
    return [tuple(START + bound * HOUR if isinstance(bound, int) else bound for bound in wanted)]


def held(lake, model):
    rows = lake.query(model, "SELECT id, y FROM rows") if lake.exists("toy") else pd.DataFrame({"id": [], "y": []})
    assert rows["id"].is_unique
    return {int(key[1:]): value for key, value in zip(rows["id"], rows["y"], strict=True)}


def test_a_column_that_is_new_in_the_source_is_told_once(toy, monkeypatch, home):
    """Not at first, when a draft has told what it leaves out; then in the batch with which it comes."""
    more = {"known": 1}

    def rows(since, until):
        return Shop.rows(shop, since, until).assign(**more)

    shop = Shop()
    shop.sold = dict.fromkeys(range(HOURS), 1)
    source = Call(function=rows, start=START, batch="4h")
    monkeypatch.setattr(loader, "load", lambda name: toy.model_copy(update={"source": source, "contract": []}))
    stores, periods = replace(Stores.open(), live=False), [START + 4 * place * HOUR for place in range(4)]

    def notes(place):
        return ingest.fn(stores, "toy", periods[place], periods[place + 1], periods[3]).notes

    assert notes(0) == []
    more |= {"fresh one": 2, "other": 3}
    assert notes(1) == [
        "the source has new columns that the model file does not declare: 'fresh one', 'other'; "
        'to take them in, add "fresh one": "number", "other": "number" to `features` or `extra`'
    ]
    assert notes(2) == []
