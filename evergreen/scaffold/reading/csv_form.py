"""The form of a CSV file that nobody has described: encoding, delimiter, header."""

import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from evergreen.errors import SourceError
from evergreen.ingestion.sources.csv_format import Csv, lines_of, opened, unique_names
from evergreen.scaffold.reading.encodings import COMMENT, guess_encoding
from evergreen.sql import literal

_LINES = 200  # that the form is read from
_QUOTE, _QUOTES = '"', "\"'"
_QUOTINGS = [(quote, escape) for quote in _QUOTES for escape in ("", "\\")]
_DELIMITERS = ",;\t|"
_COMMENT = COMMENT.decode()


def csv_of(paths: list[Path]) -> Csv:
    """How files are written, from all their bytes and the first lines of the first.

    Raises
    ------
    SourceError
        They differ in encoding, or are no text.
    """
    marked: dict[Path, list[bytes]] = {}
    encodings = guess_encoding(paths, marked)
    if len(set(encodings.values())) > 1:
        shown = ", ".join(f"{path.name}: {encoding}" for path, encoding in itertools.islice(encodings.items(), 5))
        raise SourceError(f"The files differ in encoding: {shown}. Save them alike.")
    encoding = encodings[paths[0]]
    with opened(paths[0]) as file:
        lines = list(itertools.islice(io.TextIOWrapper(file, encoding=encoding, errors="replace"), _LINES))
    lines = [line.removeprefix("\ufeff") for line in lines]
    if not any(line.strip() for line in lines):
        raise SourceError(f"{paths[0]} holds no row: there is no header.")
    form = _of_lines(lines, encoding)
    width = len(next(lines_of(lines[form.skip :], form.delimiter, form.quote, form.escape)))
    later = not form.comment and any(
        _are_comments(marked[path] if path in marked else _marked(path, form), form, width) for path in paths
    )
    return form.model_copy(update={"comment": _COMMENT}) if later else form


def _are_comments(found: list[bytes], form: Csv, width: int) -> bool:
    """Whether there are lines that begin with the sign of comments, and none of them is a row."""
    lines = [line.decode(form.encoding, "replace") for line in found]
    rows = lines_of(lines, form.delimiter, form.quote, form.escape)
    return bool(found) and all(len(row) != width for row in rows)


def _marked(path: Path, form: Csv) -> list[bytes]:
    """The lines that begin with the sign of comments, of a file with several bytes for each letter."""
    with opened(path) as file:
        text = io.TextIOWrapper(file, encoding=form.encoding, errors="replace")
        lines = itertools.islice((line for line in text if line.startswith(_COMMENT)), _LINES)
        return [line.encode(form.encoding) for line in lines]


def _of_lines(lines: list[str], encoding: str) -> Csv:
    form = _signs(lines)
    delimiter, comment = form.delimiter, form.comment
    rows = list(_numbered_rows(lines, form))
    widths = Counter(len(row) for _, row in rows[1:]) or Counter([len(rows[0][1])])
    width = widths.most_common(1)[0][0]
    before, header = next(row for row in rows if len(row[1]) >= width - 1)
    _require_names(header, [row for _, row in rows if row is not header])
    sign = comment or _COMMENT
    commented = bool(before) and all(line.startswith(sign) for line in lines[:before])
    return Csv(
        delimiter=delimiter,
        quote=form.quote,
        escape=form.escape,
        encoding=encoding,
        comment=sign if commented else comment,
        trim=_is_spaced(lines, delimiter),
        skip=0 if commented else before,  # comments are passed over anyway
        names=_names(header, width),
    )


def _numbered_rows(lines: list[str], form: Csv, *, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
    """The rows of a file, each with how many lines stand before it; no comment and no blank line."""
    reader, before = lines_of(lines, form.delimiter, form.quote, form.escape, strict=strict), 0
    for row in reader:
        if row and not (form.comment and row[0].startswith(form.comment)):
            yield before, row
        before = reader.line_num


def _require_names(header: list[str], rows: list[list[str]]) -> None:
    """Refuse a first row that is one of the table: a number or a time where its column has such.

    Raises
    ------
    SourceError
        There are no names.
    """
    columns = list(zip(*(row for row in rows if len(row) == len(header)), strict=True))
    valued = [name for name, column in zip(header, columns, strict=False) if all(map(_is_value, filter(None, column)))]
    if valued and all(map(_is_value, valued)) and not all(re.fullmatch(r"(19|20)\d\d", name) for name in valued):
        shown = ", ".join(header[:6])
        raise SourceError(
            f"The first line looks like a row, not like the names of columns: {shown}. Put a header above it."
        )


def _is_value(text: str) -> bool:
    """Whether a text is a number or a time."""
    return re.fullmatch(r"\s*[-+$€£]?\d[\d\s.,:/T-]*(Z|[AP]M)?%?\s*", text, re.IGNORECASE) is not None


def _names(header: list[str], width: int) -> list[str]:
    """Names in place of the header's where it is a field short, as R writes it; else empty."""
    return unique_names(["row", *(name.strip() for name in header)]) if len(header) == width - 1 else []


def _signs(lines: list[str]) -> Csv:
    """The signs with which most lines are rows of one length, and the fewest values keep quotes around them."""
    text = "".join(lines)
    quotings = [(quote, escape) for quote, escape in _QUOTINGS if quote == _QUOTE or quote in text]
    quotings = [(quote, escape) for quote, escape in quotings if not escape or escape + quote in text]
    found = {quote: _sniffed(lines, quote) for quote, _ in quotings}
    forms = [Csv(quote=q, escape=e, delimiter=found[q][0], comment=found[q][1]) for q, e in quotings]
    return max(forms, key=lambda form: _regular(lines, form)) if len(forms) > 1 else forms[0]


def _regular(lines: list[str], form: Csv) -> tuple[int, int]:
    """How many lines are rows of the commonest length, and below 0 how many values keep quotes around them."""
    covered: Counter[int] = Counter()
    kept = 0
    with suppress(csv.Error):
        rows = _numbered_rows(lines, form, strict=True)
        for (before, row), (after, _) in itertools.pairwise(itertools.chain(rows, [(len(lines), [])])):
            covered[len(row)] += after - before
            kept += sum(value[0] in _QUOTES and value[0] == value[-1] for value in row if len(value) > 1)
    return max(covered.values(), default=0), -kept


def _sniffed(lines: list[str], quote: str = _QUOTE) -> tuple[str, str]:
    """Delimiter and sign of comments, as DuckDB reads them from the first lines."""
    import duckdb

    with TemporaryDirectory(prefix="evergreen-csv-") as folder:
        head = Path(folder) / "head.csv"
        head.write_text("".join(lines), encoding="utf-8")
        try:
            sql = f"SELECT Delimiter, Comment FROM sniff_csv({literal(str(head))}, quote = {literal(quote)})"
            delimiter, comment = duckdb.execute(sql).fetchall()[0]
        except duckdb.Error:
            delimiter, comment = "", ""
    if len(delimiter) != 1 or not any(delimiter in line for line in lines):  # a stray quote misleads it
        delimiter = max(_DELIMITERS, key="".join(lines).count)
    return delimiter, comment if len(comment or "") == 1 else ""


def _is_spaced(lines: list[str], delimiter: str) -> bool:
    """Whether values have a space before them, as after a comma in a sentence."""
    values = [value for line in lines for value in line.rstrip("\n").split(delimiter)[1:]]
    return sum(value.startswith(" ") for value in values) > 0.5 * len(values)
