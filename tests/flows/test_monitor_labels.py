"""The monitor where labels come late: they are scored once they have ripened."""

from datetime import UTC, datetime, timedelta

import pytest

from evergreen import model as models
from evergreen import observation
from evergreen.lake import Lake
from flows.ingest import ingest
from flows.monitor import monitor
from flows.refresh import refresh

DAY = timedelta(days=1)
MARCH = datetime(2013, 3, 20, tzinfo=UTC)
BY_TIME = "\nmodel = model.model_copy(update={'label_time': 'told'})\n"


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
    return observation.read(Lake.open(), models.load("toy"))[-1]


@pytest.mark.parametrize("days", [20, 45])
def test_labels_that_take_longer_than_the_last_windows_are_scored(write_model, days):
    write_model(lines(f"{days}d") + BY_TIME)
    refresh("toy", as_of=MARCH)
    monitor("toy", as_of=MARCH)
    ingest("toy", as_of=MARCH + days * DAY)
    decision = monitor("toy", as_of=MARCH + days * DAY)
    found = seen()
    assert found.ripened.startswith("2013-03-20")
    assert (found.realised.ripe, found.realised.whole.rows, found.state) == (True, 350, "holds")
    assert (decision.action, found.quality) == ("nothing", [])
