"""A table of 20 columns for the benchmarks, in Parquet, a day and a million rows a file, with its model file."""

from pathlib import Path

import numpy as np
import pandas as pd

ROWS = 1_000_000
NUMBERS = [f"number_{i}" for i in range(13)]
CATEGORIES = {"category_3": 3, "category_10": 10, "category_50": 50, "category_200": 200, "category_500": 500}
START = pd.Timestamp("2024-01-01", tz="UTC")

MODEL_FILE = '''"""The benchmarks' table: 20 columns, a contract of 15 expectations."""

from sklearn.linear_model import LinearRegression

from benchmarks.harness.table import CATEGORIES, NUMBERS, contract
from evergreen import Files, Model

model = Model(
    name="bench",
    task="regression",
    source=Files(path={path!r}, batch="1d"),
    key="id",
    time="happened",
    target="number_0",
    features=dict.fromkeys(NUMBERS[1:], "number") | dict.fromkeys(CATEGORIES, "category"),
    contract=contract(),
    estimator=LinearRegression,
)
'''


def rows(day: int = 0, count: int = ROWS) -> pd.DataFrame:
    """One day's rows: a key of text, a time, 13 numbers and 5 categories of 3 to 500 values."""
    random = np.random.default_rng(day)
    moments = np.sort(random.integers(0, 24 * 3600 * 10**6, count))
    moments[0] = 0  # a batch of a day then begins with the file's first row
    columns = {
        "id": pd.Series(np.char.add(f"{day:03d}-", np.arange(count).astype("U7"))).astype("str"),
        "happened": START + pd.Timedelta(days=day) + pd.to_timedelta(moments, unit="us"),
    }
    columns |= {name: random.normal(100, 15, count) for name in NUMBERS}
    for name, size in CATEGORIES.items():
        columns[name] = pd.Series(words(name), dtype="str").take(random.integers(0, size, count)).array
    columns["number_12"] = np.where(random.random(count) < 0.05, np.nan, columns["number_12"])
    return pd.DataFrame(columns)


def words(column: str) -> list[str]:
    """What a column of categories may hold."""
    return [f"value {i:03d}" for i in range(CATEGORIES[column])]


def contract():
    """15 expectations as tables have them: bounds, sets, gaps, a pattern, a mean."""
    from evergreen import expect

    between = [expect("column_values_to_be_between", name, min_value=0, max_value=200) for name in NUMBERS[:6]]
    sets = [
        expect("column_values_to_be_in_set", name, value_set=words(name))
        for name in ("category_3", "category_50", "category_500")
    ]
    return [
        *between,
        *sets,
        expect("column_values_to_not_be_null", "id"),
        expect("column_values_to_not_be_null", "number_7"),
        expect("column_values_to_not_be_null", "number_12", mostly=0.9),
        expect("column_values_to_be_unique", "id"),
        expect("column_values_to_match_regex", "category_200", regex="^value [0-9]+$"),
        expect("column_mean_to_be_between", "number_8", min_value=90, max_value=110),
    ]


def write(folder: Path, days: int) -> list[Path]:
    """Write a file for each day, and the model file of all of them in ``models/``."""
    (folder / "rows").mkdir(parents=True)
    (folder / "models").mkdir()
    (folder / "models" / "bench.py").write_text(MODEL_FILE.format(path=str(folder / "rows" / "*.parquet")))
    files = [folder / "rows" / f"{day:03d}.parquet" for day in range(days)]
    for day, path in enumerate(files):
        rows(day).to_parquet(path, index=False)
    return files


def end(days: int) -> str:
    """The moment by which so many days are over, as the command line takes it."""
    return f"{START + pd.Timedelta(days=days):%Y-%m-%d}"
