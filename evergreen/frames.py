"""Frames whose columns have the names that users gave them."""

from collections.abc import Mapping
from typing import Any

import pandas as pd


def with_columns(rows: pd.DataFrame, columns: Mapping[str, Any] | pd.DataFrame) -> pd.DataFrame:
    """A copy with these columns added or replaced; `DataFrame.assign` cannot take one named ``self``.

    Examples
    --------
    >>> with_columns(pd.DataFrame({"x": [1]}), {"self": [2], "x": [3]}).to_dict("list")
    {'x': [3], 'self': [2]}
    """
    changed = rows.copy(deep=False)
    for name, values in columns.items():
        changed[name] = values
    return changed
