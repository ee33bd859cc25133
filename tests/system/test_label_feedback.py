"""Labels that are posted for rows which the lake has from a source of its own: they become the rows' labels."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from evergreen.definition import loader
from evergreen.ingestion.label_feedback import FEEDBACK
from evergreen.ingestion.release import drop, release, retry
from evergreen.lake import prediction_log
from evergreen.lake.delta_lake import DeltaLake
from evergreen.lake.lake import INGEST, LABELS
from evergreen.stores import Stores
from evergreen.training.snapshot import Snapshot
from flows.ingest import ingest
from tests.toy import day_of

FILES = """
from evergreen import Files

model = model.model_copy(update={{"source": Files(path="rows.csv", lookback="{lookback}"){more}}})
"""
TOLD = {"head": "labels of toy", "model": "toy", "table": LABELS}
FIRST, SECOND = "20130101-7", "20130102-3"  # ids of rows
pytestmark = pytest.mark.long


def at(day: float) -> datetime:
    return datetime(2013, 1, 1, tzinfo=UTC) + timedelta(days=day - 1)


def micro(day: float | None) -> int | None:
    return None if day is None else round(at(day).timestamp() * 1e6)


class World:
    """A file of rows, and a service that labels are sent to."""

    def __init__(self, home, write_model):
        self.path, self._write, self._number = home.parent / "rows.csv", write_model, 0

    def model(self, *, lookback="0d", label_time=""):
        more = f', "label_time": {label_time!r}' if label_time else ""
        self._write(FILES.format(lookback=lookback, more=more))

    def rows(self, days=2, **labels):
        """Write the source's file: no row has a label, but those that are given as ``{id: label}``."""
        frame = pd.concat([day_of(pd.Timestamp(at(day))) for day in range(1, days + 1)])
        frame["y"] = frame["id"].map(labels.get("y", {}))
        frame["told"] = frame["id"].map(labels.get("told", {}))
        frame.to_csv(self.path, index=False)

    def post(self, day, key, value, known=None):
        """A label that came at a day, landed as the service's shipper lands it."""
        self._number += 1
        line = {"ids": [key], "known": [micro(known)], "values": [value], "arrived": micro(day)}
        prediction_log.land(Stores.open().lake, "toy", [(line, TOLD)], "service", self._number, at(day))


@pytest.fixture
def world(home, write_model):
    world = World(home, write_model)
    world.rows()
    world.model()
    return world


def take(day):
    return [(batch.fate, batch.new, batch.corrected) for batch in ingest("toy", as_of=at(day)) if batch.fate != "empty"]


def labelled(day=30.0):
    model = loader.load("toy")
    rows = Snapshot.pin(Stores.open().lake, model, pd.Timestamp(at(day))).labelled(None, pd.Timestamp(at(29)))
    return dict(zip(rows["id"], rows["y"], strict=True))


def test_a_label_becomes_that_of_its_row_once_and_the_history_shows_it(world):
    assert take(3) == [("landed", 100, 0)]
    assert labelled() == {}
    mark = Stores.open().lake.watermark("toy")
    world.post(3.5, FIRST, 5)
    world.post(3.6, SECOND, 6.5)
    assert take(4) == [("landed", 0, 2)]
    assert labelled() == {FIRST: 5.0, SECOND: 6.5}
    lake, model = Stores.open().lake, loader.load("toy")
    assert (lake.watermark("toy"), lake.watermark("toy", FEEDBACK)) == (mark, pd.Timestamp(at(4)))
    version = lake.version("toy")
    assert lake.history("toy")[0]["evergreen.batch"].startswith("labels-")
    assert Snapshot(lake, model, version - 1, pd.Timestamp(at(30))).count(None, pd.Timestamp(at(29))) == 0
    assert [take(day) for day in (4, 5, 6)] == [[], [], []], "nothing is new"
    assert lake.version("toy") == version


def test_a_correction_is_sent_and_the_last_that_came_holds(world):
    take(3)
    world.post(3.5, FIRST, 5)
    take(4)
    world.post(4.5, FIRST, 7)
    world.post(4.4, FIRST, 6)
    assert take(5) == [("landed", 0, 1)]
    assert labelled() == {FIRST: 7.0}
    world.post(5.5, FIRST, 7)
    assert take(6) == [], "the same again is no correction"


def test_a_label_of_a_row_that_is_not_there_yet_waits_for_it(world):
    world.post(2.5, "20130105-1", 5)
    world.post(2.5, "nobody", 5)
    assert take(3) == [("landed", 100, 0)]
    assert take(5) == []
    world.rows(days=5)
    assert take(6) == [("landed", 150, 0), ("landed", 0, 1)]
    assert labelled() == {"20130105-1": 5.0}


