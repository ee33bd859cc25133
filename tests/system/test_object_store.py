"""A lake on S3: the format of the state is read, written and refused there, and `evergreen migrate` brings it on."""

import json
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest

from evergreen.errors import LakeFormatError
from evergreen.lake import audit_log, release_log, state_format
from evergreen.lake.delta_lake import DeltaLake
from evergreen.lake.release_log import Entry
from evergreen.lake.state_format import NAME, OPENED_FROM, WRITES, StateFormat
from evergreen.lake.stored_files import opened
from evergreen.stores import Stores
from tests import running_s3
from tests.command_line import called
from tests.system.old_state import unpack

NOW = StateFormat(WRITES, OPENED_FROM)
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def bucket(tmp_path_factory):
    with running_s3.running(tmp_path_factory.mktemp("s3")) as uri:
        yield uri


@pytest.fixture
def lake(bucket, tmp_path, monkeypatch):
    """A lake of one test; what was opened is forgotten."""
    monkeypatch.setattr(state_format, "_opened", set())
    return f"{bucket}/{tmp_path.name}/lake"


def test_a_new_lake_gets_its_record_with_its_first_table(lake):
    assert (state_format.recorded(lake), state_format.current(lake)) == (None, NOW)
    state_format.require(lake)
    DeltaLake(lake).append("toy", "observations", pa.table({"key": ["a"]}))
    assert (state_format.recorded(lake), state_format.models(lake)) == (NOW, ["toy"])


def test_a_lake_without_a_record_is_of_the_first_format(lake):
    DeltaLake(lake).append("toy", "observations", pa.table({"key": ["a"]}))
    store, root = opened(lake)
    store.rm_file(f"{root}/{NAME}")
    assert (state_format.recorded(lake), state_format.current(lake)) == (None, StateFormat(1, 1))
    state_format.begin(lake)
    assert state_format.recorded(lake) is None


@pytest.mark.parametrize(
    ("record", "said"), [((9, 9), "written by a newer Evergreen"), ((1, 2), "under way, or was stopped")]
)
def test_what_this_release_does_not_open_is_refused(lake, record, said):
    DeltaLake(lake).append("toy", "observations", pa.table({"key": ["a"]}))
    state_format.write(lake, StateFormat(*record))
    state_format._opened.clear()
    with pytest.raises(LakeFormatError, match=said):
        DeltaLake(lake).opened("toy", "observations")
    assert state_format.recorded(lake) == StateFormat(*record)


@pytest.mark.parametrize("text", ["", "{}", "\xff"])
def test_a_record_that_is_damaged_opens_nothing(lake, text):
    store, root = opened(lake)
    store.pipe_file(f"{root}/{NAME}", text.encode("latin-1"))
    with pytest.raises(LakeFormatError, match="no record of a format"):
        state_format.require(lake)


def test_many_that_begin_at_once_write_one_whole_record(lake):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(state_format.begin, [lake] * 32))
    assert state_format.recorded(lake) == NOW
    store, root = opened(lake)
    assert [path.rpartition("/")[2] for path in store.ls(root, detail=False)] == [NAME]


def test_the_log_of_releases_is_read_as_it_was_written(lake):
    assert release_log.read(lake) == []
    entries = [
        Entry(f"2026-01-0{day}T00:00:00.000000+00:00", commit, "deploy", "a", ["toy"])
        for day, commit in enumerate("abc", 1)
    ]
    for entry in reversed(entries):
        release_log.append(lake, entry)
    assert release_log.read(lake) == entries
    assert state_format.models(lake) == []


@pytest.mark.filterwarnings("ignore:.*schema contains integer column:UserWarning")
def test_a_lake_of_an_earlier_release_is_migrated_where_it_is(bucket, lake, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for name, value in unpack(tmp_path / "state").items():
        monkeypatch.setenv(name, value)
    store, root = opened(lake)
    for path in (local := tmp_path / "state" / "home" / "lake").rglob("*"):
        if path.is_file():
            store.pipe_file(f"{root}/{path.relative_to(local)}", path.read_bytes())
    monkeypatch.setenv("EVERGREEN_LAKE", lake)

    done = called("migrate", "--check", "--json")
    assert done.returncode == 7, done.stderr
    assert json.loads(done.stdout)["format"] == 1
    assert state_format.recorded(lake) is None
    assert called("migrate").returncode == 0
    assert state_format.recorded(lake) == NOW
    assert called("migrate", "--check").returncode == 0
    for model in ("claims", "parcels"):
        digests = {version.number: version.stored_hash for version in Stores.open().registry.versions(model)}
        lines = [line for line in audit_log.read(Stores.open().lake, model) if line.act == "migration"]
        assert [json.loads(line.detail) for line in lines] == [{"stored_hash": digests}]
    assert called("status").returncode == 0

    state_format.write(lake, StateFormat(9, 9))
    state_format._opened.clear()
    for words in (("migrate",), ("status",), ("ingest", "parcels")):
        done = called(*words)
        assert (done.returncode, "written by a newer Evergreen" in " ".join(done.stderr.split())) == (1, True), words
