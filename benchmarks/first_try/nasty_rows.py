"""Rows that tables are made of."""

from typing import Any

import numpy as np
import pandas as pd

Chance = np.random.Generator


def text(rows: pd.DataFrame, encoding: str = "utf-8", **form: Any) -> bytes:
    """As CSV."""
    return rows.to_csv(index=False, **form).encode(encoding)


def told(chance: Chance, times: pd.DatetimeIndex, **columns: Any) -> pd.DataFrame:
    """Rows of these times: `x` and the hour tell the target `y` but for some noise."""
    x = chance.normal(size=len(times)).round(3)
    y = 20 + 3 * x + 5 * np.sin(times.hour * np.pi / 12) + chance.normal(size=len(times))
    return pd.DataFrame({"ts": times, "x": x, **columns, "y": y.round(2)})


def yes(chance: Chance, x: Any, share: float = 0.3) -> Any:
    """Truth values that x tells in part, true in about this share of the rows."""
    score = 2 * np.asarray(x) + chance.normal(size=len(x))
    return score > np.quantile(score, 1 - share)
