"""A drift scan of 1,000,000 rows by 20 columns against a stored reference, beside a query by hand, and beside peers.

Whole processes, from their start to the result. Evidently and NannyML, which hold rows against rows, stand in
environments of their own, made on first use under ``.evergreen/peers`` and left out where they cannot be installed.

    python -m benchmarks.monitoring.scan
"""

import json
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from benchmarks.harness.measuring import Case, Goal, judged, measured
from benchmarks.harness.peers import environment

ROWS = 1_000_000
SIZES = [3, 10, 50, 100, 200, 500]
NUMBERS, CATEGORIES = [f"n{place}" for place in range(14)], [f"c{place}" for place in range(len(SIZES))]
START = pd.Timestamp("2024-01-01", tz="UTC")
_PEERS = ("evidently", "nannyml")


def table(seed: int, days: int = 7) -> pd.DataFrame:
    """14 numbers and 6 categories of up to 500 values, and a time."""
    random = np.random.default_rng(seed)
    columns = {"at": START + pd.to_timedelta(np.sort(random.integers(0, days * 86_400, ROWS)), unit="s")}
    columns |= {name: random.normal(100, 15, ROWS) for name in NUMBERS}
    for name, size in zip(CATEGORIES, SIZES, strict=True):
        columns[name] = pd.Categorical.from_codes(
            random.integers(0, size, ROWS), [f"value {i:03d}" for i in range(size)]
        )
    return pd.DataFrame(columns)


def write(folder: Path) -> tuple[str, list[str]]:
    """Write the reference as rows and as a profile, and ten files of a million rows each."""
    from evergreen.drift import bins as binning
    from evergreen.drift import scan

    rows = table(seed=0, days=49)
    rows.to_parquet(folder / "reference.parquet", index=False)
    kinds = dict.fromkeys(NUMBERS, "number") | dict.fromkeys(CATEGORIES, "category")
    bins = {name: binning.bins_of(rows[name], kind) for name, kind in kinds.items()}
    sql = scan.sql(bins, kinds, f"read_parquet('{folder / 'reference.parquet'}')", "at", timedelta(days=1))
    profile = scan.read(bins, duckdb.sql(sql).to_arrow_table().to_pandas())
    (folder / "reference.json").write_text(json.dumps(profile.dump()))
    files = [folder / f"{place}.parquet" for place in range(10)]
    for place, path in enumerate(files):
        table(seed=place + 1).to_parquet(path, index=False)
    return str(folder / "reference"), [str(path) for path in files]


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="evergreen-bench-") as folder:
        reference, files = write(Path(folder))

        def case(name: str, way: str, some: list[str], python: str = sys.executable) -> Case:
            return Case(name, [python, str(Path(__file__).with_name("scanned.py")), way, reference, *some])

        cases = [
            case("by hand in DuckDB, as one window, 1,000,000 rows", "window", files[:1]),
            case("by hand in DuckDB, by day, 1,000,000 rows", "day", files[:1]),
            case("evergreen, 1,000,000 rows", "evergreen", files[:1]),
            case("evergreen, 10,000,000 rows in ten files", "evergreen", files),
        ]
        peers = {peer: python for peer in _PEERS if (python := environment(peer))}
        cases += [case(f"{peer}, 1,000,000 rows", peer, files[:1], python) for peer, python in peers.items()]
        costs = dict(zip(["window", "day", "one", "ten", *peers], measured("drift scan", cases).values(), strict=True))
    one_file, ten_files = costs["one"], costs["ten"]
    judged(
        Goal("CPU seconds, times those by hand as one window", one_file.cpu_s / costs["window"].cpu_s, 2),
        Goal("CPU seconds, times those by hand by day", one_file.cpu_s / costs["day"].cpu_s, 2),
        Goal("wall seconds of ten files, times one's", ten_files.wall_s / one_file.wall_s, 11),
        Goal("peak memory of ten files, times one's", ten_files.peak_mb / one_file.peak_mb, 1.25),
        *(
            Goal(f"CPU seconds of {peer}, times ours", costs[peer].cpu_s / one_file.cpu_s, least, at_least=True)
            for peer, least in (("evidently", 30), ("nannyml", 5))
            if peer in costs
        ),
    )


if __name__ == "__main__":
    main()
