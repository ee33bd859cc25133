"""How DuckDB reads files, by their format."""

import io
import itertools
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

from evergreen.addresses import expanded
from evergreen.errors import EvergreenError, SourceError, SourceSetupError, first_line, shown_cause, translated
from evergreen.ingestion.sources.case_names import require_one_header
from evergreen.ingestion.sources.comments import without_comments
from evergreen.ingestion.sources.csv_format import (
    CORRECT_ENCODING,
    Csv,
    is_packed,
    opened,
    readable,
    rewritten,
    strange_bytes,
)
from evergreen.ingestion.sources.json_lines import json_rows
from evergreen.ingestion.sources.places import PACKINGS, Place, listed, local, of_folder
from evergreen.sql import literal

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

_NAMED = 3  # files
_WRONG = r"^(Value with|Expected|Error when|Invalid unicode|Maximum line size|.*unterminated)"


def reading(timezone: str) -> "duckdb.DuckDBPyConnection":
    """A connection that reads files, keeps their order, and downloads no extension of DuckDB, whatever a file asks for.

    Parameters
    ----------
    timezone : str
        What a time without a zone is in.
    """
    import duckdb

    names = ("autoinstall_known_extensions", "autoload_known_extensions")
    connection = duckdb.connect(config=dict.fromkeys(names, False))
    connection.execute("SET TimeZone = ?", [timezone])
    connection.execute("SET preserve_insertion_order = true")
    return connection


def relation(
    place: Place,
    connection: "duckdb.DuckDBPyConnection",
    folder: Path,
    declared: Collection[str] = (),
    exact: Collection[str] = (),
) -> str:
    """Files that are no CSV, as a relation for DuckDB; those in archives are unpacked into a folder.

    Parameters
    ----------
    place : Place
    connection : DuckDBPyConnection
    folder : Path
    declared, exact : collection of str
        As in `json_rows`.

    Raises
    ------
    SourceSetupError
        The package that reads spreadsheets is not installed.
    SourceError
        Files of Arrow or spreadsheets are not local.
    """
    path, format = place.pattern, place.format
    if format == "parquet":
        if path.lower().endswith(PACKINGS):
            raise SourceError(f"{path} is an archive, from which Parquet is not read. Unpack it.")
        return f"read_parquet({place.sql}, union_by_name = true)"
    if format == "json":
        return json_rows(unpacked(place, folder), connection, declared, exact)
    if place.is_remote:
        raise SourceError(f"{path}: files of this format are read from this machine only. Give Parquet or CSV.")
    read = _arrow if format == "arrow" else _excel
    connection.register("files", read(list(map(Path, place.files))))
    return "files"


def unpacked(place: Place, folder: Path) -> str:
    """Files as SQL names them, with copies of those that DuckDB does not unpack."""
    if place.is_remote or not any(map(is_packed, place.files)):
        return place.sql
    return listed(
        rewritten(file, None, folder / str(number)) if is_packed(file) else file
        for number, file in enumerate(place.files)
    )


def _arrow(paths: list[Path]) -> object:
    from pyarrow.dataset import dataset

    message = "{reason} is no Arrow file, or is damaged. Is it what its ending says?"
    with translated(SourceError, message, ValueError, OSError, reason=_of_arrow):
        return dataset([str(path) for path in paths], format="feather")


def _of_arrow(error: BaseException) -> str:
    path = re.search(r"'([^']+)'", str(error))
    return path[1] if path else "A file"


def _excel(paths: list[Path]) -> object:
    import pandas as pd

    try:
        sheets = [_with_header(path, _sheet(path)) for path in paths]
        return pd.concat(sheets, ignore_index=True).convert_dtypes()
    except ImportError as error:
        raise SourceSetupError(
            f"Spreadsheets need the package openpyxl: {error}. Install evergreen[excel], or save the sheet as CSV."
        ) from None


def _sentence(error: BaseException) -> str:
    return first_line(error).rstrip(".")


