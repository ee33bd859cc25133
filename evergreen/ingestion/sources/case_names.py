"""Columns whose names differ only in case, which DuckDB tells apart by a number."""

from collections.abc import Collection


def numbered(names: Collection[str]) -> dict[str, str]:
    """The columns that look as if DuckDB had given them a number, and what they are called in the file then.

    Examples
    --------
    >>> numbered(["age", "Age_1", "x", "x_1"])
    {'Age_1': 'Age'}
    """
    known = {name.casefold() for name in names}
    bases = {name: base for name in names for base, _, number in [name.rpartition("_")] if number.isdigit()}
    return {name: base for name, base in bases.items() if base.casefold() in known and base not in names}
