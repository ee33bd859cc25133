"""`evergreen migrate` on the state that 716df15 left, as a user runs it."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from evergreen.errors import AlteredModelError, RegistryError
from evergreen.lake import audit_log, state_format
from evergreen.lake.state_format import StateFormat
from evergreen.locks import file_lock
from evergreen.migrations import model_digests
from evergreen.registry import client
from evergreen.registry.mlflow_registry import MlflowRegistry
from evergreen.registry.model_store import ESTIMATOR
from evergreen.stores import Stores
from tests.command_line import called
from tests.system.old_state import unpack

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore:.*schema contains integer column:UserWarning")]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of the old state, of this process."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for name, value in unpack(tmp_path / "state").items():
        monkeypatch.setenv(name, value)
    return tmp_path / "state" / "home"


def files(folder: Path) -> dict[str, str]:
    """Every file that holds state, by its digest."""
    kept = (path for part in ("lake", "artifacts") for path in (folder / part).rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in [*kept, folder / "mlflow.db"]}


def record(home: Path) -> StateFormat | None:
    return state_format.recorded(str(home / "lake"))


def test_check_says_what_is_pending_and_changes_nothing(home):
    before = files(home)
    done = called("migrate", "--check")
    said = " ".join(done.stdout.split())
    assert done.returncode == 7
    assert "is in format 1; this release writes format 2. Format 2:" in said
    assert "claims 5 versions, 1 to 5 the SHA-256" in said
    assert "parcels 9 versions, 1 to 9 the SHA-256" in said
    assert "Next: evergreen migrate" in done.stderr
    plain = json.loads(called("migrate", "--check", "--json").stdout)
    assert (plain["format"], plain["opens_from"], plain["writes"]) == (1, 1, state_format.WRITES)
    (migration,) = plain["migrations"]
    assert [change["model"] for change in migration["changes"]] == ["claims", "parcels"]
    assert files(home) == before


def test_a_migration_is_done_told_and_in_the_audit_log(home):
    done = called("migrate", "--json")
    assert done.returncode == 0, done.stderr
    assert record(home) == StateFormat(state_format.WRITES, state_format.OPENED_FROM)
    assert called("migrate", "--check").returncode == 0
    assert "Nothing was to be migrated" in called("migrate").stdout
    stores = Stores.open()
    for model in ("claims", "parcels"):
        digests = {version.number: version.stored_hash for version in stores.registry.versions(model)}
        line = json.loads(called("audit", model, "--json").stdout)[-1]
        assert (line["act"], line["subject"]) == ("migration", "format 2")
        assert json.loads(line["detail"]) == {"stored_hash": digests}
        assert all(digest == stores.registry.digest(stores.registry.version(model, n)) for n, digest in digests.items())
    assert called("audit", "--verify").returncode == 0
    assert json.loads(called("status", "--json").stdout)[0]["champion"]
    assert called("verdict", "parcels").returncode == 0
    assert all(check["problems"] == [] for check in json.loads(called("doctor", "parcels", "--json").stdout))


def test_a_version_that_is_altered_afterwards_is_refused(home):
    called("migrate")
    version = Stores.open().registry.version("parcels", "champion")
    folder = Path(Stores.open().registry.path(version))
    with (folder / ESTIMATOR).open("ab") as file:
        file.write(b"x")
    client._LOADED.clear()
    done = called("doctor", "parcels")
    assert f"{version}: the stored model was altered" in " ".join((done.stdout + done.stderr).split())


def test_what_was_noted_before_it_was_interrupted_is_what_is_recorded(home):
    """A model that is altered between the two runs is refused afterwards, not recorded as it is then."""
    called("migrate")
    registry = Stores.open().registry
    version, lake = registry.version("parcels", "4"), home / "lake" / state_format.NAME
    registry.client.delete_model_version_tag("parcels", "4", "evergreen.stored_hash")
    lake.unlink()
    with (Path(registry.path(version)) / ESTIMATOR).open("ab") as file:
        file.write(b"x")
    called("migrate")
    assert registry.version("parcels", "4").stored_hash == version.stored_hash
    acts = [line["act"] for line in json.loads(called("audit", "parcels", "--json").stdout)]
    assert acts.count("migration") == 1
    with pytest.raises(AlteredModelError, match="parcels@4"):
        registry.verify(version)


def test_a_version_whose_files_are_gone_is_told_and_does_not_stop_the_others(home):
    shutil.rmtree(Stores.open().registry.path(Stores.open().registry.version("parcels", "2")))
    client.local_copy.cache_clear()
    done = called("migrate")
    assert done.returncode == 0, done.stderr
    assert "Left as it is: parcels, version 2: the files are gone." in " ".join(done.stdout.split())
    recorded = {version.number: bool(version.stored_hash) for version in Stores.open().registry.versions("parcels")}
    assert recorded == {str(number): number != 2 for number in range(1, 10)}
    assert record(home) == StateFormat(2, 1)
    assert called("migrate", "--check").returncode == 0


def test_work_that_goes_on_is_let_finish(home):
    for lock in ("migrate", "parcels.train"):
        with file_lock(home / "locks" / f"{lock}.lock", "test"):
            done = called("migrate")
            assert (done.returncode, called("migrate", "--check").returncode) == (6, 7), done.stderr
    assert record(home) is None
    assert called("migrate").returncode == 0


MOMENTS = [
    (model_digests, "_lacking", 1, "before"),
    (model_digests, "_lacking", 2, "before"),
    (model_digests, "_lacking", 2, "after"),
    (model_digests, "_noted", 1, "after"),
    (MlflowRegistry, "digest", 3, "after"),
    (audit_log, "write", 1, "before"),
    (audit_log, "write", 1, "after"),
    (MlflowRegistry, "tag", 1, "before"),
    (MlflowRegistry, "tag", 2, "after"),
    (state_format, "write", 1, "before"),
]
PARTLY = [
    (model_digests, "_lacking", 2, "before"),
    (model_digests, "_lacking", 2, "after"),
    (model_digests, "_noted", 1, "before"),
    (model_digests, "_noted", 1, "after"),
]


@pytest.mark.parametrize(
    ("place", "name", "nth", "when", "done_before_it_stops"),
    [*((*moment, 99) for moment in MOMENTS), *((*moment, 3) for moment in PARTLY)],
)
def test_another_home_of_the_same_lake_migrates_meanwhile(
    home, tmp_path, monkeypatch, place, name, nth, when, done_before_it_stops
):
    """Whenever the other one does all of it, or a part, the audit log tells of it once."""
    usual, calls, tagged = getattr(place, name), [], []

    def other():
        tag = MlflowRegistry.tag

        def tag_and_stop(*given, **values):
            tagged.append(given)
            if len(tagged) > done_before_it_stops:
                raise RegistryError("it is stopped")
            tag(*given, **values)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(MlflowRegistry, "tag", tag_and_stop)
            patch.setenv("EVERGREEN_HOME", str(tmp_path / "other"))
            patch.setenv("EVERGREEN_LAKE", str(home / "lake"))
            patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home}/mlflow.db")
            done = called("migrate")
        assert done.returncode == (0 if done_before_it_stops == 99 else 1), done.stderr

    def met(*given, **more):
        calls.append(name)
        now = len(calls) == nth
        if now and when == "before":
            other()
        result = usual(*given, **more)
        if now and when == "after":
            other()
        return result

    monkeypatch.setattr(place, name, met)
    done = called("migrate")
    assert done.returncode == 0, done.stderr
    assert len(calls) >= nth
    assert record(home) == StateFormat(state_format.WRITES, state_format.OPENED_FROM)
    for model in ("claims", "parcels"):
        digests = {version.number: version.stored_hash for version in Stores.open().registry.versions(model)}
        (line,) = (line for line in audit_log.read(Stores.open().lake, model) if line.act == "migration")
        assert json.loads(line.detail) == {"stored_hash": digests}
        assert all(digests.values())
    assert called("audit", "--verify").returncode == 0


COMMANDS = [
    ("status",),
    ("models", "parcels"),
    ("verdict", "parcels"),
    ("ingest", "parcels"),
    ("train", "parcels"),
    ("monitor", "parcels"),
    ("quarantine", "list"),
    ("audit", "--verify"),
    ("serve",),
    ("up",),
    ("deploy",),
    ("deploy", "--release", "HEAD"),
    ("migrate",),
    ("migrate", "--check"),
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_command_touches_the_state_of_a_newer_release(home, server, words):
    state_format.write(str(home / "lake"), StateFormat(9, 9))
    before = files(home)
    done = called(*words)
    said = " ".join(done.stderr.split())
    assert done.returncode == 1
    assert f"The state in {home / 'lake'} is in format 9, written by a newer Evergreen" in said
    assert "Traceback" not in said
    assert files(home) == before


@pytest.mark.parametrize("words", [("status",), ("train", "parcels"), ("serve",), ("deploy",)], ids=" ".join)
def test_an_unfinished_migration_is_told_of(home, server, words):
    state_format.write(str(home / "lake"), StateFormat(1, 2))
    done = called(*words)
    assert (done.returncode, "was stopped. Run `evergreen migrate`" in " ".join(done.stderr.split())) == (1, True)
    assert called("migrate").returncode == 0
    assert record(home) == StateFormat(2, 1)
