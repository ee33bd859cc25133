"""The same contract several ways, each a process that measures its checks after imports and reading.

python -m benchmarks.ingestion.checks evergreen|duckdb|pandas FILE.parquet…
"""

import sys

import duckdb
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from benchmarks.harness.measuring import Stopwatch
from benchmarks.harness.table import CATEGORIES, NUMBERS, contract, words


def by_evergreen(rows: pd.DataFrame) -> bool:
    """The contract as the model file states it."""
    from evergreen.ingestion.contract import check

    return check(rows, contract()).success


def by_duckdb(rows: pa.Table) -> bool:
    """One query, as a person would write it."""
    connection = duckdb.connect()
    connection.register("rows", rows)
    broken = [f"count(*) FILTER ({name} NOT BETWEEN 0 AND 200)" for name in NUMBERS[:6]]
    broken += [f"count(*) FILTER ({n} NOT IN {tuple(words(n))})" for n in ("category_3", "category_50", "category_500")]
    broken += [
        "count(*) FILTER (id IS NULL)",
        "count(*) FILTER (number_7 IS NULL)",
        "greatest(0, count(*) FILTER (number_12 IS NULL) - 0.1 * count(*))",
        "count(id) - count(DISTINCT id)",
        "count(*) FILTER (NOT regexp_matches(category_200, '^value [0-9]+$'))",
        "CASE WHEN avg(number_8) BETWEEN 90 AND 110 THEN 0 ELSE 1 END",
    ]
    return not any(connection.execute(f"SELECT {', '.join(broken)} FROM rows").fetchall()[0])


def by_pandas(rows: pd.DataFrame) -> bool:
    """The same in pandas, column by column."""
    passed = [bool((rows[name].between(0, 200) | rows[name].isna()).all()) for name in NUMBERS[:6]]
    passed += [bool(rows[name].isin(words(name)).all()) for name in ("category_3", "category_50", "category_500")]
    passed += [bool(rows[name].notna().all()) for name in ("id", "number_7")]
    passed.append(float(rows["number_12"].notna().mean()) >= 0.9)
    passed.append(bool(rows["id"].is_unique))
    passed.append(bool(rows["category_200"].str.match("^value [0-9]+$").all()))
    passed.append(90 <= float(rows["number_8"].mean()) <= 110)
    return all(passed)


WAYS = {
    "evergreen": (pd.read_parquet, by_evergreen),
    "duckdb": (parquet.read_table, by_duckdb),
    "pandas": (pd.read_parquet, by_pandas),
}


def main() -> None:
    """Check each file, and tell what the checks cost."""
    read, check = WAYS[sys.argv[1]]
    assert len(CATEGORIES) + len(NUMBERS) == 18, "with the key and the time, 20 columns"
    check(read(sys.argv[2])[:10])  # what is imported where it is used, and made once a process
    stopwatch = Stopwatch()
    for path in sys.argv[2:]:
        rows = read(path)
        with stopwatch.running():
            met = check(rows)
        if not met:
            raise SystemExit(f"{path} meets its contract, and the check says that it does not")
        del rows
    stopwatch.tell()


if __name__ == "__main__":
    main()
