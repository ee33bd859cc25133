"""The lake, on real Delta tables: every row once, corrections visible, old versions kept."""

import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.errors import LakeError, LakeSchemaError, NoRowsError
from evergreen.ingestion.schema import cast
from evergreen.lake.delta_lake import DeltaLake
from evergreen.lake.lake import INGEST, time_range
from evergreen.lake.landing import Landed
from evergreen.stores import Stores

START = pd.Timestamp("2013-01-01", tz="UTC")
DAY = pd.Timedelta(days=1)


def batch(model, values, **columns):
    """Rows by key: their label, or None where it is not known."""
    given_rows = pd.DataFrame({"id": list(values), "at": START, "group": "a", "x": 1.0, "y": list(values.values())})
    rows, problems = cast(given_rows.assign(**columns), model)
    assert problems == []
    return rows


def land(lake, model, values, mark, app=INGEST, **columns):
    rows = batch(model, values, **columns)
    return lake.land(model, rows, f"b{mark}", START + mark * DAY, app=app, mark=START + mark * DAY)


def held(lake, model, version=None):
    rows = lake.query(model, "SELECT id, y FROM rows", version=version)
    assert rows["id"].is_unique
    return {key: None if pd.isna(label) else label for key, label in zip(rows["id"], rows["y"], strict=True)}


@pytest.fixture
def lake(tmp_path):
    return DeltaLake(str(tmp_path / "lake"))


KEYS = st.sampled_from([f"k{i}" for i in range(6)])
LABELS = st.none() | st.integers(0, 2).map(float)
BATCHES = st.lists(st.tuples(st.dictionaries(KEYS, LABELS, max_size=5), st.integers(1, 6)), min_size=1, max_size=6)


@settings(max_examples=30)
@given(BATCHES)
def test_any_sequence_of_batches_ends_as_a_dictionary_of_them_would(toy, batches):
    """Overlaps, repeats, corrections, labels that come late, and marks that were sent before."""
    model, expected, reached = toy(), {}, 0
    with tempfile.TemporaryDirectory() as folder:
        lake = DeltaLake(folder)
        for values, mark in batches:
            landed = land(lake, model, values, mark)
            if mark > reached:
                fresh = [key for key in values if key not in expected]
                changed = [key for key in values if key in expected and expected[key] != values[key]]
                same = len(values) - len(fresh) - len(changed)
                assert (landed.new, landed.corrected, landed.same) == (len(fresh), len(changed), same)
                expected, reached = expected | values, mark
            else:
                assert (landed.new, landed.corrected, landed.same) == (0, 0, len(values))
            assert lake.watermark(model.name) == START + reached * DAY
            assert held(lake, model) == expected


@pytest.mark.parametrize("key", ["m", "é" * 100, "z" * 200, "\U0010ffff" * 80], ids=["short", "é", "z", "highest"])
def test_a_key_is_known_again_however_the_table_sums_up_its_files(toy, lake, key):
    """Files are skipped by the least and the greatest key that the table notes, which it cuts short."""
    land(lake, toy(), {"a" * 200: 1.0, key: 1.0}, 1)
    land(lake, toy(), {"b": 1.0}, 2)
    assert land(lake, toy(), {key: 2.0}, 3) == Landed(version=2, new=0, corrected=1, same=0)


def test_the_same_batch_again_changes_nothing_not_even_the_version(toy, lake):
    first = land(lake, toy(), {"a": 1.0, "b": None}, mark=1)
    again = land(lake, toy(), {"a": 1.0, "b": None}, mark=1)
    assert first == Landed(version=0, new=2, corrected=0, same=0)
    assert again == Landed(version=0, new=0, corrected=0, same=2)


def test_two_applications_keep_their_own_marks(toy, lake):
    land(lake, toy(), {"a": 1.0}, mark=5)
    released = land(lake, toy(), {"b": 2.0}, mark=2, app="evergreen.release.x")
    assert released.new == 1
    assert lake.watermark("toy") == START + 5 * DAY
    assert lake.watermark("toy", "evergreen.release.x") == START + 2 * DAY


