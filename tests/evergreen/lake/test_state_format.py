"""Which state a release opens: by what the record says and what the release knows, before anything else is read."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.errors import LakeError, LakeFormatError
from evergreen.lake import state_format
from evergreen.lake.delta_lake import DeltaLake
from evergreen.lake.state_format import NAME, OPENED_FROM, OPENS, WRITES, StateFormat
from evergreen.stores import Stores

NEWER, UNFINISHED, OLDER = "written by a newer Evergreen", "under way, or was stopped", "migrate --check"
NOW = StateFormat(WRITES, OPENED_FROM)


@pytest.fixture
def lake(tmp_path: Path) -> str:
    """A lake with a table, and no record: as earlier releases left it."""
    (tmp_path / "lake" / "toy" / "rows" / "_delta_log").mkdir(parents=True)
    return str(tmp_path / "lake")


@pytest.fixture
def release(monkeypatch: pytest.MonkeyPatch):
    """Be the release that writes one format and opens those from another one on; what was opened is forgotten."""

    def be(writes: int, opens: int) -> None:
        monkeypatch.setattr(state_format, "WRITES", writes)
        monkeypatch.setattr(state_format, "OPENS", opens)
        monkeypatch.setattr(state_format, "_opened", set())

    return be


@pytest.mark.parametrize(
    ("record", "writes", "opens", "refused", "refused_to_migrate"),
    [
        (None, 1, 1, "", ""),
        (None, 2, 1, "", ""),
        (None, 3, 2, OLDER, ""),
        ((1, 1), 3, 2, OLDER, ""),
        ((2, 2), 2, 1, "", ""),
        ((2, 1), 1, 1, "", ""),  # newer, and written so that this release opens it
        ((2, 2), 1, 1, NEWER, NEWER),
        ((9, 3), 2, 1, NEWER, NEWER),
        ((9, 3), 3, 1, "", ""),
        ((1, 2), 2, 1, UNFINISHED, ""),
        ((1, 2), 1, 1, NEWER, NEWER),
        ((2, 3), 3, 3, UNFINISHED, ""),
    ],
)
def test_a_state_is_opened_or_refused_with_what_to_do(
    lake, release, record, writes, opens, refused, refused_to_migrate
):
    if record:
        state_format.write(lake, StateFormat(*record))
    for migrating, expected in ((False, refused), (True, refused_to_migrate)):
        release(writes, opens)
        if expected:
            with pytest.raises(LakeFormatError, match=expected) as raised:
                state_format.require(lake, migrating=migrating)
            assert not raised.value.may_pass
            assert lake in str(raised.value)
        else:
            state_format.require(lake, migrating=migrating)


@given(
    of=st.tuples(st.integers(1, 9), st.integers(1, 9)).map(sorted),
    writes=st.integers(1, 9),
    back=st.integers(0, 8),
)
def test_a_finished_state_opens_exactly_where_each_side_knows_enough_of_the_other(tmp_path_factory, of, writes, back):
    opens_from, written = of
    opens, lake = max(writes - back, 1), str(tmp_path_factory.mktemp("lake"))
    state_format.write(lake, StateFormat(written, opens_from))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(state_format, "WRITES", writes)
        patch.setattr(state_format, "OPENS", opens)
        try:
            state_format.require(lake)
            opened = True
        except LakeFormatError:
            opened = False
    assert opened == (opens_from <= writes and written >= opens)


def test_this_release_opens_what_it_writes_and_what_was_written_before_the_record():
    assert OPENED_FROM <= WRITES
    assert OPENS == state_format.FIRST, "an older state needs `migrate`; say so in docs/upgrade.md"


@pytest.mark.parametrize("ask", [lambda lake: lake.opened("toy"), lambda lake: lake.exists("toy")])
def test_no_table_is_opened_of_a_state_that_is_refused(lake, release, ask):
    release(1, 1)
    state_format.write(lake, StateFormat(2, 2))
    before = sorted(Path(lake).rglob("*"))
    with pytest.raises(LakeFormatError):
        ask(DeltaLake(lake))
    assert sorted(Path(lake).rglob("*")) == before


def test_stores_of_a_state_that_is_refused_do_not_open(home, release):
    release(1, 1)
    state_format.write(str(home / "lake"), StateFormat(2, 2))
    with pytest.raises(LakeFormatError, match="formats 1 to 1"):
        Stores.open()


def test_a_lake_that_cannot_be_reached_is_told_of_by_what_needs_it(tmp_path, release):
    release(2, 1)
    (tmp_path / "file").touch()
    away = str(tmp_path / "file" / "lake")
    state_format.check(away)
    with pytest.raises(LakeError, match="Cannot read the format"):
        DeltaLake(away).opened("toy")


def test_the_record_is_read_once_in_a_process(lake, release, monkeypatch):
    release(2, 1)
    state_format.require(lake)
    monkeypatch.setattr(state_format, "recorded", lambda lake: pytest.fail("it was read again"))
    state_format.require(lake)


@pytest.mark.parametrize("text", ["", "{}", '{"format": "two", "opens_from": 1}', "\xff"])
def test_a_record_that_is_damaged_opens_nothing(lake, release, text):
    release(2, 1)
    (Path(lake) / NAME).write_bytes(text.encode("latin-1"))
    with pytest.raises(LakeFormatError, match="no record of a format"):
        state_format.require(lake)


def test_fields_of_later_releases_are_no_damage(lake):
    (Path(lake) / NAME).write_text('{"format": 2, "opens_from": 1, "more": "x"}')
    assert state_format.recorded(lake) == StateFormat(2, 1)


def test_a_lake_gets_its_record_before_its_first_table_and_only_then(tmp_path, lake):
    new = str(tmp_path / "new")
    assert state_format.current(new) == NOW
    assert state_format.recorded(new) is None
    state_format.begin(new)
    assert state_format.recorded(new) == NOW
    state_format.begin(lake)
    assert state_format.recorded(lake) is None
    assert state_format.current(lake) == StateFormat(1, 1)


def test_a_batch_in_quarantine_is_no_table(tmp_path):
    (tmp_path / "toy" / "quarantine" / "1").mkdir(parents=True)
    (tmp_path / "_releases").mkdir()
    assert state_format.models(str(tmp_path)) == []
    state_format.begin(str(tmp_path))
    assert state_format.recorded(str(tmp_path)) == NOW


@pytest.mark.parametrize("store", ["folder", "memory"])
def test_many_that_begin_at_once_write_one_whole_record(tmp_path, store):
    new = str(tmp_path / "new") if store == "folder" else f"memory://{tmp_path.name}"
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(state_format.begin, [new] * 64))
    assert state_format.recorded(new) == NOW
    if store == "folder":
        assert [path.name for path in Path(new).iterdir()] == [NAME]


def test_writing_to_a_new_lake_records_the_format(home):
    import pyarrow as pa

    lake = DeltaLake(str(home / "lake"))
    lake.append("toy", "observations", pa.table({"key": ["a"]}))
    assert state_format.recorded(str(home / "lake")) == NOW
    assert state_format.models(str(home / "lake")) == ["toy"]
