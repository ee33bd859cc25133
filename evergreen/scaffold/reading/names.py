"""Names of columns that no model file can declare."""

from collections.abc import Collection

import pandas as pd

from evergreen.definition.model import ROW_KEY
from evergreen.errors import ScaffoldError
from evergreen.sql import RESERVED


def usable(rows: pd.DataFrame, chosen: Collection[str | None]) -> tuple[pd.DataFrame, dict[str, str]]:
    """The columns that a model file can declare, and the others with the reason why not.

    Parameters
    ----------
    rows : DataFrame
    chosen : collection of str or None
        What the user named as time, key or target.

    Raises
    ------
    ScaffoldError
        One of these cannot be declared.

    Examples
    --------
    >>> usable(pd.DataFrame(columns=["x", "X", "y"]), ["X"])[1]
    {'x': "its name differs only in case from 'X'"}
    """
    reasons: dict[str, str] = {}
    known = {name.casefold(): name for name in chosen if name}
    for name in map(str, rows.columns):
        first = known.setdefault(name.casefold(), name)
        if name.casefold().startswith(RESERVED) and name != ROW_KEY:
            reasons[name] = f"its name begins with {RESERVED!r}, as Evergreen's own do"
        elif first != name:
            reasons[name] = f"its name differs only in case from {first!r}"
    for name in filter(None, chosen):
        if name in reasons:
            raise ScaffoldError(f"The column {name!r} cannot be used: {reasons[name]}. Rename it.")
    return rows.drop(columns=list(reasons)), reasons