def test_a_correction_is_visible_in_the_history_and_the_old_version_readable(toy, lake):
    model = toy()
    land(lake, model, {"a": 1.0, "b": 2.0}, mark=1)
    land(lake, model, {"b": 3.0, "c": 4.0}, mark=2)
    newest, first = lake.history("toy")
    assert [newest[f"evergreen.{name}"] for name in ("batch", "new", "corrected")] == ["b2", "1", "1"]
    assert [first[f"evergreen.{name}"] for name in ("batch", "new", "corrected")] == ["b1", "2", "0"]
    assert held(lake, model, version=0) == {"a": 1.0, "b": 2.0}
    assert held(lake, model) == {"a": 1.0, "b": 3.0, "c": 4.0}


def test_each_row_tells_the_batch_that_it_came_or_was_corrected_with(toy, lake):
    model = toy()
    land(lake, model, {"a": 1.0, "b": 2.0}, mark=1)
    land(lake, model, {"a": 1.0, "b": 3.0}, mark=2)
    rows = lake.query(model, "SELECT id, _batch, _arrived FROM rows ORDER BY id")
    assert rows["_batch"].tolist() == ["b1", "b2"]
    assert rows["_arrived"].tolist() == [START + DAY, START + 2 * DAY]


def test_an_empty_batch_moves_the_watermark_alone(toy, lake):
    land(lake, toy(), {"a": 1.0}, mark=1)
    assert land(lake, toy(), {}, mark=2) == Landed(version=1, new=0, corrected=0, same=0)
    assert lake.watermark("toy") == START + 2 * DAY
    assert lake.newest("toy", "at") == START


def test_a_key_of_two_columns_tells_rows_apart_by_both(toy, lake):
    model = toy(key=["id", "group"])
    land(lake, model, {"a": 1.0}, mark=1)
    landed = lake.land(
        model,
        pd.concat([batch(model, {"a": 2.0}), batch(model, {"a": 3.0}, group="b")]),
        "b2",
        START,
        app=INGEST,
        mark=START + 2 * DAY,
    )
    assert (landed.new, landed.corrected) == (1, 1)


