"""A process that counts requests as a worker of the service does."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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


@contextmanager
def counting(root: Path) -> Iterator["subprocess.Popen[str]"]:
    """A worker of a service whose state lies in a folder: 5 requests for the model `toy`, of which 2 went wrong."""
    folder = metrics_folder.replace(root)
    worker = subprocess.Popen(
        [sys.executable, "-c", SERVES, str(root / "log")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(folder)},
    )
    try:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "counted\n"
        yield worker
    finally:
        worker.kill()
        worker.communicate()
        metrics_folder.delete(folder)
