"""The backtest of a model's history by its first monitor run."""

from datetime import UTC, datetime

import pytest

from evergreen.definition import loader
from evergreen.lake.lake import PREDICTIONS
from evergreen.monitoring import observation
from evergreen.settings import Settings
from evergreen.stores import Stores
from flows.monitor import monitor
from tests.prepared_homes import refreshed

FEBRUARY = datetime(2013, 2, 20, tzinfo=UTC)  # the slope turned on the first
LATER = datetime(2013, 2, 22, tzinfo=UTC)
BACKFILLED = """
from evergreen import Monitoring

training = Training(window="10d", holdout="5d", min_rows={fewest})
monitoring = Monitoring(window="6d", unit="2d", backfill="{length}")
model = model.model_copy(update={{"training": training, "monitoring": monitoring}})
"""
pytestmark = pytest.mark.long


def begin(begun, write_model, length="21d", fewest=100):
    """The first monitor run in February, by a file that asks for a backtest."""
    begun(refreshed, FEBRUARY)
    write_model(BACKFILLED.format(length=length, fewest=fewest))
    monitor("toy", as_of=FEBRUARY)


def observed():
    return observation.read(Stores.open().lake, loader.load("toy"))


def test_the_first_monitor_shows_the_history_once_and_as_it_was_known_then(write_model, begun):
    begin(begun, write_model)
    *history, live = observed()
    assert (live.backtested, [seen.backtested for seen in history]) == (False, [True] * 9)
    assert (history[0].until[:10], history[-1].until[:10]) == ("2013-02-01", "2013-02-17")
    turned = next(place for place, seen in enumerate(history) if seen.suspected or seen.state == "degraded")
    after = [seen for seen in history[turned:] if seen.version != history[turned].version]
    assert any(seen.state == "holds" and not seen.suspected for seen in after)  # trained again after the turn
    assert len({seen.version for seen in history}) > 1
    lake, model = Stores.open().lake, loader.load("toy")
    answered = lake.query(model, f'SELECT DISTINCT "_version" AS version FROM {PREDICTIONS}', tables=[PREDICTIONS])
    assert set(answered["version"]) <= {"1", "2"}  # a backtest answers no row
    home = Settings.read().home
    assert list((home / "replays" / "toy").iterdir()) == []
    assert "Shaded: a backtest from 2013-02-01 to 2013-02-17" in (home / "reports" / "toy.html").read_text()
    monitor("toy", as_of=LATER)
    assert [seen.as_of for seen in observed()[:-1]] == [seen.as_of for seen in (*history, live)]


@pytest.mark.parametrize(
    ("length", "fewest"), [("4d", 100), ("21d", 600)], ids=["too short", "no model can be trained"]
)
def test_a_history_that_cannot_be_backtested_is_left_out(write_model, begun, length, fewest):
    begin(begun, write_model, length, fewest)
    (noted,) = (Settings.read().home / "replays" / "toy" / "backfill").glob("left-out-*.txt")
    assert ("steps" if length == "4d" else "600") in noted.read_text()
    monitor("toy", as_of=LATER)
    assert [seen.backtested for seen in observed()] == [False, False]
