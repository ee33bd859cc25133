"""The monitor where labels come late, or come no more: they are scored once they have ripened, or else told of."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from evergreen.definition import loader
from evergreen.lake import prediction_log
from evergreen.lake.lake import LABELS
from evergreen.monitoring import observation
from evergreen.stores import Stores
from flows.ingest import ingest
from flows.monitor import monitor
from flows.refresh import refresh
from tests.toy import day_of

DAY = timedelta(days=1)
JANUARY = datetime(2013, 1, 29, tzinfo=UTC)
MARCH = datetime(2013, 3, 20, tzinfo=UTC)
TOLD = {"head": "labels of toy", "model": "toy", "table": LABELS}
BY_TIME = "\nmodel = model.model_copy(update={'label_time': 'told'})\n"
pytestmark = pytest.mark.long


def lines(delay: str, end: str = "2014-01-01") -> str:
    """Lines for the toy's file: its world stays, its labels come so late, and those of rows from `end` on never."""
    return f"""
DELAY, END = pd.Timedelta("{delay}"), pd.Timestamp("{end}", tz="UTC")
TURN = pd.Timestamp("2014-01-01", tz="UTC")
usual = rows


def late(since, until):
    found = usual(since, until)
    told = found["at"] + DELAY
    known = (told <= until) & (found["at"] < END)
    return found.assign(y=found["y"].where(known), told=told.where(known))


source = Call(function=late, start="2012-10-01", lookback=DELAY + 7 * DAY)
model = model.model_copy(update={{"source": source, "training": Training(window="120d", holdout="7d")}})
"""


def seen() -> observation.Observation:
    return observation.read(Stores.open().lake, loader.load("toy"))[-1]


@pytest.mark.parametrize("more", ["", BY_TIME], ids=["by correction", "at a time of their own"])
def test_labels_that_never_come_again_are_told_for_good(write_model, more):
    write_model(lines("1h", end="2013-01-29") + more)
    refresh("toy", as_of=JANUARY)
    ingest("toy", as_of=JANUARY + 42 * DAY)
    decision = monitor("toy", as_of=JANUARY + 42 * DAY)
    assert decision.action == "alert"
    assert "labels are overdue: 0% of the " in decision.reason
    assert seen().realised is None or not seen().realised.mature


@pytest.mark.parametrize("days", [20, 45])
def test_labels_that_take_longer_than_the_last_windows_are_scored(write_model, days):
    write_model(lines(f"{days}d") + BY_TIME)
    refresh("toy", as_of=MARCH)
    monitor("toy", as_of=MARCH)
    ingest("toy", as_of=MARCH + days * DAY)
    decision = monitor("toy", as_of=MARCH + days * DAY)
    check = seen()
    assert check.ripened.startswith("2013-03-20")
    assert (check.realised.mature, check.realised.whole.rows, check.state) == (True, 350, "holds")
    assert (decision.action, check.quality) == ("nothing", [])


def test_labels_that_were_never_seen_coming_yet_are_not_called_overdue(write_model):
    write_model(lines("45d"))
    refresh("toy", as_of=MARCH)
    ingest("toy", as_of=MARCH + 40 * DAY)
    assert monitor("toy", as_of=MARCH + 40 * DAY).action == "nothing"
    assert (seen().quality, seen().reason) == ([], "the label delay is not known yet")


@pytest.mark.slow
def test_labels_that_are_posted_are_learnt_from_and_scored_with_nothing_asked_for_again(write_model):
    write_model(
        lines("0h", end="2013-01-29")
        + "\nmodel = model.model_copy(update={'source': Call(function=late, start='2012-10-01')})\n"
    )
    refresh("toy", as_of=JANUARY)
    for number in range(1, 9):
        moment = JANUARY + number * 3 * DAY
        days = [moment - back * DAY for back in (5, 4, 3)] if number > 1 else []
        labels = [row for day in days for row in day_of(pd.Timestamp(day)).to_dict("records")]
        if labels:
            line = {name: [row[key] for row in labels] for name, key in (("ids", "id"), ("values", "y"))}
            arrived = round((moment - DAY).timestamp() * 1e6)
            pair = (line | {"known": [None] * len(labels), "arrived": arrived}, TOLD)
            prediction_log.land(Stores.open().lake, "toy", [pair], "service", number, moment - DAY)
        ingest("toy", as_of=moment)
    assert monitor("toy", as_of=moment).action in ("nothing", "train")
    check = seen()
    assert (check.realised.mature, check.quality) == (True, [])
    assert check.realised.whole.rows > 300
