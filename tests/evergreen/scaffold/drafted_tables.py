"""Tables to draft models of."""

import numpy as np
import pandas as pd

from evergreen.lake.delta_lake import DeltaLake

NOW, LAKE = pd.Timestamp("2027-01-01", tz="UTC"), DeltaLake("nowhere")


def written(home, text, name="table.csv", encoding="utf-8"):
    """A file with a text."""
    path = home / name
    path.write_bytes(text.encode(encoding))
    return path


def hours(count=400):
    """A table of hours whose target is told by the clock."""
    at = pd.date_range("2026-01-01", periods=count, freq="h")
    x, noise = np.random.default_rng(0).normal(size=(2, count)).round(3)
    return pd.DataFrame({"at": at, "x": x, "y": (x + at.hour + noise).round(3)})
