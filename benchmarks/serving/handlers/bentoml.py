"""BentoML with the pipeline of `late`; run in its environment: `bentoml_handler PORT [batching]`.

A request is {"rows": [a record, ...]}, the form in which it reads a frame too; its batching fails on frames (1.4.40).
"""

import os
import sys
from typing import Any

import bentoml
import pandas as pd

from benchmarks.serving.handlers import stored


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Late:
    """Rows to probabilities."""

    def __init__(self) -> None:
        self.estimator = stored.estimator()

    @bentoml.api(route="/invocations", batchable="BATCHING" in os.environ)
    def invocations(self, rows: list[dict[str, Any]]) -> list[float]:
        """Probabilities."""
        return stored.late(self.estimator, pd.DataFrame(rows))


if __name__ == "__main__":
    if "batching" in sys.argv:
        os.environ["BATCHING"] = "1"
    command = [sys.executable, "-m", "bentoml", "serve", "benchmarks.serving.handlers.bentoml:Late"]
    os.execv(sys.executable, [*command, "--host", "127.0.0.1", "--port", sys.argv[1]])
