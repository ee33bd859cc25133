"""Labels that come sooner for one outcome than for the other: waited for, told, and the same rows at any later time."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from evergreen.definition import loader
from evergreen.governance import outlook
from evergreen.governance.reproduction import reproduce
from evergreen.stores import Stores
from evergreen.training.recipe import split_of
from evergreen.training.snapshot import Snapshot, maturity_of
from flows.ingest import ingest
from flows.refresh import refresh
from flows.train import train

MARCH, LATER = datetime(2013, 3, 20, tzinfo=UTC), datetime(2013, 5, 1, tzinfo=UTC)
SLOW = timedelta(days=20)
BY_OUTCOME = """
TURN = pd.Timestamp("2014-01-01", tz="UTC")
usual = rows


def late(since, until):
    found = usual(since, until)
    told = found["at"] + pd.to_timedelta(1 + 19 * (found["y"] < 10), unit="D")
    return found.assign(y=found["y"].where(told <= until), told=told.where(told <= until))


source = Call(function=late, start="2012-11-01", lookback="30d")
model = model.model_copy(update={"source": source, "label_time": "told"})
"""
pytestmark = pytest.mark.long


@pytest.fixture
def trained(write_model):
    write_model(BY_OUTCOME)
    outcome = refresh("toy", as_of=MARCH)
    stores = Stores.open()
    return outcome, stores, stores.registry.version("toy", outcome.challenger), loader.load("toy")


def test_only_rows_old_enough_for_both_outcomes_take_part_and_are_judged(trained):
    _, stores, version, model = trained
    assert SLOW - timedelta(hours=1) < maturity_of(version).delay <= SLOW
    bounds, snapshot = split_of(version), Snapshot.of(stores.lake, model, version)
    assert bounds.holdout_until <= MARCH - SLOW + timedelta(hours=1)
    for rows in (snapshot.training(bounds), snapshot.labelled(bounds.holdout_from, bounds.holdout_until)):
        assert len(rows) >= 300
        assert 0.4 < (rows["y"] < 10).mean() < 0.6
    assert snapshot.training(bounds)["at"].max() <= bounds.holdout_from - maturity_of(version).delay
    assert reproduce(stores.registry, "toy", version.number).same


def test_the_bias_is_told_by_the_training_and_by_doctor(trained):
    outcome, stores, _, model = trained
    told = "Early labels are a biased sample: one quarter of the values makes up"
    assert [note.startswith(told) for note in outcome.notes] == [True]
    assert any(finding.why.startswith(told) for finding in outlook.examine(stores, model, pd.Timestamp(MARCH)))


def test_what_is_read_later_as_of_the_same_moment_is_the_same(trained):
    _, stores, version, model = trained
    bounds = split_of(version)
    then = Snapshot.of(stores.lake, model, version)
    ingest("toy", as_of=LATER)
    again = Snapshot.pin(stores.lake, model, pd.Timestamp(MARCH))
    assert again.version > then.version
    assert again.maturity == then.maturity
    for part in (Snapshot.training, lambda snapshot, _: snapshot.labelled(None, bounds.holdout_until)):
        pd.testing.assert_frame_equal(part(again, bounds), part(then, bounds))
    assert train("toy", as_of=MARCH).challenger != version.number  # the table has another version
    newest = stores.registry.origin(stores.registry.versions("toy")[0])
    assert newest.data_hash == version.data_hash


def test_the_version_of_an_earlier_release_has_the_declared_delay(trained):
    _, stores, version, model = trained
    tags = {name: text for name, text in version.tags.items() if name != "label_maturity"}
    before = type(version)(version.model, version.number, version.run_id, version.source, tags)
    assert Snapshot.of(stores.lake, model, before).label_delay == model.label_delay
