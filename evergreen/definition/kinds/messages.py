"""The wording of messages about values that do not fit their kind; not a kind itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_LONGEST = 60  # characters of an example


def describe(values: pd.Series[Any], invalid: pd.Series[bool], what: str) -> str:
    """How many rows are invalid, why, and the first three of them; a missing value is no example of anything.

    Examples
    --------
    >>> import pandas as pd
    >>> values = pd.Series(["a", None, "b"])
    >>> describe(values, values.notna(), "hold no number"), describe(values, values.isna(), "are missing")
    ("2 of 3 rows hold no number: 'a', 'b'", '1 of 3 rows are missing')
    """
    examples = ", ".join(_short(repr(value)) for value in values[invalid].dropna().head(3).tolist())
    return f"{int(invalid.sum()):,} of {len(values):,} rows {what}{': ' if examples else ''}{examples}"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
