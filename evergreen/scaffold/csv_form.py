"""The form of a CSV file that nobody has described: encoding, delimiter, header."""

import csv
import io
import itertools
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from evergreen.errors import SourceError
from evergreen.ingestion.sources.csv_format import Csv, guess_encoding, opened
from evergreen.sql import literal

_LINES = 200  # that the form is read from
_DELIMITERS = ",;\t|"


def csv_of(paths: list[Path]) -> Csv:
    """How files are written, from all their bytes and the first lines of the first.

    Raises
    ------
    SourceError
        They differ in encoding, or are no text.
    """
    encodings = {path: guess_encoding(path) for path in paths}
    if len(set(encodings.values())) > 1:
        shown = ", ".join(f"{path.name}: {encoding}" for path, encoding in itertools.islice(encodings.items(), 5))
        raise SourceError(f"The files differ in encoding: {shown}. Save them alike.")
    encoding = encodings[paths[0]]
    with opened(paths[0]) as file:
        lines = list(itertools.islice(io.TextIOWrapper(file, encoding=encoding, errors="replace"), _LINES))
    lines = [line.removeprefix("\ufeff") for line in lines]
    if not any(line.strip() for line in lines):
        raise SourceError(f"{paths[0]} holds no row: there is no header.")
    return _of_lines(lines, encoding)


def _of_lines(lines: list[str], encoding: str) -> Csv:
    delimiter, skip, comment = _sniffed(lines)
    form = Csv(delimiter=delimiter, encoding=encoding, comment=comment, trim=_is_spaced(lines, delimiter))
    rows = [row for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=True) if row]
    rows = [row for row in rows if not (comment and row[0].startswith(comment))]
    widths = Counter(len(row) for row in rows[1:]) or Counter([len(rows[0])])
    width = widths.most_common(1)[0][0]
    header = next((place for place, row in enumerate(rows) if len(row) >= width - 1), 0)
    names = _names(rows[header], width)
    return form.model_copy(update={"skip": header if skip or header else 0, "names": names})


def _names(header: list[str], width: int) -> list[str]:
    """Names in place of the header's where one is missing, or two differ only in case; empty if it is fine."""
    names = [name.strip() for name in header]
    numbered = ["row", *names] if len(names) == width - 1 else names
    seen: Counter[str] = Counter()
    unique = []
    for place, name in enumerate(numbered):
        seen[name.casefold()] += 1
        number = seen[name.casefold()]
        unique.append((name or f"column{place}") if number == 1 else f"{name}_{number}")
    return unique if unique != names else []


def renamed(form: Csv | None) -> dict[str, str]:
    """Of the names that were drafted in place of a header's, those that are not the file's own, and why.

    Examples
    --------
    >>> renamed(Csv(names=["row", "id", "ID_2", "Age_2"]))
    {'row': 'has no name in the file', 'ID_2': "'ID' in the file, which has 'id' too"}
    """
    notes, names = {}, form.names if form else []
    for place, name in enumerate(names):
        base, _, number = name.rpartition("_")
        same = [other for other in names[:place] if other.casefold() == base.casefold()]
        if same and number.isdigit():
            notes[name] = f"{base!r} in the file, which has {same[0]!r} too"
        elif name == f"column{place}" or (name == "row" and not place):
            notes[name] = "has no name in the file"
    return notes


def _sniffed(lines: list[str]) -> tuple[str, int, str]:
    """Delimiter, lines before the header and sign of comments, as DuckDB reads them from the first lines."""
    import duckdb

    with TemporaryDirectory(prefix="evergreen-csv-") as folder:
        head = Path(folder) / "head.csv"
        head.write_text("".join(lines), encoding="utf-8")
        try:
            sql = f"SELECT Delimiter, SkipRows, Comment FROM sniff_csv({literal(str(head))}, quote = '\"')"
            delimiter, skip, comment = duckdb.execute(sql).fetchall()[0]
        except duckdb.Error:
            delimiter, skip, comment = ",", 0, ""
    commonest = max(_DELIMITERS, key=lines[0].count) if lines else ","
    known = delimiter if len(delimiter) == 1 and delimiter in "".join(lines[:1]) else commonest
    return known, int(skip or 0), comment if len(comment or "") == 1 else ""


def _is_spaced(lines: list[str], delimiter: str) -> bool:
    """Whether values have a space before them, as after a comma in a sentence."""
    values = [value for line in lines for value in line.rstrip("\n").split(delimiter)[1:]]
    return sum(value.startswith(" ") for value in values) > 0.5 * len(values)
