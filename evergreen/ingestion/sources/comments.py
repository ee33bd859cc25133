"""Lines of comments in CSV files: passed over as a whole, never a part of a line, and never a row."""

import csv
import io
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from evergreen.ingestion.sources.csv_format import Csv, lines_of, opened, unpacked_name

_MARK = "\ufeff"


def without_comments(path: Path | str, form: Csv, folder: Path) -> tuple[Path | str, int]:
    """A file in UTF-8 whose comments are blank lines, so that a row keeps the number of its line.

    A line that begins with the sign of comments is one above the header, and below it if it has not as many values as
    the header: with as many it may be a row.

    Parameters
    ----------
    path : Path or str
    form : Csv
        With a sign of comments.
    folder : Path
        A new one, for a copy.

    Returns
    -------
    file : Path or str
        The file itself if no line begins with the sign.
    count : int
        How many lines below the header are passed over.
    """
    sign = form.comment.encode()
    with opened(path) as file:
        if not any(line.removeprefix(_MARK.encode()).startswith(sign) for line in file):
            return path, 0
    folder.mkdir()
    copy = folder / unpacked_name(path)
    with opened(path) as file, copy.open("w", encoding="utf-8", newline="") as written:
        return copy, _write(io.TextIOWrapper(file, encoding="utf-8", newline=""), form, written)


def _write(text: TextIO, form: Csv, written: TextIO) -> int:
    """The header goes above the comments that stand above it, where DuckDB looks for it."""
    lines = _without_mark(text)
    written.writelines(itertools.islice(lines, form.skip))
    count = width = 0
    above = ""  # the ends of its lines
    begins = True  # a row

    def rows() -> Iterator[str]:
        nonlocal above, count, begins
        for line in lines:
            if not width and begins and (not line.strip() or line.startswith(form.comment)):
                above += _end(line)
            elif begins and line.startswith(form.comment) and _width(line, form) != width:
                count += 1
                written.write(_end(line))
            else:
                begins = False
                written.write(line)
                yield line

    try:
        for row in lines_of(rows(), form.delimiter, form.quote, form.escape):
            begins = True
            if not width:
                width = len(row)
                written.write(above)
    except csv.Error:  # DuckDB says what is wrong with the file
        written.writelines(lines)
    return count


def _without_mark(text: TextIO) -> Iterator[str]:
    for line in text:
        yield line.removeprefix(_MARK)
        yield from text


def _end(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :]


def _width(line: str, form: Csv) -> int:
    return len(next(lines_of([line], form.delimiter, form.quote, form.escape), []))
