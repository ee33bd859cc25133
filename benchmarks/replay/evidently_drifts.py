"""Whether datasets have drifted by Evidently's defaults; run in its environment.

For every folder that is named on a line of standard input it prints whether window.parquet has drifted from
reference.parquet.
"""

import sys
from pathlib import Path

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset

HALF = 0.5  # of the columns, Evidently's default


def share(folder: Path) -> float:
    """The share of columns that have drifted."""
    reference, window = (pd.read_parquet(folder / f"{name}.parquet") for name in ("reference", "window"))
    numbers = [name for name in reference if reference[name].dtype.kind in "iuf"]
    definition = DataDefinition(
        numerical_columns=numbers, categorical_columns=[name for name in reference if name not in numbers]
    )
    old, new = (Dataset.from_pandas(rows, data_definition=definition) for rows in (reference, window))
    metrics = Report([DataDriftPreset()]).run(new, old).dict()["metrics"]
    return float(next(metric["value"]["share"] for metric in metrics if "DriftedColumnsCount" in str(metric)))


if __name__ == "__main__":
    for line in sys.stdin:
        print(share(Path(line.strip())) >= HALF, flush=True)
