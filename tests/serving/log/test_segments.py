"""The prediction log on disk: what was written is there whole, once, and in order, whatever is killed or full."""

import errno
import os
from types import SimpleNamespace

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from serving.log import segments
from serving.log.segments import LOCK, Log, LogWatch, backlog, close_left, closed

HEAD = ("toy@1", {"model": "toy"})


def line(number):
    return {"of": "toy@1", "n": number}


def read(root):
    return [line["n"] for segment in closed(root) for line, _ in segment.lines()]


@pytest.fixture
def log(tmp_path):
    opened = Log(tmp_path / "0")
    opened.open()
    return opened


def test_lines_come_back_with_their_heads_in_order(tmp_path, log):
    for number in range(3):
        log.write(line(number), HEAD)
    log.write({"of": "toy@2", "n": 3}, ("toy@2", {"model": "toy"}))
    assert (read(tmp_path), log.rotate()) == ([], False), "neither large nor old"
    assert log.rotate(at_once=True)
    (segment,) = closed(tmp_path)
    assert [(content["n"], head["head"]) for content, head in segment.lines()] == [
        (0, "toy@1"),
        (1, "toy@1"),
        (2, "toy@1"),
        (3, "toy@2"),
    ]
    assert segment.path.read_text().count("head") == 2


def test_each_segment_has_its_own_heads_and_a_higher_number(tmp_path, log, monkeypatch):
    for number in range(3):
        log.write(line(number), HEAD)
        log.rotate(at_once=True)
        monkeypatch.setattr(segments.time, "time_ns", lambda: 0)  # the clock goes back
    numbers = [segment.number for segment in closed(tmp_path)]
    assert read(tmp_path) == [0, 1, 2]
    assert numbers == sorted(set(numbers))


def test_what_a_killed_process_left_open_is_closed_by_the_next(tmp_path, log):
    log.write(line(0), HEAD)
    os.write(log._file, b'{"of": "toy@1", "n"')  # cut off in a write: nobody was answered
    Log(tmp_path / "0").open()
    assert read(tmp_path) == [0]


def test_a_number_that_a_loss_of_power_emptied_stops_no_log(tmp_path, log):
    log.write(line(0), HEAD)
    log.rotate(at_once=True)
    (log.slot / "number").write_text("")
    log.write(line(1), HEAD)
    log.rotate(at_once=True)
    assert read(tmp_path) == [0, 1]


def test_an_empty_segment_leaves_nothing(tmp_path, log):
    log.close()
    assert (closed(tmp_path), backlog(tmp_path)) == ([], (0, 0.0))


def test_what_waits_is_counted(tmp_path, log):
    log.write(line(0), HEAD)
    size, since = backlog(tmp_path)
    assert (size > 0, since) == (True, 0.0)
    log.rotate(at_once=True)
    assert backlog(tmp_path)[0] == size
    assert backlog(tmp_path)[1] > 0


def test_a_slot_that_nobody_writes_any_more_is_closed_and_one_that_is_written_is_not(tmp_path, log):
    log.write(line(0), HEAD)
    with FileLock(tmp_path / "0" / LOCK, is_singleton=False), pytest.MonkeyPatch.context() as patch:
        patch.setattr(segments, "FileLock", lambda path, timeout: FileLock(path, timeout=0.1, is_singleton=False))
        close_left(tmp_path)
        assert read(tmp_path) == []
    close_left(tmp_path)
    assert read(tmp_path) == [0]


@given(st.lists(st.integers(-1, 60), max_size=12))
def test_a_full_disk_loses_no_line_that_was_taken_and_keeps_none_that_was_not(tmp_path_factory, room):
    root = tmp_path_factory.mktemp("log")
    log, taken = Log(root / "0"), []
    log.open()
    write = os.write
    for number, left in enumerate(room):
        with pytest.MonkeyPatch.context() as patch:
            if left >= 0:  # so many bytes fit, and then no more

                def full(file, data, left=[left]):  # noqa: B006 - what is left of the disk
                    if not left[0]:
                        raise OSError(errno.ENOSPC, "No space left on device")
                    done = write(file, data[: left[0]])
                    left[0] -= done
                    return done

                patch.setattr(segments.os, "write", full)
            try:
                log.write(line(number), HEAD)
                taken.append(number)
            except OSError:
                pass
    log.rotate(at_once=True)
    assert read(root) == taken


def written(log, count):
    """How many lines of 100 bytes could be written before one was refused."""
    for number in range(count):
        try:
            log.write({"of": "toy@1", "n": "a" * 78}, HEAD)
        except OSError:
            return number
    return count


def test_no_more_than_the_limit_waits_and_what_is_in_the_lake_makes_room(tmp_path, monkeypatch):
    monkeypatch.setattr(segments, "_MEASURE_PAUSE", 0)
    log = Log(tmp_path / "0", limit=2_000)
    assert written(log, 50) == 19
    assert segments.waiting(log.slot) <= 2_000
    with pytest.raises(OSError, match="wait for the lake"):
        log.write(line("a" * 78), HEAD)
    log.rotate(at_once=True)
    assert written(log, 50) == 0
    (segment,) = closed(tmp_path)
    segment.path.unlink()
    assert written(log, 50) == 19
    log.close()
    again = Log(tmp_path / "0", limit=2_000)
    assert written(again, 1) == 0, "what an earlier process left counts"


def test_a_person_is_told_once_before_the_log_is_full(tmp_path, monkeypatch):
    monkeypatch.setattr(segments, "_MEASURE_PAUSE", 0)
    told = []
    watch = LogWatch(tmp_path, 2_000, lambda *alert: told.append(alert))
    log = Log(tmp_path / "0", limit=2_000)
    log.slot.mkdir()
    (log.slot / LOCK).touch()
    for count, times in ((10, 0), (7, 1), (1, 1)):
        assert written(log, count) == count
        watch.run_once()
        assert len(told) == times
    log.rotate(at_once=True)
    closed(tmp_path)[0].path.unlink()
    watch.run_once()
    assert written(log, 17) == 17
    watch.run_once()
    assert [(model, "--log-gigabytes" in text) for _, text, model in told] == [("serve", True)] * 2


def test_the_default_is_half_of_the_free_disk_within_bounds(tmp_path, monkeypatch):
    for free, limit in ((0, 10**8), (10**9, 5 * 10**8), (10**12, 10**10)):
        monkeypatch.setattr(segments.shutil, "disk_usage", lambda _, free=free: SimpleNamespace(free=free))
        assert segments.default_limit(tmp_path / "log") == limit


def test_a_segment_is_closed_at_a_quarter_of_the_limit(tmp_path):
    log = Log(tmp_path / "0", limit=2_000)
    assert (written(log, 4), log.rotate()) == (4, False)
    assert (written(log, 2), log.rotate()) == (2, True)