KINDS = {
    "number": [1.5, None],
    "integer": [2**60 + 1, 7],
    "category": ["p", None],
    "text": ["", 'it\'s "so"'],
    "boolean": [True, None],
    "datetime": ["2013-01-01T00:00:00.000001Z", None],
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_comes_back_as_it_went_in_and_is_known_again(toy, lake, kind):
    model = toy(features={"z": kind}, extra={}, slices=[])
    rows = batch(model, {"a": 1.0, "b": 2.0}, z=pd.Series(KINDS[kind]))
    lake.land(model, rows, "b1", START, app=INGEST, mark=START)
    back = lake.query(model, "SELECT z FROM rows ORDER BY id")["z"]
    assert [pd.isna(value) or value for value in back] == [pd.isna(value) or value for value in rows["z"]]
    assert lake.land(model, rows, "b2", START, app=INGEST, mark=START + DAY).same == 2


def test_a_new_declared_column_is_taken_in_and_old_rows_may_be_completed(toy, lake):
    land(lake, toy(), {"a": 1.0, "b": 1.0}, mark=1)
    wider = toy(extra={"group": "category", "shop": "category"})
    landed = land(lake, wider, {"a": 1.0, "c": 1.0}, mark=2, shop="north")
    assert (landed.new, landed.corrected) == (1, 1)
    rows = lake.query(wider, "SELECT id, shop FROM rows ORDER BY id")
    assert rows["shop"].fillna("-").tolist() == ["north", "-", "north"]


def test_a_column_that_is_no_longer_declared_stays_in_the_table(toy, lake):
    land(lake, toy(), {"a": 1.0}, mark=1)
    narrower = toy(extra={}, slices=[])
    land(lake, narrower, {"b": 1.0}, mark=2)
    assert lake.query(narrower, 'SELECT "group" FROM rows ORDER BY id')["group"].fillna("-").tolist() == ["a", "-"]


@pytest.mark.parametrize(
    ("kind", "value"), [("category", "high"), ("category", "1.5"), ("integer", 2), ("datetime", "2013-01-01")]
)
def test_a_column_of_another_kind_than_the_tables_is_refused_and_nothing_changes(toy, lake, kind, value):
    model = toy()
    land(lake, model, {"a": 1.0}, mark=1)
    with pytest.raises(LakeError, match=rf"'x' is declared {kind} .* holds double"):
        land(lake, toy(features={"x": kind}), {"b": 1.0}, mark=2, x=value)
    assert (held(lake, model), lake.version("toy")) == ({"a": 1.0}, 0)
    assert lake.watermark("toy") == START + DAY


def test_small_files_are_put_together_and_nothing_else_changes(toy, lake):
    model = toy()
    for mark in range(1, 9):
        land(lake, model, {f"k{mark}": float(mark)}, mark)
    before = (held(lake, model), lake.version("toy"), lake.watermark("toy"), lake.newest("toy", "at"))
    assert lake.compact("toy", "rows") == 8
    assert lake.history("toy")[0]["operation"] == "OPTIMIZE"
    assert (held(lake, model), lake.version("toy"), lake.watermark("toy"), lake.newest("toy", "at")) == before
    assert lake.compact("toy", "rows") == 0
    assert lake.compact("toy", "predictions") == 0
    assert len(held(lake, model, version=2)) == 3
    assert land(lake, model, {"k1": 7.0}, 9).corrected == 1
    assert lake.version("toy") == before[1] + 2


def test_no_file_is_read_that_cannot_hold_what_is_asked_for(toy, lake):
    """Neither by a question of a period, whatever else it asks, nor by a batch that looks for its keys."""
    model = toy()
    land(lake, model, {"a": 1.0}, 1)
    (old,) = lake.opened(model.name).file_uris()
    land(lake, model, {"c": 2.0, "d": 2.0}, 2, at=START + 3 * DAY)
    land(lake, model, {"c": 3.0}, 3, at=START + 3 * DAY)
    Path(old).unlink()
    sql, bounds = 'SELECT id, y FROM rows WHERE "at" >= $since AND id != $not', {"since": START + DAY, "not": "d"}
    assert lake.query(model, sql, bounds).to_dict("list") == {"id": ["c"], "y": [3.0]}
    assert land(lake, model, {"b": 1.0, "c": 3.0}, 4, at=START + 3 * DAY) == Landed(
        version=3, new=1, corrected=0, same=1
    )
    with pytest.raises(LakeError, match="No such file"):
        held(lake, model)


def test_a_row_is_not_written_anew_with_every_few_batches_however_long_the_table(lake):
    random = np.random.default_rng(0)
    for _ in range(64):
        lake.append("toy", "audit", pa.table({"x": random.normal(size=2_500)}))
        lake.compact("toy", "audit")
    table = lake.opened("toy", "audit")
    moved = [
        json.loads(commit["operationMetrics"]["filesRemoved"])
        for commit in table.history()
        if "OPTIMIZE" in commit.values()
    ]
    sizes = table.get_add_actions(flatten=True).column("size_bytes").to_pylist()
    assert sum(files["totalSize"] for files in moved) < 2.5 * sum(sizes)
    assert len(sizes) < 16
    assert len(table.to_pandas()) == 64 * 2_500


def test_before_the_first_batch_there_is_nothing(toy, lake):
    assert (lake.exists("toy"), lake.watermark("toy"), lake.history("toy")) == (False, None, [])
    assert lake.newest("toy", "at") is None
    with pytest.raises(LakeError, match=r"toy has no rows yet at .*Run `evergreen ingest toy`"):
        lake.version("toy")


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("lake", "Cannot read the format of the state in .*/lake"),
        ("lake/toy", "Cannot (write|open) .*/lake/toy/rows"),
        ("lake/toy/rows", "Cannot (write|open) .*/lake/toy/rows"),
    ],
)
def test_a_file_in_the_place_of_a_folder_is_a_lake_error_with_a_reason(toy, tmp_path, place, says):
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).write_text("in the way")
    with pytest.raises(LakeError, match=rf"{says}: .*[Nn]ot a directory"):
        land(DeltaLake(str(tmp_path / "lake")), toy(), {"a": 1.0}, mark=1)


@pytest.mark.parametrize("sql", ["SELECT nothing FROM rows", "SELEC"])
def test_a_question_that_cannot_be_answered_is_a_lake_error(toy, lake, sql):
    land(lake, toy(), {"a": 1.0}, mark=1)
    with pytest.raises(LakeError, match=r"Cannot read .*toy/rows"):
        lake.query(toy(), sql)


def test_a_version_that_there_is_not_is_a_lake_error(toy, lake):
    land(lake, toy(), {"a": 1.0}, mark=1)
    with pytest.raises(LakeError, match="Cannot open"):
        lake.query(toy(), "SELECT * FROM rows", version=7)


def test_models_have_tables_of_their_own(toy, lake):
    land(lake, toy(), {"a": 1.0}, mark=1)
    assert not lake.exists("other")


