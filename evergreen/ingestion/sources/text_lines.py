"""Where rows stand in CSV files: the file and the line. Looked up only once something is wrong with them."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from evergreen.ingestion.sources.csv_format import Csv, lines_of, opened

Wanted = Mapping[str, Any]  # the values of a row, by column


def places(files: Sequence[Path], form: Csv, wanted: Sequence[Wanted]) -> list[str]:
    """For each row the file and the line at which the first row with its values ends; empty where there is none.

    The newest files come first: what is wrong is seldom in one that was read before.

    Parameters
    ----------
    files : sequence of Path
    form : Csv
    wanted : sequence of dict of column to value
        As they were read: numbers, texts, or missing.
    """
    found = [""] * len(wanted)
    for path in sorted(files, key=lambda path: path.stat().st_mtime, reverse=True):
        for line, row in _rows(path, form):
            for place, values in enumerate(wanted):
                if not found[place] and all(_same(row.get(name, ""), value) for name, value in values.items()):
                    found[place] = f"line {line:,} of {path.name}"
            if all(found):
                return found
    return found


def _rows(path: Path, form: Csv) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a file that have a value, by column, each with the line at which it ends."""
    with opened(path) as file:
        text = io.TextIOWrapper(file, encoding=form.encoding, errors="replace", newline="")
        for _ in range(form.skip):
            text.readline()
        reader = lines_of(text, form.delimiter, form.quote, form.escape)
        names: list[str] = []
        try:
            for row in reader:
                marked = bool(form.comment and row and row[0].startswith(form.comment))
                if not any(map(str.strip, row)) or (marked and len(row) != len(names)):
                    continue
                if names:
                    yield form.skip + reader.line_num, dict(zip(names, row, strict=False))
                else:
                    names = form.columns([name.strip().removeprefix("\ufeff") for name in row])
        except csv.Error:  # DuckDB has said what is wrong with the file
            return


def _same(text: str, value: Any) -> bool:
    if isinstance(value, str):
        return text == value or text.strip() == value
    if pd.isna(value):
        return not text.strip()
    try:
        return float(text) == float(value)
    except (TypeError, ValueError):
        return False
