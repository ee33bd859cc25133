"""A contract of 15 expectations on 1,000,000 rows by 20 columns, beside one query; and ten times that, in batches."""

import sys
import tempfile
from pathlib import Path

from benchmarks.harness.measuring import Case, Goal, judged, measured
from benchmarks.harness.table import write


def main() -> None:
    """Measure and print; what is counted is the checks alone, after imports and reading."""
    with tempfile.TemporaryDirectory(prefix="evergreen-bench-") as folder:
        files = [str(path) for path in write(Path(folder), days=10)]

        def case(name: str, way: str, some: list[str]) -> Case:
            return Case(name, [sys.executable, "-m", "benchmarks.ingestion.checks", way, *some], inside=True)

        costs = measured(
            "contract",
            [
                case("one DuckDB query, 1,000,000 rows", "duckdb", files[:1]),
                case("pandas by hand, 1,000,000 rows", "pandas", files[:1]),
                case("evergreen, 1,000,000 rows", "evergreen", files[:1]),
                case("evergreen, ten batches of 1,000,000", "evergreen", files),
            ],
        )
    query, _, one_batch, ten_batches = costs.values()
    judged(
        Goal("CPU seconds, times the query's", one_batch.cpu_s / query.cpu_s, 5),
        Goal("CPU seconds of ten batches, times one batch's", ten_batches.cpu_s / one_batch.cpu_s, 11),
        Goal("peak memory of ten batches, times one batch's", ten_batches.peak_mb / one_batch.peak_mb, 1.25),
    )


if __name__ == "__main__":
    main()
