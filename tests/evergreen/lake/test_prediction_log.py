"""What was answered and what became of it: landed once, and read back as the rows of a model."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pyarrow as pa
import pytest

from evergreen import Served, Serving
from evergreen.lake import maintenance, prediction_log
from evergreen.lake.delta_lake import DeltaLake
from evergreen.lake.lake import LABELS, SERVED
from evergreen.lake.request_fields import FIELDS, RequestField
from evergreen.stores import Stores

NOON = datetime(2013, 1, 1, 12, tzinfo=UTC)
MOMENTS = {"asked": 1357041600000000, "later": 1357045200000000}
HEAD = {
    "head": "toy@1",
    "model": "toy",
    "version": "1",
    "features": {"x": "number", "group": "category"},
    "beside": {"id": "text", "at": "datetime"},
    "timezone": "UTC",
}
TOLD = {"head": "labels of toy", "model": "toy", "table": LABELS}


def line(*ids, x=1.0, asked=MOMENTS["asked"], **beside):
    rows = [[x, "a"] for _ in ids]
    return {
        "of": "toy@1",
        "ids": list(ids),
        "asked": [asked] * len(ids),
        "latency": [1.5] * len(ids),
        "rows": rows,
        "answers": [[2.0]] * len(ids),
        "beside": beside,
    }


def label(key, value, arrived=MOMENTS["asked"], known=None):
    return {"of": "labels of toy", "ids": [key], "known": [known], "values": [value], "arrived": arrived}


@pytest.fixture
def model(toy):
    return toy(source=Served(), key="id", time="asked_at", label_time="labelled_at", extra={"group": "category"})


@pytest.fixture
def lake(home):
    return Stores.open().lake


def land(lake, number, *pairs, now=NOON):
    prediction_log.land(lake, "toy", pairs, "app", number, now)


def table(lake, name):
    from deltalake import DeltaTable

    return DeltaTable(lake.uri("toy", name)).to_pandas()


def read(lake, model, since=NOON, until=NOON + timedelta(days=1)):
    rows = model.source.read(model, pd.Timestamp(since), pd.Timestamp(until), Stores.open().lake)
    return rows.set_index("id")


def test_a_segment_lands_once_however_often_it_is_moved(lake):
    for _ in range(3):
        land(lake, 1, (line("a", "b"), HEAD), (label("a", 5), TOLD))
    land(lake, 2, (line("c"), HEAD))
    land(lake, 1, (line("a", "b"), HEAD), (label("a", 5), TOLD))
    assert sorted(table(lake, SERVED)["_id"]) == ["a", "b", "c"]
    assert table(lake, LABELS)["_id"].tolist() == ["a"]


def test_a_move_that_was_cut_off_between_the_two_tables_is_ended_by_the_next(lake, monkeypatch):
    append = DeltaLake.append

    def killed(self, model, name, *rest, **more):
        if name == LABELS:
            raise KeyboardInterrupt
        append(self, model, name, *rest, **more)

    monkeypatch.setattr(DeltaLake, "append", killed)
    with pytest.raises(KeyboardInterrupt):
        land(lake, 1, (line("a"), HEAD), (label("a", 5), TOLD))
    monkeypatch.undo()
    land(lake, 1, (line("a"), HEAD), (label("a", 5), TOLD))
    assert (len(table(lake, SERVED)), len(table(lake, LABELS))) == (1, 1)


def test_what_was_answered_is_kept_by_its_kinds(lake):
    land(
        lake,
        1,
        (line("a", at=["2013-01-01T10:00:00"]), HEAD),
        (line("b"), HEAD),
        (line("c"), HEAD | {"head": "toy@2", "version": "2"}),
    )
    rows = table(lake, SERVED).set_index("_id")
    assert rows["_version"].to_dict() == {"a": "1", "b": "1", "c": "2"}
    assert set(rows["_role"]) == {"champion"}
    assert rows.loc["a", "at"] == pd.Timestamp("2013-01-01T10:00", tz="UTC")
    assert rows["at"].isna().to_dict() == {"a": False, "b": True, "c": True}
    assert rows.loc["a", "_answers"].tolist() == [2.0]
    assert rows.loc["a", "_time"] == pd.Timestamp("2013-01-01T12:00", tz="UTC")
    assert (rows["_landed"] == NOON).all()


def test_a_whole_number_of_any_size_may_stand_for_a_number(lake):
    land(lake, 1, (line("a", x=2**60 + 1), HEAD), (line("b", x=None), HEAD))
    assert table(lake, SERVED).set_index("_id")["x"].to_dict() == {
        "a": float(2**60),
        "b": pytest.approx(float("nan"), nan_ok=True),
    }


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-14:00", "9999-12-31T23:59", "0001-01-01T00:00:00+14:00"])
def test_a_time_at_an_end_of_the_calendar_is_one_that_can_be_read(lake, model, text):
    land(lake, 1, (line("a", at=[text]), HEAD | {"timezone": "America/New_York"}))
    assert read(lake, model).loc["a", "at"].to_pydatetime().year == int(text[:4])


def test_before_the_first_answer_there_is_nothing(lake, model):
    assert model.source.begins(model, pd.Timestamp(NOON), Stores.open().lake) is None
    land(lake, 1, (label("a", 1), TOLD))
    assert model.source.begins(model, pd.Timestamp(NOON), Stores.open().lake) is None
    land(lake, 2, (line("a"), HEAD))
    assert model.source.begins(model, pd.Timestamp(NOON), Stores.open().lake) == NOON


def test_answers_are_rows_and_their_labels_the_target(lake, model):
    land(lake, 1, (line("a", x=3.0), HEAD), (line("b"), HEAD))
    assert read(lake, model)["y"].isna().all()
    known = MOMENTS["later"]
    land(lake, 2, (label("a", 7.5, known=known), TOLD), (label("nobody", 1), TOLD))
    rows = read(lake, model)
    assert rows.index.tolist() == ["a", "b"]
    assert (rows.loc["a", "y"], rows.loc["a", "x"], rows.loc["a", "group"]) == (7.5, 3.0, "a")
    assert rows.loc["a", "labelled_at"] == pd.Timestamp(known, unit="us", tz="UTC")
    assert rows.loc["b", ["y", "labelled_at"]].isna().all()
    assert (rows["asked_at"] == pd.Timestamp(MOMENTS["asked"], unit="us", tz="UTC")).all()


def test_a_label_that_comes_late_brings_its_row_again_and_the_newest_holds(lake, model):
    land(lake, 1, (line("a"), HEAD), (line("b"), HEAD))
    day = timedelta(days=1)
    land(lake, 2, (label("a", 1, arrived=10), TOLD), now=NOON + 5 * day)
    land(lake, 3, (label("a", 2, arrived=30), TOLD), (label("a", 3, arrived=20), TOLD), now=NOON + 9 * day)
    assert read(lake, model, NOON + day, NOON + 5 * day).empty
    again = read(lake, model, NOON + 9 * day, NOON + 10 * day)
    assert again["y"].to_dict() == {"a": 2}


def test_of_an_id_that_was_asked_twice_the_newest_answer_holds(lake, model):
    land(lake, 1, (line("a", x=1.0), HEAD), (line("a", x=2.0, asked=MOMENTS["later"]), HEAD))
    assert read(lake, model)["x"].to_dict() == {"a": 2.0}


def test_what_only_a_shadow_answered_is_no_row(lake, model):
    land(lake, 1, (line("a"), HEAD), (line("b"), HEAD | {"head": "toy@2", "role": "shadow"}))
    assert read(lake, model).index.tolist() == ["a"]


def test_a_time_that_the_caller_sent_is_the_rows_time(lake, model):
    head = HEAD | {"beside": {"asked_at": "datetime"}}
    land(lake, 1, (line("a", asked_at=["2012-12-31T00:00:00"]), head), (line("b"), head))
    assert read(lake, model)["asked_at"].to_dict() == {
        "a": pd.Timestamp("2012-12-31", tz="UTC"),
        "b": pd.Timestamp(MOMENTS["asked"], unit="us", tz="UTC"),
    }


def test_a_column_whose_kind_has_changed_is_kept_under_a_name_of_its_own(lake):
    land(lake, 1, (line("a", x=1.5), HEAD))
    changed = HEAD | {"features": {"x": "text", "group": "category"}}
    for number in (2, 3):
        land(lake, number, (line(f"b{number}", x="high"), changed))
    rows = table(lake, SERVED).set_index("_id")
    assert rows["x"].dropna().to_dict() == {"a": 1.5}
    assert rows["_other:x as string"].dropna().to_dict() == {"b2": "high", "b3": "high"}


def test_what_is_older_than_the_model_file_wants_it_kept_is_forgotten(lake, toy):
    day = 24 * 3600 * 1_000_000
    old = MOMENTS["asked"] - 10 * day
    land(
        lake,
        1,
        (line("old", asked=old), HEAD),
        (line("new"), HEAD),
        (label("old", 1, old), TOLD),
        (label("new", 2), TOLD),
    )
    assert maintenance.apply_retention(lake, toy(), pd.Timestamp(NOON)) == 0
    model = toy(serving=Serving(retention="7d"))
    assert maintenance.apply_retention(lake, model, pd.Timestamp(NOON)) == 2
    assert table(lake, SERVED)["_id"].tolist() == table(lake, LABELS)["_id"].tolist() == ["new"]
    land(lake, 1, (line("old", asked=old), HEAD))
    assert maintenance.apply_retention(lake, model, pd.Timestamp(NOON)) == 0, "and does not come back"


def test_a_segment_of_before_a_field_existed_gets_its_default(lake, monkeypatch):
    older = line("a", "b")
    del older["latency"]
    added = RequestField(
        "caller", "_caller", lambda values: pa.array(values, pa.string()), value=None, default="unknown"
    )
    monkeypatch.setattr(prediction_log, "FIELDS", (*FIELDS, added))
    land(lake, 1, (older, HEAD), (line("c") | {"caller": ["shop"]}, HEAD))
    landed = table(lake, SERVED).set_index("_id")
    assert landed["_latency"].isna().to_dict() == {"a": True, "b": True, "c": False}
    assert landed["_caller"].to_dict() == {"a": "unknown", "b": "unknown", "c": "shop"}
