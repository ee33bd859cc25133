"""What was done to the end of an audit log, which its own chain does not show, is found by the seals outside it."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evergreen.governance import audit
from evergreen.lake import audit_log
from evergreen.lake.audit_log import _hash, _seal_file, _table
from evergreen.lake.delta_lake import DeltaLake
from evergreen.lake.lake import AUDIT
from evergreen.settings import Settings

AT = pd.Timestamp("2025-05-01", tz="UTC")
pytestmark = pytest.mark.long


def write(lake, number):
    return audit_log.write(lake, "toy", "ingest", f"b{number}", AT, detail={"rows": number})


def rewrite(lake, lines):
    write_deltalake(lake.uri("toy", AUDIT), _table(lines), mode="overwrite")


def cut(lake):
    DeltaTable(lake.uri("toy", AUDIT)).delete("number > 4")


def restore(lake):
    table = DeltaTable(lake.uri("toy", AUDIT))
    table.restore(table.version() - 2)


def remove_commit(lake):
    max(Path(lake.uri("toy", AUDIT), "_delta_log").glob("*.json")).unlink()


def rehash_last(lake):
    *before, last = audit_log.read(lake, "toy")
    forged = replace(last, by="nobody")
    rewrite(lake, [*before, replace(forged, hash=_hash(forged))])


def chain_anew(lake):
    lines = audit_log.read(lake, "toy")
    rewrite(lake, lines[: len(lines) // 2])
    with pytest.MonkeyPatch.context() as patch:  # with the forger's own copy of the code
        patch.setattr(audit_log, "_seal", lambda *_: None)
        for number in range(100, 110):
            write(lake, number)


MANIPULATIONS = [cut, restore, remove_commit, rehash_last, chain_anew]


@pytest.fixture
def lake(tmp_path):
    return DeltaLake(str(tmp_path / "lake"))


@pytest.mark.parametrize("manipulate", MANIPULATIONS)
def test_a_manipulated_end_is_found_and_no_later_act_hides_it(lake, registry, manipulate):
    for number in range(6):
        write(lake, number)
    verified = audit.verify(lake, registry, "toy")
    assert (verified.lines, verified.seals, verified.unsealed, verified.problems) == (6, 6, 0, [])
    manipulate(lake)
    assert audit.problems(audit_log.read(lake, "toy"), []) == [], "its own chain does not show it"
    (problem,) = audit.verify(lake, registry, "toy").problems
    assert problem.endswith("not as sealed outside the table: the log was truncated, restored or rewritten.")
    for number in range(6, 14):
        write(lake, number)
    assert problem in audit.verify(lake, registry, "toy").problems


@pytest.mark.parametrize("manipulate", MANIPULATIONS)
def test_a_head_that_somebody_kept_finds_it_where_the_seals_are_gone(lake, registry, manipulate):
    for number in range(6):
        write(lake, number)
    head = audit.verify(lake, registry, "toy").head
    write(lake, 6) if manipulate is restore else None
    manipulate(lake)
    shutil.rmtree(Settings.read().home / "seals")
    assert audit.verify(lake, registry, "toy").problems == []
    assert audit.verify(lake, registry, "toy", head).problems != []


def test_a_kept_head_of_an_untouched_log_is_found_in_it_though_lines_have_followed(lake, registry):
    heads = []
    for number in range(3):
        write(lake, number)
        heads.append(audit.verify(lake, registry, "toy").head)
    assert [audit.verify(lake, registry, "toy", head).problems for head in heads] == [[], [], []]


def test_a_log_of_before_there_were_seals_is_whole_and_the_next_act_covers_it(lake, registry):
    for number in range(3):
        write(lake, number)
    shutil.rmtree(Settings.read().home / "seals")
    verified = audit.verify(lake, registry, "toy")
    assert (verified.unsealed, verified.problems) == (3, [])
    write(lake, 3)
    verified = audit.verify(lake, registry, "toy")
    assert (verified.seals, verified.unsealed, verified.problems) == (1, 0, [])


def test_the_same_act_again_seals_the_line_that_a_crash_left_unsealed(lake, registry, monkeypatch):
    monkeypatch.setattr(audit_log, "_seal", lambda *_: (_ for _ in ()).throw(OSError("no space left")))
    line = write(lake, 1)
    assert audit.verify(lake, registry, "toy").unsealed == 1
    monkeypatch.undo()
    for _ in range(3):
        assert write(lake, 1) == line
    verified = audit.verify(lake, registry, "toy")
    assert (verified.seals, verified.unsealed) == (1, 0)


def test_seals_belong_to_one_log_and_move_with_a_home_that_holds_the_lake(lake, registry, tmp_path, monkeypatch):
    write(lake, 1)
    assert audit_log.seals(DeltaLake(str(tmp_path / "other")), "toy") == []
    home = Settings.read().home
    within = DeltaLake(str(home / "lake"))
    write(within, 1)
    shutil.copytree(home, tmp_path / "moved")
    monkeypatch.setenv("EVERGREEN_HOME", str(tmp_path / "moved"))
    assert len(audit_log.seals(DeltaLake(str(tmp_path / "moved" / "lake")), "toy")) == 1


def test_a_log_that_is_written_while_it_is_verified_is_whole(lake, registry):
    write(lake, 0)
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(lambda: [write(lake, number) for number in range(1, 30)])
        found = []
        while not writing.done():
            found += audit.verify(lake, registry, "toy").problems
    assert (found, len(writing.result())) == ([], 29)


# How a process ends in the middle of an act; each is followed by the next act of the history.
ACTS = st.lists(
    st.sampled_from(["done", "done", "killed before the seal", "killed in the seal"]), min_size=1, max_size=7
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(acts=ACTS, manipulate=st.sampled_from(MANIPULATIONS))
def test_a_crash_is_never_told_as_tampering_and_never_hides_it(registry, tmp_path_factory, acts, manipulate):
    lake = DeltaLake(str(tmp_path_factory.mktemp("lake")))
    unsealed = 0
    for number, how in enumerate(acts):
        unsealed = 0 if how == "done" else unsealed + 1
        with pytest.MonkeyPatch.context() as patch:
            if how != "done":
                patch.setattr(audit_log, "_seal", lambda lake, line, how=how: torn(lake, line, how))
            write(lake, number)
        verified = audit.verify(lake, registry, "toy")
        assert (verified.lines, verified.unsealed, verified.problems) == (number + 1, unsealed, [])
    for number in range(len(acts), len(acts) + 6):
        write(lake, number)
    manipulate(lake)
    assert audit.verify(lake, registry, "toy").problems != []


def torn(lake, line, how):
    """What is left of a seal when the process dies in its write."""
    if how == "killed in the seal":
        path = _seal_file(lake, line.model)
        path.parent.mkdir(exist_ok=True)
        with path.open("a") as file:
            file.write(f"\n{line.seal}"[: 5 + line.number])