def _sheet(path: Path) -> "pd.DataFrame":
    """The largest sheet of a spreadsheet."""
    import pandas as pd

    message = f"{path.name} is no spreadsheet, or is damaged: {{reason}}. Is it what its ending says?"
    with (
        translated(SourceError, message, ValueError, KeyError, OSError, BadZipFile, reason=_sentence),
        pd.ExcelFile(path, engine="openpyxl") as book,
    ):
        rows = book.parse(max(book.sheet_names, key=lambda name: _cells(book.book[name])))
    if rows.empty:
        raise SourceError(f"{path.name} holds no row in any sheet.")
    return rows


def _cells(sheet: Any) -> int:
    """How many cells a sheet of openpyxl has; a sheet that holds a chart alone has none."""
    if not hasattr(sheet, "calculate_dimension"):
        return 0
    sheet.calculate_dimension(force=True)
    return int((sheet.max_row or 0) * (sheet.max_column or 0))


def _with_header(path: Path, rows: "pd.DataFrame") -> "pd.DataFrame":
    """The rows of a sheet, whose first row has to name the columns."""
    unnamed = [name for name in rows if str(name).startswith("Unnamed: ")]
    if 2 * len(unnamed) > len(rows.columns):
        raise SourceError(
            f"{path.name}: the first row of the sheet names {len(rows.columns) - len(unnamed)} of its "
            f"{len(rows.columns)} columns. Remove what stands above the header."
        )
    if any(_is_header(rows[name]) for name in unnamed):
        raise SourceError(f"{path.name}: the header takes two rows of the sheet. Write the names into one.")
    return rows


def _is_header(column: "pd.Series") -> bool:
    """Whether the first value of a column is its name: a text above values that are none."""
    below = column.iloc[1:].dropna()
    return isinstance(column.iloc[0], str) and not below.empty and not any(isinstance(value, str) for value in below)


def resolved(path: str, connection: "duckdb.DuckDBPyConnection") -> Place:
    """The files behind a path, listed once."""
    path = expanded(path)
    return _remote(path, connection) if "://" in path else local(path)


def _remote(uri: str, connection: "duckdb.DuckDBPyConnection") -> Place:
    """The files that fsspec finds at a URI."""
    from fsspec.core import url_to_fs

    with reachable(uri):
        files, place = url_to_fs(uri)
        connection.register_filesystem(files)
        if not files.isdir(place):
            return Place(uri)
        ending, chosen = of_folder(sorted(files.find(place)), place, uri)
        return Place(f"{uri.rstrip('/')}/**/*{ending}", [str(files.unstrip_protocol(path)) for path in chosen])


@contextmanager
def reachable(uri: str) -> Iterator[None]:
    """Each store raises its own errors, so all are translated."""
    try:
        yield
    except EvergreenError:
        raise
    except (ImportError, ValueError) as error:
        raise SourceSetupError(
            f"Cannot read {uri}: {error}. Check the address; the package of its store has to be installed where "
            "Evergreen runs: s3fs for s3://, gcsfs for gs://, adlfs for abfss://."
        ) from shown_cause(error)
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise SourceError(
            f"Cannot read {uri}: {reason}. Check the address, and that the store is up."
        ) from shown_cause(error)


def csv_files(place: Place, csv: Csv, folder: Path) -> tuple[list[str], list[list[str]]]:
    """The files at a place as DuckDB can read them, and the columns of each.

    Raises
    ------
    SourceError
        A file cannot be read as text, or has no header.
    SourceShapeError
        Columns that are told by their places stand at different ones.
    """
    files, headers = csv_headers(place, csv, folder)
    return files, list(map(csv.columns, headers))


def csv_headers(place: Place, csv: Csv, folder: Path) -> tuple[list[str], list[list[str]]]:
    """As `csv_files`, with the header of each as it stands there."""
    with reachable(place.pattern) if place.is_remote else nullcontext():
        paths = place.files or matching_uris(place.pattern)
        files = [file for file, _ in _plain(paths, csv, folder)]
        headers = [
            _header(path, file if file == path else Path(file), csv) for path, file in zip(paths, files, strict=True)
        ]
    require_one_header(dict(zip(map(str, paths), headers, strict=True)), csv.names)
    return files, headers


