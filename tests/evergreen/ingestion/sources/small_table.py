"""A small table, written and read through a source."""

from pathlib import Path

import pandas as pd

from evergreen.lake.delta_lake import DeltaLake

DAY = pd.Timedelta(days=1)
START = pd.Timestamp("2013-01-01", tz="UTC")
YORK = "America/New_York"
WIDE = 2**53 + 1  # the smallest whole number that a float does not hold
LAKE = DeltaLake("nowhere")  # which none of these sources asks


def table(at):
    return pd.DataFrame({"id": [f"r{i:03}" for i in range(len(at))], "at": at, "group": "a", "x": 1.0, "y": 2.0})


def written(path: Path, at, format="parquet") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    table(at).to_parquet(path, index=False) if format == "parquet" else table(at).to_csv(path, index=False)
    return str(path)


def read(model, since=START, until=START + DAY):
    return model.source.read(model, since, until, LAKE)
