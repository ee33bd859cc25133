"""One drift scan, by one way, as a process: `scanned.py WAY REFERENCE FILE...`."""

import json
import math
import sys
from pathlib import Path

NUMBERS, CATEGORIES = [f"n{place}" for place in range(14)], [f"c{place}" for place in range(6)]


def by_evergreen(reference: str, files: list[str]) -> int:
    """As a monitor does: one scan into the reference's bins, then distances and thresholds."""
    from datetime import timedelta

    import duckdb

    from evergreen import Monitoring
    from evergreen.drift import columns, profile, scan, thresholds

    known = profile.Profile.parse(json.loads(Path(f"{reference}.json").read_text()))
    kinds = dict.fromkeys(NUMBERS, "number") | dict.fromkeys(CATEGORIES, "category")
    sql = scan.sql(known.bins, kinds, f"read_parquet({files!r})", "at", timedelta(days=1))
    window = scan.read(known.bins, duckdb.sql(sql).to_arrow_table().to_pandas()).total()
    monitoring = Monitoring()
    measured = columns.measure(known.total(), window)
    judged = columns.judge(measured, thresholds.calibrate(known.columns, monitoring), {}, monitoring.important)
    return sum(column.drifted for column in judged)


def by_window(reference: str, files: list[str]) -> int:
    """By hand in DuckDB: counts of the window as a whole, in ten bins or by value, and each column's distance."""
    return _by_hand(reference, files, "0")


def by_day(reference: str, files: list[str]) -> int:
    """The same by day, so that tomorrow's window needs one day more."""
    return _by_hand(reference, files, "time_bucket(INTERVAL '1 day', \"at\")")


def _by_hand(reference: str, files: list[str], unit: str) -> int:
    import duckdb

    columns = json.loads(Path(f"{reference}.json").read_text())["columns"]
    reference_counts = {
        name: [sum(slot) for slot in zip(*column["counts"], strict=True)] for name, column in columns.items()
    }
    terms = []
    for name in NUMBERS:
        edges = ", ".join(f"count_if({name} <= {edge})" for edge in columns[name]["bins"]["edges"])
        terms.append(f"[{edges}, count({name}), count(*)]")
    terms += [f"histogram({name}::VARCHAR)" for name in CATEGORIES]
    moments = ", ".join(f"sum({name}), sum({name} * {name}), min({name}), max({name})" for name in NUMBERS)
    sql = f"SELECT {unit} AS unit, {', '.join(terms)}, {moments} FROM read_parquet({files!r}) GROUP BY unit"
    rows = duckdb.sql(sql).fetchall()
    drifted = 0
    for place, name in enumerate([*NUMBERS, *CATEGORIES], start=1):
        if name in CATEGORIES:
            values = columns[name]["bins"]["categories"]
            counts = [sum(row[place].get(value, 0) for row in rows) for value in values] + [0, 0]
        else:
            sums = [sum(some) for some in zip(*(row[place] for row in rows), strict=True)]
            counts = [high - low for low, high in zip([0, *sums], sums, strict=False)]
        drifted += distance(reference_counts[name], counts) > 0.1
    return drifted


def distance(counts: list[int], reference: list[int]) -> float:
    """The Jensen-Shannon distance, in bits."""
    p, q = [a / sum(counts) for a in counts], [b / sum(reference) for b in reference]
    both = [(a, b, (a + b) / 2) for a, b in zip(p, q, strict=True)]
    terms = (sum(x * math.log2(x / m) for x in (a, b) if x > 0) for a, b, m in both)
    return math.sqrt(max(sum(terms) / 2, 0))


def by_evidently(reference: str, files: list[str]) -> int:
    """The data drift preset, as its documentation has it."""
    import pandas as pd
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    definition = DataDefinition(numerical_columns=NUMBERS, categorical_columns=CATEGORIES)
    tables = [pd.read_parquet(path, columns=[*NUMBERS, *CATEGORIES]) for path in (f"{reference}.parquet", files[0])]
    known, window = (Dataset.from_pandas(table, data_definition=definition) for table in tables)
    return len(Report([DataDriftPreset()]).run(window, known).dict()["metrics"])


def by_nannyml(reference: str, files: list[str]) -> int:
    """Univariate drift of all columns, the whole file as one chunk, by its default method."""
    import nannyml
    import pandas as pd

    known, window = (pd.read_parquet(path) for path in (f"{reference}.parquet", files[0]))
    names = [*NUMBERS, *CATEGORIES]
    calculator = nannyml.UnivariateDriftCalculator(
        column_names=names, chunk_number=1, treat_as_categorical=CATEGORIES
    ).fit(known)
    return len(calculator.calculate(window).to_df())


if __name__ == "__main__":
    print(globals()[f"by_{sys.argv[1]}"](sys.argv[2], sys.argv[3:]))
