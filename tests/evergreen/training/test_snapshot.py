"""A snapshot: what was known at a moment, in a pinned version; never a label from later."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen import Training
from evergreen.errors import LakeError, NotEnoughDataError
from evergreen.ingestion.schema import cast
from evergreen.lake.delta_lake import DeltaLake
from evergreen.lake.lake import INGEST
from evergreen.registry.version import Version
from evergreen.training import recipe
from evergreen.training.snapshot import Snapshot
from evergreen.training.split import refit

START = pd.Timestamp("2013-01-01", tz="UTC")
HOUR = pd.Timedelta(hours=1)
COUNT = 72
BY_DELAY = {"label_delay": "7h"}
BY_COLUMN = {"label_time": "known"}
KINDS = {"delayed": BY_DELAY, "told": BY_COLUMN, "both": BY_DELAY | BY_COLUMN}


def counts_from(table, name, snapshot):
    """When each label counts: when it came, and not before its row is as old as the delay, declared or learned."""
    assert snapshot.label_delay >= snapshot.model.label_delay
    delayed = table["at"] + snapshot.label_delay
    return delayed if name == "delayed" else table["known"].clip(lower=delayed)


def land(lake, model, rows, mark=1):
    fitting, problems = cast(rows, model)
    assert problems == []
    lake.land(model, fitting, f"b{mark}", START, app=INGEST, mark=START + mark * HOUR)


@pytest.fixture(scope="module")
def lake(tmp_path_factory, table, toy):
    """The rows in the lake, out of order, once for a model of each kind."""
    delta_lake = DeltaLake(str(tmp_path_factory.mktemp("lake")))
    shuffled = table.sample(frac=1, random_state=0)
    for name, how in KINDS.items():
        land(delta_lake, toy(name=name, **how), shuffled)
    return delta_lake


HOURS = st.integers(-5, COUNT + 40)


@settings(max_examples=40)
@given(st.sampled_from(sorted(KINDS)), HOURS, st.none() | HOURS, HOURS)
def test_exactly_the_labels_known_by_then_are_read_in_order(toy, table, lake, name, as_of, since, until):
    model = toy(name=name, **KINDS[name])
    now, low, high = (None if hour is None else START + hour * HOUR for hour in (as_of, since, until))
    snapshot = Snapshot.pin(lake, model, now)
    known_at = counts_from(table, name, snapshot)
    wanted = table["y"].notna() & (known_at <= now) & (table["at"] < high)
    wanted &= True if low is None else table["at"] >= low
    rows = snapshot.labelled(low, high)
    assert rows["id"].tolist() == table["id"][wanted].tolist()


@settings(max_examples=40)
@given(st.sampled_from(sorted(KINDS)), HOURS, st.integers(1, COUNT), st.none() | st.integers(1, COUNT))
def test_exactly_the_labels_known_before_the_holdout_began_train(toy, table, lake, name, as_of, holdout, window):
    training = Training(holdout=f"{holdout}h", window=None if window is None else f"{window}h")
    model = toy(name=name, training=training, **KINDS[name])
    snapshot = Snapshot.pin(lake, model, START + as_of * HOUR)
    try:
        bounds = recipe.plan(model, snapshot, "demand").split
    except NotEnoughDataError:
        return  # no label is known yet, which is said
    known_at = counts_from(table, name, snapshot)
    wanted = table["y"].notna() & (known_at < bounds.holdout_from) & (known_at <= snapshot.as_of)
    wanted &= table["at"] < bounds.holdout_from
    wanted &= True if window is None else table["at"] >= bounds.train_from
    assert snapshot.training(bounds)["id"].tolist() == table["id"][wanted].tolist()

    again = snapshot.training(refit(bounds))
    assert again["id"].tolist() == snapshot.labelled(again["at"].min(), bounds.holdout_until)["id"].tolist()
    assert again["at"].max() == snapshot.newest()


@settings(max_examples=20)
@given(st.sampled_from(sorted(KINDS)), HOURS)
def test_the_newest_row_is_the_last_whose_label_is_known(toy, table, lake, name, as_of):
    model = toy(name=name, **KINDS[name])
    snapshot = Snapshot.pin(lake, model, START + as_of * HOUR)
    known = snapshot.labelled(None, START + 2 * COUNT * HOUR)
    if len(known):
        assert snapshot.newest() == known["at"].max()
    else:
        with pytest.raises(NotEnoughDataError):
            snapshot.newest()


def test_rows_have_the_declared_columns_and_kinds(toy, table, lake):
    rows = Snapshot.pin(lake, toy(name="delayed"), START + COUNT * HOUR).labelled(START, START + 3 * HOUR)
    assert rows.dtypes.astype(str).to_dict() == {
        "id": "str",
        "at": "datetime64[us, UTC]",
        "x": "float64",
        "group": "str",
        "y": "float64",
    }


def test_all_labels_missing_is_not_enough_data_and_says_where_to_look(toy, table, tmp_path):
    lake = DeltaLake(str(tmp_path))
    land(lake, toy(), table.assign(y=None))
    with pytest.raises(NotEnoughDataError, match="no label is known by 2013-02-01 00:00 in version 0 of the table"):
        Snapshot.pin(lake, toy(), pd.Timestamp("2013-02-01", tz="UTC")).newest()


def test_a_pinned_version_does_not_see_what_lands_or_is_corrected_later(toy, table, tmp_path):
    lake, model, end = DeltaLake(str(tmp_path)), toy(), START + 2 * COUNT * HOUR
    land(lake, model, table[:10], mark=1)
    before = Snapshot.pin(lake, model, end)
    read = before.labelled(None, end)
    land(lake, model, table[:20].assign(y=7.0), mark=2)
    pd.testing.assert_frame_equal(before.labelled(None, end), read)
    assert Snapshot.pin(lake, model, end).labelled(None, end)["y"].tolist() == [7.0] * 20


def test_the_snapshot_of_a_version_is_the_one_in_its_tags(toy, lake):
    tags = {"table_version": "3", "as_of": "2013-01-05T00:00:00+00:00"}
    version = Version("toy", "1", "r", "s", tags)
    assert Snapshot.of(lake, toy(), version) == Snapshot(lake, toy(), 3, pd.Timestamp("2013-01-05", tz="UTC"))


def test_a_version_that_was_vacuumed_away_is_a_lake_error(toy, lake):
    with pytest.raises(LakeError, match="Cannot open"):
        Snapshot(lake, toy(name="delayed"), 9, START).newest()


def test_a_model_without_rows_has_nothing_to_pin(toy, lake):
    with pytest.raises(LakeError, match="has no rows yet"):
        Snapshot.pin(lake, toy(name="nobody"), START)