def test_the_source_that_is_asked_again_takes_no_label_away(world):
    world.model(lookback="10d")
    take(3)
    world.post(3.5, FIRST, 5)
    take(4)
    version = Stores.open().lake.version("toy")
    world.rows(days=3)
    assert take(5) == [("landed", 50, 0)]
    assert labelled() == {FIRST: 5.0}
    assert Stores.open().lake.version("toy") == version + 1


def test_without_a_time_of_labels_the_one_that_was_sent_holds(world):
    world.rows(y={FIRST: 1.0, SECOND: 2.0})
    world.model(lookback="10d")
    world.post(2.5, FIRST, 5)
    take(3)
    assert labelled() == {FIRST: 5.0, SECOND: 2.0}
    world.rows(days=3, y={FIRST: 1.5, SECOND: 2.5})
    take(4)
    assert labelled() == {FIRST: 5.0, SECOND: 2.5}


@pytest.mark.parametrize(("known", "holds"), [(2.0, 5.0), (3.0, 5.0), (4.0, 1.0)])
@pytest.mark.parametrize("first", ["source", "post"])
def test_with_a_time_of_labels_the_newest_holds_whichever_came_first(world, known, holds, first):
    world.model(lookback="10d", label_time="told")
    for step in (first, "post" if first == "source" else "source", "source"):
        if step == "source":
            world.rows(days=3, y={FIRST: 1.0}, told={FIRST: str(at(known))})
        else:
            world.post(3.5, FIRST, 5, known=3.0)
        take(4 if step == first else 5)
    assert labelled() == {FIRST: holds}
    assert take(6) == [("landed", 0, 0)], "and it stays so"
    assert labelled() == {FIRST: holds}


def test_a_row_counts_from_when_its_label_became_known(world):
    world.model(label_time="told")
    take(3)
    world.post(3.5, FIRST, 5, known=20.0)
    take(21)
    assert labelled(day=19) == {}
    assert labelled(day=20) == {FIRST: 5.0}


@pytest.mark.parametrize("bad", ["many", 1e6])
def test_a_bad_label_goes_into_quarantine_and_holds_up_nothing_else(world, bad):
    world.model(lookback="10d")
    take(3)
    world.post(3.5, FIRST, bad)
    assert take(4) == [("landed", 0, 0), ("quarantined", 0, 0)]
    lake, quarantine = Stores.open().lake, Stores.open().quarantine
    assert quarantine.watermark("toy", INGEST) is None, "how far the source was asked is another matter"
    world.rows(days=4)
    world.post(4.5, SECOND, 6)
    assert take(5) == [("landed", 100, 0), ("landed", 0, 1)]
    assert labelled() == {SECOND: 6.0}
    (entry,) = quarantine.entries("toy")
    assert entry.failures[0].column == "y"
    world.post(5.5, FIRST, 5)
    retry(
        Stores.open().lake,
        Stores.open().quarantine,
        loader.load("toy"),
        entry.batch,
        "it was mended",
        pd.Timestamp(at(5.6)),
    )
    assert labelled() == {FIRST: 5.0, SECOND: 6.0}
    assert take(6) == [("landed", 0, 0)]
    assert lake.watermark("toy") == pd.Timestamp(at(6))


def test_a_batch_of_labels_is_released_or_dropped_like_any_other(world):
    take(3)
    world.post(3.5, FIRST, 1e6)
    take(4)
    world.post(4.5, SECOND, 2e6)
    take(5)
    first, second = Stores.open().quarantine.entries("toy")
    release(
        Stores.open().lake, Stores.open().quarantine, loader.load("toy"), first.batch, "it is true", pd.Timestamp(at(6))
    )
    drop(Stores.open().lake, Stores.open().quarantine, "toy", second.batch, "it is not", pd.Timestamp(at(6)))
    assert take(7) == []
    assert labelled() == {FIRST: 1e6}


def test_what_is_killed_before_it_is_told_is_there_once(world, monkeypatch):
    take(3)
    world.post(3.5, FIRST, 5)
    land = DeltaLake.land

    def killed(self, *given, **named):
        land(self, *given, **named)
        raise KeyboardInterrupt

    monkeypatch.setattr(DeltaLake, "land", killed)
    with pytest.raises(KeyboardInterrupt):
        ingest("toy", as_of=at(4))
    monkeypatch.undo()
    version = Stores.open().lake.version("toy")
    assert (take(4), take(5)) == ([], [])
    assert (labelled(), Stores.open().lake.version("toy")) == ({FIRST: 5.0}, version)


def test_a_column_that_the_row_never_had_does_not_keep_its_label_out(world, write_model):
    take(3)
    world.post(3.5, FIRST, 5)
    extra = '{"side": "category", "shelf": "integer"}'
    write_model(
        FILES.format(lookback="0d", more=f', "extra": {extra}')
    )  # the file has no such column: only labels come
    assert take(4) == [("landed", 0, 1)]
    assert labelled() == {FIRST: 5.0}
