"""What another process of this machine reads of a running service: its requests by model, and nothing of a dead one."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving import usage
from serving.process import metrics_folder

SERVES = """
import sys
from pathlib import Path
from serving.metrics import Metrics
metrics = Metrics(Path(sys.argv[1]))
for status, seconds in ((200, 0.004), (200, 0.004), (200, 0.2), (400, 0.001), (500, 20)):
    metrics.record_request("toy", status, seconds)
metrics.record_request("other", 200, 0.1)
metrics.record_rows("toy", "7", 12)
print("counted", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """The folder of a service's state, and a process that counts as one of its workers does."""
    folder = metrics_folder.replace(tmp_path)
    worker = subprocess.Popen(
        [sys.executable, "-c", SERVES, str(tmp_path / "log")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(folder)},
    )
    assert worker.stdout is not None
    assert worker.stdout.readline() == "counted\n"
    yield tmp_path, worker
    worker.kill()
    worker.communicate()
    metrics_folder.delete(folder)


def test_requests_errors_and_latency_of_a_model_are_read_without_asking_the_service(serving):
    folder = metrics_folder.current(serving[0])
    assert folder is not None
    found = usage.read(folder, "toy")
    assert found.requests == {200: 3, 400: 1, 500: 1}
    assert (found.total, found.refused, found.failed) == (5, 1, 1)
    assert found.rows == {"7": 12}
    assert (found.within(0.5), found.within(0.8), found.within(1.0)) == (0.005, 0.25, float("inf"))
    assert usage.read(folder, "nobody") == usage.Usage()


def test_a_service_that_was_killed_does_not_run(serving):
    root, worker = serving
    worker.kill()
    worker.wait()
    assert metrics_folder.current(root) is None


def test_where_no_service_ever_ran_there_is_none(tmp_path):
    assert metrics_folder.current(tmp_path) is None
