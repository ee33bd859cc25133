"""The columns that identify the rows of a table."""

from itertools import combinations
from typing import TYPE_CHECKING

import pandas as pd

from evergreen.errors import ScaffoldError
from evergreen.ingestion.key_conflicts import Conflicts, conflicts
from evergreen.scaffold.reading import columns
from evergreen.scaffold.reading.calendar_parts import spelt
from evergreen.scaffold.reading.event_time import EventTime, listed
from evergreen.scaffold.reading.sample import Table

if TYPE_CHECKING:
    from evergreen.definition.options import Kind

_SHOWN = 3  # columns that differ, and values, in an example
_BESIDE = 8  # columns that are tried beside the time as a key, one or two of them


def find(
    table: Table, rows: pd.DataFrame, kinds: "dict[str, Kind | None]", time: EventTime, target: str | None
) -> tuple[list[str], str]:
    """Columns that identify each row of the table, none if there are none; and what is told of them.

    What names a thing, such as a customer, does so only together with the time: who comes again is another row. Of the
    columns that do so beside the time, those with the fewest different values are taken: a measurement that
    happens to differ among rows of one time has more.

    Parameters
    ----------
    table : Table
    rows : DataFrame
        A sample of it, typed.
    kinds : dict of column to kind
    time : EventTime
    target : str or None
    """
    whole = [name for name, kind in kinds.items() if kind in ("integer", "category") and not rows[name].isna().any()]
    others = [name for name in whole if name not in (*time.inputs, time.column, target)]
    others.sort(key=lambda name: (not columns.ID_WORDS.search(name), rows[name].nunique()))
    ids = [[name] for name in others if columns.ID_WORDS.search(name)]
    words = [
        [name]
        for name in others
        if kinds[name] == "category" and not rows[name].astype("str").str.contains(r"\s").any()
    ]
    within = [
        [name, other] for name in _of_one_time(ids, rows, time) for other in others[: _BESIDE + 1] if other != name
    ]
    beside = [list(some) for count in (1, 2) for some in combinations(others[:_BESIDE], count)]
    things = [name for (name,) in ids if columns.THING_WORDS.search(spelt(name))]
    again = [[name, time.column] for name in things if not rows[name].duplicated().any()]
    alone = [key for key in (*ids, *words) if key[0] not in things]
    tried = [*alone, *again, [time.column], *within, *([time.column, *some] for some in beside)]
    once = rows[[name for name in rows if kinds[str(name)]]].drop_duplicates()
    for key in tried:
        if not once.duplicated(key).any() and table.distinct(_inputs(key, time)) == table.different:
            thing = f"; {key[0]!r} names a thing, which may come again" if key in again else ""
            return key, (_told_of_doubles(table) or f"unique in all {table.total:,} rows") + thing
    nearest = min(tried, key=lambda key: int(once.duplicated(key).sum()))
    shared = int(once.duplicated(nearest, keep=False).sum())
    told = f"no columns identify a row ({shared:,} rows of {listed(nearest)} differ in others), so its content does"
    told += _example(conflicts(once, nearest, []), nearest)
    return [], "; ".join(filter(None, [told, _told_of_doubles(table)]))


def _of_one_time(ids: list[list[str]], rows: pd.DataFrame, time: EventTime) -> list[str]:
    """Identifiers of events that several rows describe, such as the lines of an order: each has one time."""
    return [name for (name,) in ids if rows.groupby(name)[time.column].nunique().max() == 1]


def _example(found: Conflicts, key: list[str]) -> str:
    """The values of one key whose rows differ, and those that differ.

    Examples
    --------
    >>> _example(conflicts(pd.DataFrame({"id": [7, 7], "x": [1, 2]}), ["id"], []), ["id"])
    "; 'id' 7 has 'x' 1, 2"
    """
    if found.examples.empty:
        return ""
    rows = found.examples
    of = ", ".join(f"{name!r} {rows[name].iloc[0]}" for name in key)
    differing = [name for name in found.differing if rows[name].nunique(dropna=False) > 1][:_SHOWN]
    values = "; ".join(f"{name!r} {', '.join(map(str, rows[name].head(_SHOWN)))}" for name in differing)
    return f"; {of} has {values}"


def _told_of_doubles(table: Table) -> str:
    doubles = table.total - table.different
    return f"{doubles:,} of {table.total:,} rows are exact doubles of others" if doubles else ""


def _inputs(key: list[str], time: EventTime) -> list[str]:
    """The columns of the table that a key is made of."""
    return [column for name in key for column in (time.inputs if name == time.column else [name])]


def require_unique(table: Table, rows: pd.DataFrame, key: list[str], time: EventTime) -> None:
    """Refuse columns that the user names as a key and that identify no row.

    Raises
    ------
    ScaffoldError
        Rows that differ share a key, or one is missing.
    """
    inputs = _inputs(key, time)
    if (distinct := table.distinct(inputs)) == table.different and not rows[inputs].isna().any(axis=None):
        return
    words = [str(name) for name in rows if columns.reading(rows[name]).kind in ("integer", "category")]
    found = conflicts(rows, inputs, words)
    told = f": {found.told}{_example(found, inputs)}" if found.told else ""
    raise ScaffoldError(
        f"No key: {listed(key)} has {distinct:,} different values in {table.different:,} rows, so a corrected row "
        f"cannot be told from a new one{told}. Name more columns with --key, or none: then its content identifies a "
        "row."
    )
