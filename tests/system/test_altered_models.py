"""A stored model that was altered is loaded by nothing: not by a command, not by a flow, not by the service."""

import re
import shutil
from datetime import datetime
from pathlib import Path

import pytest

from evergreen.definition.loader import MODEL_FILE
from evergreen.registry import client
from evergreen.registry.model_store import ESTIMATOR, digest
from evergreen.registry.version import CHAMPION
from evergreen.settings import Settings
from evergreen.stores import Stores
from tests.altered_models import TOUCH, alter, alter_to_pickle, call, with_part
from tests.command_line import called, run
from tests.prepared_homes import refreshed
from tests.running_service import Service
from tests.running_system import until
from tests.toy import day_of

FIRST, LATER = datetime(2013, 1, 29), "2013-01-30"
DIGEST = "evergreen.stored_hash"
pytestmark = pytest.mark.long


def champion():
    version = Stores.open().registry.champion("toy")
    return version, Path(Stores.open().registry.path(version))


@pytest.fixture(scope="module")
def begun_world(worlds, begun):
    with worlds("toy") as write:
        write()
        begun(refreshed, FIRST)
        yield


@pytest.fixture
def story(begun_world, tmp_path):
    """A champion, the folder of its stored model, and the file that an attacker would make; all is put back."""
    version, folder = champion()
    shutil.copytree(folder, tmp_path / "as it was")
    yield version, folder, tmp_path / "marker"
    shutil.copytree(tmp_path / "as it was", folder, dirs_exist_ok=True)
    Stores.open().registry.tag(version, stored_hash=version.stored_hash)


def commands(folder):
    """Each command that loads the champion."""
    day_of(Stores.open().registry.champion("toy").data_until.floor("D")).to_csv(folder / "rows.csv", index=False)
    return [
        ("score", "toy", "--input", str(folder / "rows.csv"), "--output", str(folder / "scored.csv")),
        ("reproduce", "toy"),
        ("monitor", "toy", "--as-of", LATER),
        ("train", "toy", "--as-of", LATER, "--reason", "performance"),
    ]


def test_a_version_is_registered_with_its_digest(story):
    version, _, _ = story
    assert re.fullmatch("[0-9a-f]{64}", version.stored_hash)
    assert f"stored model {version.stored_hash[:12]}" in called("lineage", "toy").stdout


@pytest.mark.parametrize("altering", [alter, alter_to_pickle])
def test_no_command_loads_an_altered_model(story, tmp_path, altering):
    version, folder, marker = story
    altering(folder, marker)
    for words in commands(tmp_path):
        client._LOADED.clear()  # as in a process of its own
        done = called(*words)
        said = " ".join((done.stdout + done.stderr).split())
        assert done.returncode == 1, (words, said)
        assert f"{version}: the stored model was altered after it was registered" in said, words
        assert "Traceback" not in said
    assert not marker.exists()


def test_a_version_of_before_is_refused_only_if_it_asks_for_more_than_the_file_trusts(story, tmp_path):
    version, folder, marker = story
    Stores.open().registry.client.delete_model_version_tag("toy", version.number, DIGEST)
    words = commands(tmp_path)[0]
    client._LOADED.clear()
    assert called(*words).returncode == 0
    assert "stored model without a recorded digest" in called("lineage", "toy").stdout
    alter(folder, marker)
    done = run(*words)
    said = " ".join(done.stderr.split())
    assert (done.returncode, "types that are not trusted: posix.system. If they are yours" in said) == (1, True)
    assert not marker.exists()


def test_what_the_stores_say_of_trust_counts_for_nothing(story, tmp_path):
    version, folder, marker = story
    alter(folder, marker)
    registry = Stores.open().registry
    registry.tag(version, stored_hash=digest(folder))
    registry.client.set_model_version_tag("toy", version.number, "evergreen.trusted", "posix.system")
    client._LOADED.clear()
    done = called(*commands(tmp_path)[0])
    assert (done.returncode, "types that are not trusted: posix.system" in " ".join(done.stderr.split())) == (1, True)
    assert not marker.exists()


def test_an_altered_model_file_of_a_run_is_not_run(story):
    version, _, marker = story
    registry = Stores.open().registry
    kept = registry.text(version, MODEL_FILE)
    registry.attach(version, MODEL_FILE, f"{kept}\nopen({str(marker)!r}, 'w')\n")
    done = called("reproduce", f"toy@{version.number}")
    registry.attach(version, MODEL_FILE, kept)
    assert (done.returncode, "kept with its run was altered, and was not run" in " ".join(done.stderr.split())) == (
        1,
        True,
    )
    assert not marker.exists()


@pytest.mark.parametrize("name", [ESTIMATOR, "MLmodel"])
def test_one_changed_byte_is_found_by_the_doctor(story, name):
    version, folder, _ = story
    told = f"{version}: the stored model was altered"
    before = " ".join(called("doctor", "toy").stdout.split()).count(told)  # by a monitor run that failed for it
    content = (folder / name).read_bytes()
    changed = content.replace(b'"double"', b'"float"') if name == "MLmodel" else content[:-30] + b"x" + content[-29:]
    assert changed != content
    (folder / name).write_bytes(changed)
    done = called("doctor", "toy")
    assert (done.returncode, " ".join(done.stdout.split()).count(told)) == (1, before + 1)


def test_a_rollback_to_an_altered_version_is_refused_and_nothing_moves(story):
    version, folder, marker = story
    registry = Stores.open().registry
    other = next(each for each in registry.versions("toy") if each.number != version.number)
    registry.alias(other, CHAMPION)
    try:
        alter(folder, marker)
        done = called("rollback", "toy", "--to", version.number, "--reason", "a test")
        assert (done.returncode, registry.champion("toy").number) == (1, other.number)
        assert "was altered after it was registered" in " ".join(done.stderr.split())
    finally:
        registry.alias(version, CHAMPION)
    assert not marker.exists()


@pytest.mark.slow
def test_the_service_keeps_what_it_has_and_makes_an_altered_copy_again(story):
    version, folder, marker = story
    registry = Stores.open().registry
    other = next(each for each in registry.versions("toy") if each.number != version.number)
    registry.alias(other, CHAMPION)
    service = Service()
    try:
        service.wait(other)
        alter(folder, marker)
        registry.alias(version, CHAMPION)
        until(lambda: f"version {version.number} cannot predict" in service.text, "the alert", 30)
        assert service.standing() == {"toy": other.number}
        assert "was altered after it was registered" in " ".join(service.text.split())
    finally:
        service.stop()
        registry.alias(other, CHAMPION)
    copy = Settings.read().home / "serving" / "models" / "toy" / other.number
    estimator = (copy / ESTIMATOR).read_bytes()
    (copy / ESTIMATOR).write_bytes(with_part(estimator, call(*TOUCH, f"touch {marker}")))
    service = Service()
    try:
        service.wait(other)
        assert f"the local copy of version {other.number} was altered" in service.text
    finally:
        service.stop()
        registry.alias(version, CHAMPION)
    assert not marker.exists()
