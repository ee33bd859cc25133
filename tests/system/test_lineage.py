"""Traces: from an answer back to the files behind its model, and from a batch forward to answers."""

import json
from datetime import UTC, datetime

import pandas as pd
import pytest

from evergreen.definition import loader
from evergreen.errors import TraceError
from evergreen.governance import lineage
from evergreen.ingestion.release import release
from evergreen.lake import prediction_log
from evergreen.lake.lake import LABELS
from evergreen.reports.model_card import write
from evergreen.stores import Stores
from flows.ingest import ingest
from flows.monitor import monitor
from flows.refresh import refresh

FEED = """
from evergreen import Files

model = model.model_copy(update={"source": Files(path="feed/*.parquet", batch="7d")})
"""
FIRST = datetime(2013, 1, 29, tzinfo=UTC)
SECOND = datetime(2013, 2, 26, tzinfo=UTC)
LATER = datetime(2013, 3, 5, tzinfo=UTC)
BAD = "20130207-7"  # its value breaks the contract
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def story(worlds, server):
    """Two trainings on weekly files, one of which was put aside and released; the champion answered one caller."""
    with worlds("toy") as write:
        folder = write(FEED).parent.parent / "feed"
        folder.mkdir()
        toy = loader.load("toy")
        from tests.toy import rows

        for low in pd.date_range("2013-01-01", f"{LATER:%F}", freq="7D", tz="UTC", inclusive="left"):
            frame = rows(low, low + pd.Timedelta(days=7))
            frame.assign(y=frame["y"].where(frame["id"] != BAD, 101.0)).to_parquet(
                folder / f"{low:%m%d}.parquet", index=False
            )
        refresh("toy", as_of=FIRST)
        (quarantined,) = [batch.batch for batch in ingest("toy", as_of=SECOND) if batch.fate == "quarantined"]
        release(
            Stores.open().lake,
            Stores.open().quarantine,
            toy,
            quarantined,
            "the sensor is right",
            pd.Timestamp(SECOND),
            by="Ada",
        )
        refresh("toy", as_of=SECOND)
        champion = Stores.open().registry.champion("toy")
        head = {
            "head": "toy",
            "version": champion.number,
            "features": {"x": "number", "z": "number"},
            "beside": {},
            "timezone": "UTC",
        }
        line = {
            "ids": ["call-1"],
            "asked": [1360627200000000],
            "latency": [1.0],
            "rows": [[0.5, 0.1]],
            "answers": [[8.5]],
            "beside": {},
        }
        label = {"ids": ["call-1"], "known": [None], "values": [9.0], "arrived": 1360713600000000}
        label_head = {"head": "labels of toy", "table": LABELS}
        prediction_log.land(Stores.open().lake, "toy", [(line, head), (label, label_head)], "test", 1, SECOND)
        ingest("toy", as_of=LATER)
        monitor("toy", as_of=LATER)
        yield champion, quarantined


def test_a_version_is_traced_to_its_batches_their_files_and_who_let_them_in(story):
    champion, quarantined = story
    origin = lineage.origin(Stores.open(), "toy", "champion")
    judged = champion.refit_of or champion.number
    assert (origin.version, origin.judged, origin.verdict) == (champion.number, judged, "promote")
    assert (origin.trigger, origin.promoted_at) == ("schedule", SECOND.isoformat())
    assert (origin.commit, origin.lock, origin.run) == (champion.commit, champion.lock_hash, champion.run_id)
    assert sum(part.rows for part in origin.batches) == origin.rows
    folder = loader.path_of("toy").parent.parent / "feed"
    assert {part.source for part in origin.batches} <= {str(path) for path in folder.iterdir()}
    assert {part.batch: part.released_by for part in origin.batches if part.released_by} == {quarantined: "Ada"}
    assert [act.act for act in origin.acts] == ["verdict", "promotion"]


def test_an_answer_is_traced_to_the_version_that_gave_it(story):
    champion, _ = story
    prediction = lineage.of_prediction(Stores.open(), "toy", "call-1")
    assert (prediction.answer, json.loads(prediction.label), prediction.role) == ([8.5], 9.0, "champion")
    assert prediction.origin == lineage.origin(Stores.open(), "toy", champion.number)
    with pytest.raises(TraceError, match="has no prediction 'call-2' in its log"):
        lineage.of_prediction(Stores.open(), "toy", "call-2")


def test_a_batch_is_followed_to_every_version_that_learnt_from_it_and_to_their_answers(story):
    champion, quarantined = story
    origin = lineage.origin(Stores.open(), "toy", champion.number)
    for batch in origin.batches:
        became = lineage.of_batch(Stores.open(), "toy", batch.batch)
        mine = next(version for version in became.versions if version.version == champion.number)
        assert mine.rows == batch.rows
        assert (mine.served, mine.scored > 0) == (1, True)
        for other in became.versions:
            shares = {part.batch: part.rows for part in lineage.origin(Stores.open(), "toy", other.version).batches}
            assert shares[batch.batch] == other.rows
    became = lineage.of_batch(Stores.open(), "toy", quarantined)
    assert [(act.act, json.loads(act.detail)["fate"]) for act in became.acts] == [
        ("ingest", "quarantined"),
        ("quarantine", "released"),
    ]
    assert became.rows == 350
    assert [version.version for version in became.versions] == ["3", "4"][: len(became.versions)]
    with pytest.raises(TraceError, match="has no batch 'nothing'"):
        lineage.of_batch(Stores.open(), "toy", "nothing")


def test_the_card_says_what_a_person_outside_of_the_team_asks_for(story, tmp_path):
    champion, _ = story
    page = write(Stores.open(), "toy", "champion", tmp_path).read_text()
    number = champion.number
    for sentence in (
        f"Version {number} has been champion since 2013-02-26.",
        "Tests. It predicts <b>y</b>",
        "had not seen, the mean absolute error was",
        "95 % interval",
        "Compared with the previous champion, version 2, with",
        "that is better, by",
        "What changed since version 2",
        "y: values to be between (min_value -50, max_value 100)",
        "side up",
        "data:image/png;base64,",
        '<ol class="chain">',
        "1 released from quarantine",
    ):
        assert sentence in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert "was champion from 2013-01-29 on" in write(Stores.open(), "toy", "2", tmp_path).read_text()
