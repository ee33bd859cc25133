"""Before an erasure everything that the service has logged reaches the lake, whether the service runs or not."""

import os
from dataclasses import replace
from threading import Timer

import pytest

from evergreen.lake.lake import SERVED, Bare
from evergreen.locks import file_lock
from evergreen.settings import Settings
from evergreen.stores import Stores
from serving.log.segments import Log, closed
from serving.model_cache import ModelCache, ServingState
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


def answer(log, *rows, head=HEAD):
    line = {"of": head[0], "ids": rows, "asked": [1360972800000000] * len(rows), "latency": [1.0] * len(rows)}
    log.write(line | {"beside": {}, "rows": [[0.5, 0.1]] * len(rows), "answers": [[8.5]] * len(rows)}, head)


def served(model="toy", columns='"_id"'):
    lake = Stores.open().lake
    if not lake.exists(model, SERVED):
        return []
    return lake.query(Bare(model), f"SELECT {columns} FROM {SERVED}", tables=[SERVED]).to_numpy().tolist()


def landed():
    return {row for (row,) in served()}


@pytest.fixture
def shadowed(home, add, copies):
    """A champion, and a shadow that has counted the calls of its estimator."""
    add("1")
    add("2", 5.0, activate=False)
    copies.set_state("toy", ServingState("1", shadow="2"))
    return copies


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


def test_a_shadow_predicts_a_segment_in_one_call_once_the_rows_of_the_champion_have_landed(home, shadowed, monkeypatch):
    log = Log(home / "serving" / "log" / "0")
    for rows in (("a", "b"), ("c",), ("d",)):
        answer(log, *rows)
    log.rotate(at_once=True)
    loaded, calls = shipper.load, []

    def load(*given):
        of = loaded(*given)

        def outputs(rows):
            calls.append((len(rows), len(served())))
            return of.outputs(rows)

        return replace(of, outputs=outputs)

    monkeypatch.setattr(shipper, "load", load)
    assert Shipper(log.slot.parent, Stores.open().lake, shadowed).ship() == ""
    assert calls == [(4, 4)]
    rows = served(columns='"_id", "_version", "_role", "_answers"[1]')
    assert sorted(row[0] for row in rows if row[1:3] == ["1", "champion"]) == ["a", "b", "c", "d"]
    shadow = [row for row in rows if row[1:3] == ["2", "shadow"]]
    assert sorted(row[0] for row in shadow) == ["a", "b", "c", "d"]
    assert [row[3] for row in shadow] == pytest.approx([2.6] * 4)


def test_a_shadow_that_fell_behind_is_left_out_and_only_the_present_one_is_kept(home, shadowed, add):
    log = Log(home / "serving" / "log" / "0")
    moved = Shipper(log.slot.parent, Stores.open().lake, shadowed)
    add("3", activate=False)
    for number, row, age in (("2", "a", 0), ("3", "b", 0), ("3", "c", 3600)):
        shadowed.set_state("toy", ServingState("1", shadow=number))
        answer(log, row)
        log.rotate(at_once=True)
        (segment,) = closed(log.slot.parent)
        os.utime(segment.path, (segment.path.stat().st_mtime - age,) * 2)
        assert moved.ship() == ""
    rows = served(columns='"_id", "_version", "_role"')
    assert sorted(rows) == [
        ["a", "1", "champion"],
        ["a", "2", "shadow"],
        ["b", "1", "champion"],
        ["b", "3", "shadow"],
        ["c", "1", "champion"],
    ]
    assert [of.spec.number for of in moved._shadows.values()] == ["3"]
    shadowed.set_state("toy", ServingState("1"))
    answer(log, "d")
    log.rotate(at_once=True)
    moved.ship()
    assert moved._shadows == {}


def test_lines_of_one_model_that_cannot_be_read_take_no_other_models_away(home, copies):
    log = Log(home / "serving" / "log" / "0")
    answer(log, "bad", head=("a@1", HEAD[1] | {"model": "a", "features": {"x": "boolean", "z": "number"}}))
    answer(log, "good")
    answer(log, "also", head=("zoo@1", HEAD[1] | {"model": "zoo"}))
    log.rotate(at_once=True)
    problem = Shipper(log.slot.parent, Stores.open().lake, copies).ship()
    assert "kept as .broken" in problem
    assert (served("a"), served("toy"), served("zoo")) == ([], [["good"]], [["also"]])
