"""The folder of metrics: one that a killed service left goes; one that is in use, or that is none, stays."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from serving.process import metrics_folder

# A service in this home, as far as its metrics go.
SERVICE = """
import sys
from pathlib import Path
from serving.process import metrics_folder
print(metrics_folder.replace(Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def earlier(tmp_path):
    """A service whose home is the folder `original`, and its folder of metrics."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVICE, str(tmp_path / "original")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    folder = Path(process.stdout.readline().strip())
    (folder / "counter_1.db").touch()
    yield process, folder
    process.kill()
    process.communicate()
    metrics_folder.delete(folder)


def begun(home: Path) -> None:
    """A service begins in this home, and ends."""
    folder = metrics_folder.replace(home)
    assert (home / "meters").resolve() == folder
    metrics_folder.delete(folder)
    assert not folder.exists()


def test_a_copied_home_leaves_the_metrics_of_the_running_original(tmp_path, earlier):
    _, folder = earlier
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "meters").symlink_to((tmp_path / "original" / "meters").readlink())
    begun(tmp_path / "copy")
    assert (folder / "counter_1.db").exists()


def test_what_a_killed_service_left_is_deleted(tmp_path, earlier):
    process, folder = earlier
    process.kill()
    process.wait()
    begun(tmp_path / "original")
    assert not folder.exists()


@pytest.mark.parametrize("name", ["documents", "evergreen-meters-of-mine"])
def test_a_folder_that_no_service_made_is_not_deleted(tmp_path, name):
    kept = tmp_path / name / "letter"
    kept.parent.mkdir()
    kept.touch()
    (tmp_path / "meters").symlink_to(kept.parent)
    begun(tmp_path)
    assert kept.exists()


@pytest.mark.parametrize("memory", ["/nowhere", "/proc"])
def test_without_a_folder_in_memory_it_is_in_the_usual_place(tmp_path, monkeypatch, memory):
    monkeypatch.setattr(metrics_folder, "_MEMORY", Path(memory))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = metrics_folder.replace(tmp_path / "serving")
    assert folder.parent == tmp_path
    metrics_folder.delete(folder)
