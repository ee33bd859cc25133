"""The flow that ingests the benchmarks' table, measured after its imports and a first run that has nothing to do.

python -m benchmarks.ingestion.ingest_flow AS_OF
"""

import sys
from contextlib import suppress
from datetime import UTC, datetime

from evergreen.errors import SourceShapeError
from evergreen.settings import embed
from flows.ingest import ingest

embed()

import deltalake  # noqa: E402, F401
import duckdb  # noqa: E402, F401
import great_expectations  # noqa: E402, F401

from benchmarks.harness.measuring import Stopwatch  # noqa: E402
from benchmarks.harness.table import ROWS  # noqa: E402


def main() -> None:
    """Take everything in, and tell what it cost."""
    with suppress(SourceShapeError):  # before the first row: everything is imported, and nothing comes
        ingest("bench", as_of=datetime(2023, 12, 31, tzinfo=UTC))
    stopwatch = Stopwatch()
    with stopwatch.running():
        batches = ingest("bench", as_of=datetime.fromisoformat(sys.argv[1]).replace(tzinfo=UTC))
    if {(batch.fate, batch.new) for batch in batches} != {("landed", ROWS)}:
        raise SystemExit(f"not all rows have landed: {batches}")
    stopwatch.tell()


if __name__ == "__main__":
    main()
