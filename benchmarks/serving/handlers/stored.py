"""The stored pipeline of `late`, for servers in environments of their own: nothing of Evergreen is to be had there."""

import os
from typing import Any

import pandas as pd
import skops.io


def estimator() -> Any:
    """The estimator of the skops file that STORED names; it is the benchmark's own, so all its types are trusted."""
    file = os.environ["STORED"]
    return skops.io.load(file, trusted=skops.io.get_untrusted_types(file=file))


def late(estimator: Any, rows: pd.DataFrame) -> list[float]:
    """How likely each row arrives late."""
    return estimator.predict_proba(rows)[:, 1].tolist()


def together(splits: list[dict[str, Any]]) -> dict[str, Any]:
    """The rows of some dataframe_splits that have their columns in one order, as one."""
    return {"columns": splits[0]["columns"], "data": [row for split in splits for row in split["data"]]}
