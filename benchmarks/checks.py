"""The same contract three ways, each a process that measures itself after its imports.

python -m benchmarks.checks evergreen|duckdb|pandas ROWS.parquet
"""

import sys
from collections.abc import Callable

import duckdb
import pandas as pd

from benchmarks.measuring import inside
from benchmarks.table import CATEGORIES, NUMBERS, contract


def evergreen(rows: pd.DataFrame) -> Callable[[], bool]:
    """The contract as the model file states it."""
    from evergreen.contract import check

    expectations = contract()
    check(rows.head(100), expectations)  # imports Great Expectations, and makes its context
    return lambda: check(rows, expectations).success


def by_duckdb(rows: pd.DataFrame) -> Callable[[], bool]:
    """One query, as a person would write it."""
    connection = duckdb.connect()
    connection.register("rows", rows)
    words = {name: ", ".join(f"'value {i:03d}'" for i in range(size)) for name, size in CATEGORIES.items()}
    broken = [f"count(*) FILTER ({name} NOT BETWEEN 0 AND 200)" for name in NUMBERS[:6]]
    broken += [f"count(*) FILTER ({n} NOT IN ({words[n]}))" for n in ("category_3", "category_50", "category_500")]
    broken += [
        "count(*) FILTER (id IS NULL)",
        "count(*) FILTER (number_7 IS NULL)",
        "greatest(0, count(*) FILTER (number_12 IS NULL) - 0.1 * count(*))",
        "count(id) - count(DISTINCT id)",
        "count(*) FILTER (NOT regexp_matches(category_200, '^value [0-9]+$'))",
        "CASE WHEN avg(number_8) BETWEEN 90 AND 110 THEN 0 ELSE 1 END",
    ]
    query = f"SELECT {', '.join(broken)} FROM rows"
    connection.execute("SELECT 1").fetchall()
    return lambda: not any(connection.execute(query).fetchall()[0])


def by_pandas(rows: pd.DataFrame) -> Callable[[], bool]:
    """The same in pandas, column by column."""

    def check() -> bool:
        held = [bool((rows[name].between(0, 200) | rows[name].isna()).all()) for name in NUMBERS[:6]]
        for name in ("category_3", "category_50", "category_500"):
            held.append(bool(rows[name].isin([f"value {i:03d}" for i in range(CATEGORIES[name])]).all()))
        held += [bool(rows[name].notna().all()) for name in ("id", "number_7")]
        held.append(float(rows["number_12"].notna().mean()) >= 0.9)
        held.append(bool(rows["id"].is_unique))
        held.append(bool(rows["category_200"].str.match("^value [0-9]+$").all()))
        held.append(90 <= float(rows["number_8"].mean()) <= 110)
        return all(held)

    return check


if __name__ == "__main__":
    way = {"evergreen": evergreen, "duckdb": by_duckdb, "pandas": by_pandas}[sys.argv[1]]
    if not inside(way(pd.read_parquet(sys.argv[2]))):
        raise SystemExit("the table meets its contract, and the check says that it does not")
