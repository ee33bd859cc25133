"""The past: nothing that was not known at a moment can be read, and nothing is written to the lake."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.errors import LakeError
from evergreen.ingestion.schema import cast
from evergreen.lake.delta_lake import DeltaLake
from evergreen.lake.lake import DECISIONS, INGEST, ROWS
from evergreen.replay.point_in_time import PointInTimeLake
from evergreen.training import recipe
from evergreen.training.snapshot import Snapshot

START = pd.Timestamp("2013-01-01", tz="UTC")
HOUR = pd.Timedelta(hours=1)
COUNT = 72
LOADED = START + 30 * HOUR  # the first ingest brings what had gathered; each later one a piece
KINDS = {"delayed": {"label_delay": "7h"}, "told": {"label_time": "known"}}


@pytest.fixture(scope="module")
def arrived(table):
    """When each row came: at the first ingest, or at the next one, every six hours; two came ten hours late."""
    hours = np.where(table.index < 30, 30, 30 + 6 * np.ceil((table.index.to_numpy() - 29) / 6).astype(int))
    return START + pd.to_timedelta(hours + 10 * np.isin(table.index, [40, 41]), unit="h")


@pytest.fixture(scope="module")
def lake(tmp_path_factory, table, arrived, toy):
    delta_lake = DeltaLake(str(tmp_path_factory.mktemp("lake")))
    for name, how in KINDS.items():
        model = toy(name=name, **how)
        for number, (moment, some) in enumerate(table.groupby(arrived), start=1):
            fitting, problems = cast(some.reset_index(drop=True), model)
            assert problems == []
            delta_lake.land(model, fitting, f"b{number}", moment, app=INGEST, mark=START + number * HOUR)
    return delta_lake


@pytest.fixture(scope="module")
def pasts(lake, toy):
    return {name: PointInTimeLake.of(lake, toy(name=name, **how), lake.version(name)) for name, how in KINDS.items()}


def seen(past):
    return past.query(past.model, f"SELECT * FROM {ROWS} ORDER BY id")


@settings(max_examples=60)
@given(name=st.sampled_from(list(KINDS)), hours=st.floats(-5, COUNT + 60))
def test_a_row_is_there_from_its_arrival_on_and_its_label_from_when_it_was_known(pasts, table, arrived, name, hours):
    now = (START + hours * HOUR).floor("us")
    there = (table["at"] < now) & ((arrived <= now) | (table.index < 30))
    arrival = table["at"].where(table.index < 30, np.maximum(table["at"], arrived))
    label_known = table["known"] if name == "told" else table["at"] + 7 * HOUR
    known = label_known.where(label_known >= arrival, arrival).where(label_known.notna())
    visible = seen(pasts[name].at(now))
    assert visible["id"].tolist() == table["id"][there].tolist()
    label = table["y"].where(known <= now)[there]
    np.testing.assert_array_equal(visible["y"].to_numpy(dtype=float, na_value=np.nan), label.to_numpy())
    if name == "told":
        assert visible["known"].notna().tolist() == label.notna().tolist()
    assert (visible["_arrived"] <= now).all()


@settings(max_examples=30)
@given(name=st.sampled_from(list(KINDS)), pinned=st.integers(0, COUNT), later=st.integers(0, COUNT))
def test_a_version_is_a_moment_and_a_later_one_shows_no_more_of_it(pasts, name, pinned, later):
    then = pasts[name].at(START + pinned * HOUR)
    now = pasts[name].at(START + (pinned + later) * HOUR)
    pd.testing.assert_frame_equal(
        now.query(now.model, f"SELECT * FROM {ROWS} ORDER BY id", version=then.version(name)), seen(then)
    )


def test_a_history_that_was_loaded_trains_as_the_lake_does(tmp_path, table, toy):
    model, lake = toy(name="delayed", **KINDS["delayed"]), DeltaLake(str(tmp_path))
    fitting, _ = cast(table, model)
    lake.land(model, fitting, "b1", START + 100 * HOUR, app=INGEST, mark=START + HOUR)
    past = PointInTimeLake.of(lake, model, lake.version(model.name))
    model = model.model_copy(
        update={"training": model.training.model_copy(update={"window": 20 * HOUR, "holdout": 9 * HOUR})}
    )
    for hours in (45, 52, 70):
        now = START + hours * HOUR
        planned = [recipe.plan(model, Snapshot.pin(source, model, now), "") for source in (lake, past.at(now))]
        assert planned[0].split == planned[1].split
        rows = [training.snapshot.training(training.split) for training in planned]
        assert len(rows[0])
        pd.testing.assert_frame_equal(*rows)


def test_what_is_written_stays_beside_it(lake, pasts):
    past = pasts["told"].without_written()
    before = lake.version("told"), past.exists("told", DECISIONS)
    first, second = (pa.table({"id": [name], "n": [number]}) for name, number in (("a", 1), ("b", 2)))
    past.append("told", DECISIONS, first)
    past.at(START).replace("told", DECISIONS, second, "id = 'b'")
    past.replace("told", DECISIONS, pa.table({"id": ["a"], "n": [3]}), "id = 'a'")
    decisions = past.query(past.model, f"SELECT * FROM {DECISIONS} ORDER BY id", tables=[DECISIONS])
    assert decisions.to_dict("list") == {"id": ["a", "b"], "n": [3, 2]}
    assert (
        lake.version("told"),
        pasts["told"].without_written().exists("told", DECISIONS),
        lake.exists("told", DECISIONS),
    ) == (
        *before,
        False,
    )


def test_the_past_cannot_be_changed(pasts, table, toy, tmp_path):
    past = pasts["told"]
    some, _ = cast(table.head(1), past.model)
    for change in (
        lambda: past.land(past.model, some, "b", START, app="a", mark=START),
        lambda: past.compact("told", ROWS),
        lambda: past.delete_before("told", ROWS, "at", START),
        lambda: past.watermark("told"),
        lambda: past.erase(past.model, ROWS, {"id": "h1"}),
    ):
        with pytest.raises(LakeError, match="read-only in a replay"):
            change()


def test_what_lands_meanwhile_is_no_part_of_a_past(tmp_path, table, toy):
    model, lake = toy(name="told", **KINDS["told"]), DeltaLake(str(tmp_path))
    for number, some in enumerate((table.head(30), table.iloc[30:].reset_index(drop=True)), start=1):
        fitting, _ = cast(some, model)
        lake.land(model, fitting, f"b{number}", LOADED, app=INGEST, mark=START + number * HOUR)
    past = PointInTimeLake.of(lake, model, 0)
    assert seen(past)["id"].tolist() == table["id"].head(30).tolist()