def passed_over_lines(place: Place, csv: Csv) -> str:
    """How many lines of CSV files are taken for comments, below their headers; empty if there are none."""
    if not csv.comment:
        return ""
    with TemporaryDirectory(prefix="evergreen-csv-") as folder, reachable(place.pattern):
        paths = place.files or matching_uris(place.pattern)
        plain = _plain(paths, csv, Path(folder))
        counts = {Path(path).name: count for path, (_, count) in zip(paths, plain, strict=True) if count}
    shown = ", ".join(f"{count:,} of {name}" for name, count in itertools.islice(counts.items(), _NAMED))
    more = f" and of {len(counts) - _NAMED} more files" if len(counts) > _NAMED else ""
    why = f"begin with {csv.comment!r} and have not as many values as the header"
    return f"lines passed over, which {why}: {shown}{more}" if counts else ""


def _plain(paths: Sequence[Path | str], csv: Csv, folder: Path) -> list[tuple[str, int]]:
    """Files as DuckDB can read them, and how many lines of comments each has below its header."""
    files = readable(paths, csv.encoding, folder)
    if not csv.comment:
        return [(file, 0) for file in files]
    kept = [file if "://" in file else Path(file) for file in files]
    plain = [without_comments(file, csv, folder / f"{number}-plain") for number, file in enumerate(kept)]
    return [(str(file), count) for file, count in plain]


def _header(path: Path | str, file: Path | str, csv: Csv) -> list[str]:
    """The header of a file, which may have been rewritten into another."""
    try:
        with opened(file) as text:
            return csv.header(io.TextIOWrapper(text, encoding="utf-8"))
    except UnicodeDecodeError:
        raise SourceError(f"{path} is not written in utf-8: {strange_bytes(file)}. {CORRECT_ENCODING}") from None
    except SourceError as error:
        raise SourceError(str(error) if str(file) in str(error) else f"{path}: {error}.") from None


def matching_uris(uri: str) -> list[str]:
    """The files that fsspec finds by a URI, which may be a pattern, in order."""
    from fsspec.core import url_to_fs

    files, place = url_to_fs(uri)
    return [str(files.unstrip_protocol(path)) for path in sorted(files.glob(place))]


def time_kinds(place: Place, column: str, connection: "duckdb.DuckDBPyConnection") -> dict[str, bool]:
    """Whether the times of a column have a zone, by file; of Parquet, and of local CSV whose form is guessed."""
    if place.format == "parquet":
        sql = f"SELECT file_name, contains(logical_type, 'isAdjustedToUTC=1') FROM parquet_schema({place.sql})"
        sql += f" WHERE name = {literal(column)} AND logical_type LIKE 'Timestamp%'"
        return dict(connection.sql(sql).fetchall())
    if place.is_remote or place.format != "csv" or len(place.files) < 2:
        return {}
    sql = "SELECT column_type FROM (DESCRIBE SELECT * FROM read_csv({file})) WHERE column_name = {column}"
    found = {
        str(path): connection.sql(sql.format(file=listed([path]), column=literal(column))).fetchall()
        for path in place.files
    }
    return {path: kinds[0][0] == "TIMESTAMP WITH TIME ZONE" for path, kinds in found.items() if kinds}


def reason_of(error: BaseException, path: str = "") -> str:
    """DuckDB's reason in one line; for CSV the line and what is wrong there, and the file unless `path` names it."""
    lines = str(error).strip().splitlines()
    line = re.search(r"CSV Error on Line: (\d+)", lines[0])
    wrong = [text for text in lines[1:] if re.search(_WRONG, text)]
    if line and wrong:
        files = [Path(text.partition("=")[2].strip()).name for text in lines if text.startswith("  file = ")]
        file = f"{files[0]}, " if files and not path.endswith(files[0]) else ""
        cure = f". {CORRECT_ENCODING.rstrip('.')}" if "unicode" in wrong[0] else ""
        return f"{file}line {line[1]}: {wrong[0].rstrip('.')}{cure}"
    return lines[-1 if lines[0].startswith("Traceback") else 0]  # the last line is fsspec's own error