def test_the_lake_lies_in_the_home_unless_a_setting_says_otherwise(home, monkeypatch):
    assert Stores.open().lake == DeltaLake(str(home / "lake"))
    monkeypatch.setenv("EVERGREEN_LAKE", "s3://bucket/lake")
    assert Stores.open().lake.uri("toy") == "s3://bucket/lake/toy/rows"


def test_the_reach_of_a_table_is_that_of_its_rows(lake, toy):
    model = toy()
    with pytest.raises(NoRowsError, match="evergreen ingest toy"):
        time_range(lake, model, "at")
    land(lake, model, {"a": 1.0}, 1)
    land(lake, model, {"b": 2.0}, 2, at=START + 3 * DAY)
    assert time_range(lake, model, "at") == (START, START + 3 * DAY)
    lake.opened(model.name).delete()
    with pytest.raises(NoRowsError, match="evergreen ingest toy"):
        time_range(lake, model, "at")


@pytest.mark.parametrize("where", ["id = $key", "id IN ($key, 'nobody')", "_batch = 'b2' AND id = $key"])
def test_rows_are_found_by_text_also_after_some_were_corrected_and_others_came(lake, toy, where):
    land(lake, toy(), {"a": 1.0, "b": 2.0}, 1)
    land(lake, toy(), {"b": 3.0}, 2)
    land(lake, toy(), {"c": 4.0}, 3)
    assert lake.query(toy(), f"SELECT y FROM rows WHERE {where}", {"key": "b"})["y"].tolist() == [3.0]


FEATURES = {"x": "number", "_foo": "number", "_batch": "category", "_Arrived": "category"}


def test_columns_of_a_user_are_kept_apart_from_our_own(toy, lake):
    model = toy(features=FEATURES)
    columns = {"_foo": 1.0, "_batch": "theirs", "_Arrived": "never"}
    land(lake, model, {"a": 1.0, "b": 2.0}, 1, **columns)
    land(lake, model, {"a": 1.0, "b": 3.0}, 2, **columns | {"_foo": [1.0, 4.0]})
    queried = lake.query(model, 'SELECT id, "_user:_batch", "_user:_Arrived", "_user:_foo" FROM rows ORDER BY id')
    assert queried.to_dict("list") == {
        "id": ["a", "b"],
        "_batch": ["theirs"] * 2,
        "_Arrived": ["never"] * 2,
        "_foo": [1.0, 4.0],
    }
    own = lake.query(model, 'SELECT "_batch" AS batch, "_arrived" AS arrived FROM rows ORDER BY id')
    assert own["batch"].tolist() == ["b1", "b2"]
    assert own["arrived"].tolist() == [START + DAY, START + 2 * DAY]
    assert set(lake.columns("toy")) == set(model.columns)


def test_a_table_whose_columns_were_stored_as_they_are_declared_still_reads_and_is_written_as_it_was(toy, lake):
    before, model = toy(), toy(features={"x": "number", "_foo": "number"})
    land(lake, before, {"a": 1.0, "b": 2.0}, 1)
    table = DeltaTable(lake.uri("toy"))
    stored = table.to_pyarrow_table()
    write_deltalake(
        table, stored.append_column("_foo", pa.array([5.0, 6.0])), mode="overwrite", schema_mode="overwrite"
    )
    land(lake, model, {"b": 2.0, "c": 3.0}, 2, _foo=[7.0, 8.0])
    names = [field.name for field in DeltaTable(lake.uri("toy")).schema().fields]
    assert "_foo" in names
    assert "_user:_foo" not in names
    queried = lake.query(model, 'SELECT id, "_user:_foo" FROM rows ORDER BY id')
    assert queried.to_dict("list") == {"id": ["a", "b", "c"], "_foo": [5.0, 7.0, 8.0]}
    lake.erase(model, "rows", [{"_user:_foo": 7.0}])
    assert lake.query(model, "SELECT id FROM rows ORDER BY id")["id"].tolist() == ["a", "c"]


def test_a_column_that_differs_only_in_case_from_one_of_the_table_is_refused(toy, lake):
    land(lake, toy(), {"a": 1.0}, 1)
    model = toy(features={"X": "number"})
    with pytest.raises(LakeSchemaError, match="'X' differs only in case from 'x'"):
        land(lake, model, {"a": 1.0}, 2, X=1.0)
