"""Names of columns: those that no model file can declare, and those that differ from the files' own."""

import itertools
from collections.abc import Collection, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from evergreen.definition.model import ROW_KEY
from evergreen.errors import ScaffoldError
from evergreen.ingestion.sources.case_names import numbered, of_parquet
from evergreen.ingestion.sources.csv_format import Csv, is_packed
from evergreen.ingestion.sources.file_access import csv_headers, reading, resolved, unpacked
from evergreen.ingestion.sources.files import Files
from evergreen.ingestion.sources.json_lines import keys_of, names_of
from evergreen.ingestion.sources.places import Place
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


def renamed(source: Files, names: Collection[str]) -> dict[str, str]:
    """The columns that the files call otherwise, and why.

    Parameters
    ----------
    source : Files
    names : collection of str
        The columns as they are read.

    Raises
    ------
    SourceShapeError
        Files have columns that differ only in case in different orders.
    """
    if source.csv is not None:
        unlike = of_header(source.csv.names or list(names))
        written = _headers(source, source.csv) if unlike else set()
        return {name: why for name, why in unlike.items() if name not in written}
    if not numbered(names):
        return {}
    with reading("UTC") as connection:
        place = resolved(source.path, connection)
        ask = {"parquet": of_parquet, "json": _of_json}.get(place.format, _of_others)
        own = (_of_others if is_packed(place.pattern) and place.format != "json" else ask)(place, names, connection)
    return {name: _told(base, [other for other in names if other != name]) for name, base in own.items()}


def _of_json(place: Place, _names: Collection[str], connection: Any) -> dict[str, str]:
    """The columns of files of JSON that are called otherwise than their key."""
    with TemporaryDirectory(prefix="evergreen-json-") as folder:
        names = names_of(keys_of(unpacked(place, Path(folder)), connection))
    return {name: key for key, name in names.items() if name != key}


def _of_others(_place: Place, names: Collection[str], _connection: object) -> dict[str, str]:
    return numbered(names)


def _told(name: str, others: Collection[str]) -> str:
    same = next(other for other in others if other.casefold() == name.casefold())
    return f"{name!r} in the file, which has {same!r} too"


def _headers(source: Files, form: Csv) -> set[str]:
    """The names that stand in the headers of CSV files."""
    with reading("UTC") as connection:
        place = resolved(source.path, connection)
    with TemporaryDirectory(prefix="evergreen-csv-") as folder:
        return {*itertools.chain.from_iterable(csv_headers(place, form, Path(folder))[1])}


def of_header(names: Sequence[str]) -> dict[str, str]:
    """Of the columns of a CSV file, those that seem not to be called so in its header, and why.

    Examples
    --------
    >>> of_header(["row", "id", "ID_2", "Age_2"])
    {'row': 'has no name in the file', 'ID_2': "'ID' in the file, which has 'id' too"}
    """
    notes = {}
    for place, name in enumerate(names):
        base, _, number = name.rpartition("_")
        same = [other for other in names[:place] if other.casefold() == base.casefold()]
        if same and number.isdigit():
            notes[name] = _told(base, same)
        elif name == f"column{place}" or (name == "row" and not place):
            notes[name] = "has no name in the file"
    return notes
