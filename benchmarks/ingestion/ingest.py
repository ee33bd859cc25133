"""Ingest from Parquet files through the contract to Delta: 1,000,000 rows by 20 columns, and ten such batches.

A Prefect server runs beside, as it does in production; what it costs itself is not counted.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.harness.measuring import BIN, Case, Goal, judged, measured
from benchmarks.harness.server import prefect_server
from benchmarks.harness.table import ROWS, end, write


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="evergreen-bench-") as name, prefect_server(folder := Path(name)) as api:
        write(folder, days=10)

        def fresh() -> dict[str, str]:
            shutil.rmtree(folder / "home", ignore_errors=True)
            where = {"EVERGREEN_HOME": folder / "home", "EVERGREEN_MODELS": folder / "models"}
            return {name: str(path) for name, path in where.items()} | {"PREFECT_API_URL": api}

        def flow(name: str, days: int) -> Case:
            return Case(name, [sys.executable, "-m", "benchmarks.ingestion.ingest_flow", end(days)], fresh, inside=True)

        costs = measured(
            "ingest",
            [
                flow("the flow, one batch of 1,000,000 rows", 1),
                flow("the flow, ten batches of 1,000,000 rows", 10),
                Case(
                    "evergreen ingest, process and imports, one batch",
                    [str(BIN / "evergreen"), "ingest", "bench", "--as-of", end(1)],
                    fresh,
                ),
            ],
        )
    one_batch, ten_batches, _ = costs.values()
    judged(
        Goal("rows a second, one batch", ROWS / one_batch.wall_s, 300_000, at_least=True),
        Goal("rows a second, ten batches", 10 * ROWS / ten_batches.wall_s, 300_000, at_least=True),
        Goal("rows a CPU second, ten batches", 10 * ROWS / ten_batches.cpu_s, 300_000, at_least=True),
        Goal("CPU seconds of ten batches, times one batch's", ten_batches.cpu_s / one_batch.cpu_s, 11),
        Goal("peak memory of ten batches, times one batch's", ten_batches.peak_mb / one_batch.peak_mb, 1.25),
    )


if __name__ == "__main__":
    main()
