"""Before an erasure everything that the service has logged reaches the lake, whether the service runs or not."""

from threading import Timer

import pytest

from evergreen.lake.lake import SERVED, Bare
from evergreen.locks import file_lock
from evergreen.settings import Settings
from evergreen.stores import Stores
from serving.log.segments import Log
from serving.model_cache import ModelCache
from serving.process import shipper
from serving.process.shipper import Shipper, ship_all

FEATURES = {"x": "number", "z": "number"}
HEAD = (
    "toy@1",
    {"model": "toy", "version": "1", "role": "champion", "features": FEATURES, "beside": {}, "timezone": "UTC"},
)


@pytest.fixture
def log(home):
    """The log of one worker, which has answered for two rows and closed the first segment."""
    opened = Log(home / "serving" / "log" / "0")
    opened.open()
    answer(opened, "first")
    opened.rotate(at_once=True)
    answer(opened, "second")
    return opened


def answer(log, row):
    line = {"of": "toy@1", "ids": [row], "asked": [1360972800000000], "latency": [1.0], "beside": {}}
    log.write(line | {"rows": [[0.5, 0.1]], "answers": [[8.5]]}, HEAD)


def landed():
    lake = Stores.open().lake
    if not lake.exists("toy", SERVED):
        return set()
    return set(lake.query(Bare("toy"), f'SELECT "_id" FROM {SERVED}', tables=[SERVED])["_id"])


def test_without_a_service_every_segment_lands_the_one_that_was_left_open_too(log, home):
    assert ship_all(home, Stores.open().lake) == []
    assert landed() == {"first", "second"}
    assert ship_all(home, Stores.open().lake) == []


def test_a_home_that_never_served_has_nothing_to_ship(home):
    assert ship_all(home, Stores.open().lake) == []


def test_a_running_service_is_waited_for(log, home):
    def ship():
        log.rotate(at_once=True)
        Shipper(log.slot.parent, Stores.open().lake, ModelCache(home / "serving" / "models")).ship()
        answer(log, "asked meanwhile")

    with file_lock(home / "locks" / "serve.lock", "busy"):
        timer = Timer(0.5, ship)
        timer.start()
        assert ship_all(home, Stores.open().lake) == []
        timer.join()
    assert landed() == {"first", "second"}


def test_what_does_not_reach_the_lake_is_said(log, home, monkeypatch):
    monkeypatch.setattr(shipper, "_PATIENCE", 0.3)
    (log.slot / "00000000000000000001.broken").write_text("no line")
    with file_lock(home / "locks" / "serve.lock", "busy"):
        late, broken = ship_all(Settings.read().home, Stores.open().lake)
    assert "Run the command again in a minute" in late
    assert "00000000000000000001.broken cannot be read" in broken
