"""Erasure of what is stored with versions: pages of rows, input examples of earlier releases, values in references."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from evergreen.errors import AlteredModelError
from evergreen.files import replace
from evergreen.registry.registry import Registry
from evergreen.registry.version import Version

if TYPE_CHECKING:
    from evergreen.definition.model import Model

DATA_PAGE, REFERENCE = "data.html", "reference.json"
_NOTE = "<!doctype html><title>erased</title><p>This page showed rows that were erased. It is not made again.</p>"
_ERASED = "erased"  # in place of a category
_EXAMPLES = ("input_example.json", "serving_input_example.json")
Values = dict[str, set[Any]]


def erase(registry: Registry, model: "Model", versions: list[Version], values: Values, rows: pd.DataFrame) -> list[str]:
    """Remove what the artifacts of versions hold of erased rows.

    Parameters
    ----------
    registry : Registry
    model : Model
    versions : list of Version
        Those that were, or may have been, trained on the rows.
    values : dict of column to set
        The values of the erased rows that no remaining row has.
    rows : DataFrame
        The erased rows.

    Returns
    -------
    list of str
        What is out of reach, a sentence each.
    """
    left = []
    for version in versions:
        if registry.text(version, DATA_PAGE) not in (None, _NOTE):
            registry.attach(version, DATA_PAGE, _NOTE)
        try:
            _erase_examples(registry.path(version), rows)
        except AlteredModelError:
            left.append(f"The stored model of {version} was altered; its files may hold values of the rows.")
    for version in registry.versions(model.name):
        text = registry.text(version, REFERENCE)
        if text and (cleaned := without_values(text, values)) != text:
            registry.attach(version, REFERENCE, cleaned)
    return left


def without_values(text: str, values: Values) -> str:
    """A reference as JSON text without these values of columns: categories, edges of bins, extremes of units."""
    return json.dumps(_cleaned(json.loads(text), values))


def _cleaned(part: Any, values: Values) -> Any:
    """Every part of a JSON value, cleaned; JSON within a text too."""
    if isinstance(part, list):
        return [_cleaned(item, values) for item in part]
    if isinstance(part, str) and part.startswith("{"):
        return without_values(part, values)
    if not isinstance(part, dict):
        return part
    cleaned = {name: _cleaned(item, values) for name, item in part.items()}
    if isinstance(cleaned.get("columns"), dict):
        for name, column in cleaned["columns"].items():
            _clean_column(column, values.get(name, set()))
    if isinstance(cleaned.get("means"), dict):
        own = values.get(str(cleaned.get("column")), set())
        cleaned["means"] = dict(zip(_renamed(list(cleaned["means"]), own), cleaned["means"].values(), strict=True))
    return cleaned


def _clean_column(column: dict[str, Any], values: set[Any]) -> None:
    bins, numbers = column["bins"], {float(value) for value in values if isinstance(value, int | float | np.number)}
    bins["categories"] = _renamed(bins["categories"], {str(value) for value in values})
    for place, edge in enumerate(bins["edges"]):
        if _is_near(edge, numbers):
            bins["edges"][place] = _moved(bins["edges"], place)
    units = column["moments"]
    column["moments"] = [[None if _is_near(moment, numbers) else moment for moment in unit] for unit in units]


def _renamed(names: list[str], erased: set[Any]) -> list[str]:
    """Erased categories get a number: counts go by their place."""
    return [f"{_ERASED} {place}" if name in erased else name for place, name in enumerate(names)]


def _is_near(number: float | None, numbers: set[float]) -> bool:
    """Whether a number is one of these, or the next one to it: below the least value begins the first bin."""
    return number is not None and bool({number, math.nextafter(number, math.inf)} & numbers)


def _moved(edges: list[float], place: int) -> float:
    """An edge with two digits; where that would pass a neighbour, the middle between both."""
    edge, last = edges[place], place == len(edges) - 1
    low = edges[place - 1] if place else edge - abs(edge) - 1
    high = edge + abs(edge) + 1 if last else edges[place + 1]
    rounded = float(f"{edge:.2g}")
    return rounded if low < rounded < high else (low + high) / 2


def _erase_examples(folder: str, rows: pd.DataFrame) -> None:
    """Input examples of earlier releases are rows of the data."""
    for name in _EXAMPLES:
        path = Path(folder) / name
        if folder and path.is_file():
            _rewrite(path, lambda data: _without_rows(data.get("dataframe_split", data), rows))


def _rewrite(path: Path, clean: Callable[[Any], bool]) -> None:
    data = json.loads(path.read_text())
    if clean(data):
        replace(path, json.dumps(data))


def _without_rows(split: dict[str, Any], rows: pd.DataFrame) -> bool:
    """Put another row of the example in place of each erased one; whether there was one."""
    columns, erased = split["columns"], row_texts(rows, split["columns"])
    kept = [row for row in split["data"] if _key(row) not in erased]
    changed = len(kept) != len(split["data"])
    if changed:
        other = kept[0] if kept else [None] * len(columns)
        split["data"] = [other if _key(row) in erased else row for row in split["data"]]
    return changed


def row_texts(rows: pd.DataFrame, columns: list[str]) -> set[str]:
    """Rows as examples hold them: the values of these columns as JSON."""
    if rows.empty or not set(columns) <= set(rows.columns):
        return set()
    plain = rows[columns].astype("object").where(rows[columns].notna(), None)
    return {_key(row) for row in plain.to_numpy().tolist()}


def _key(row: list[Any]) -> str:
    return json.dumps(row, default=str)
