"""The source `Files`: Parquet and CSV files, read by DuckDB."""

import io
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, ClassVar

import pandas as pd

from evergreen.addresses import expanded, without_secrets
from evergreen.definition.disclosure import masked
from evergreen.definition.kinds.register import kind_of
from evergreen.definition.sources import BEFORE_ANY_ROW, Declared, Source, Tables
from evergreen.errors import SourceError, SourceSetupError, SourceShapeError, shown_cause, translated
from evergreen.ingestion.sources.csv_format import Csv, opened, readable
from evergreen.ingestion.sources.shared import naive, times_of, within
from evergreen.settings import Settings
from evergreen.sql import RESERVED, literal, quoted

if TYPE_CHECKING:
    import duckdb

_LATER = f"{RESERVED}later"
_NAMED = 20  # files of a batch that are listed by name
_FILE = f"{RESERVED}file"


class Files(Source):
    """Parquet or CSV files: a path, a folder, a glob, or a URI that fsspec knows.

    A relative path starts at the folder that holds ``models/``. ``$NAME`` in a URI is read from the environment, so
    that a model file contains no password or signature. Of a folder all Parquet files are
    read, also in folders within it, and its CSV files if there is no Parquet.

    Attributes
    ----------
    path : str
        The files: ``sales/*.parquet``, a folder, or a URI such as ``s3://bucket/sales``.
    csv : Csv or None
        How the files are written if they are CSV; with None, DuckDB guesses it anew for each file.

    Examples
    --------
    >>> Files(path="sales/*.parquet").format
    'parquet'
    """

    stored: ClassVar[bool] = True

    path: str
    csv: Csv | None = None

    @property
    def format(self) -> str:
        """``"csv"`` for names that end in .csv (also compressed), else ``"parquet"``."""
        return "csv" if self.csv else format_of(self.path)

    def begins(self, model: Declared, until: pd.Timestamp, lake: Tables) -> pd.Timestamp | None:
        """Return the earliest time in the files, None if they hold no row."""
        with _Scan(self, model) as scan:
            if scan.parsed:
                return scan.earliest()
            earliest = scan.frame(f"SELECT min({scan.zoned}) AS t FROM {scan.rows}")
        return None if earliest.t.isna().all() else pd.Timestamp(earliest.t[0]).tz_convert("UTC")

    def read(self, model: Declared, since: pd.Timestamp, until: pd.Timestamp, lake: Tables) -> pd.DataFrame:
        """Return the rows whose time lies in ``[since, until)``, and those that have no time."""
        with _Scan(self, model) as scan:
            if scan.parsed:
                return within(scan.frame(f"SELECT * FROM {scan.rows}"), model, since, until)
            low, high = scan.bound(since), scan.bound(until)
            inside = f"{scan.time} >= ? AND {scan.time} < ?"
            return scan.frame(f"SELECT * FROM {scan.rows} WHERE ({inside}) OR {scan.time} IS NULL", [low, high])

    def read_newest(
        self, model: Declared, since: pd.Timestamp, until: pd.Timestamp, lake: Tables
    ) -> tuple[pd.DataFrame, int]:
        """As `read`, and count the rows at `until` or later in the same scan."""
        with _Scan(self, model) as scan:
            if scan.parsed:
                rows = scan.frame(f"SELECT * FROM {scan.rows}")
                times = times_of(rows, model)
                return within(rows, model, since, until), 0 if times is None else int((times >= until).sum())
            later = f"coalesce({scan.time} >= ?, false) AS {quoted(_LATER)}"
            sql = f"SELECT *, {later} FROM {scan.rows} WHERE {scan.time} >= ? OR {scan.time} IS NULL"
            rows = scan.frame(sql, [scan.bound(until), scan.bound(since)])
        waiting = rows.pop(_LATER)
        return rows[~waiting].reset_index(drop=True), int(waiting.sum())

    def origin(self, model: Declared, since: pd.Timestamp, until: pd.Timestamp) -> str:
        """Name the files with rows of ``[since, until)``; for CSV, which would have to be read completely, the path."""
        if self.format == "csv":
            return without_secrets(self.path)
        with _Scan(self, model) as scan:
            if scan.parsed:
                return without_secrets(self.path)
            inside = f"{scan.time} >= ? AND {scan.time} < ?"
            sql = f"SELECT DISTINCT {quoted(_FILE)} FROM {scan.rows_of_files} WHERE {inside} ORDER BY 1"
            names = scan.frame(sql, [scan.bound(since), scan.bound(until)])[_FILE].tolist()
        shown = [*names[:_NAMED], *([f"and {len(names) - _NAMED} more"] if len(names) > _NAMED else [])]
        return without_secrets(", ".join(shown) or self.path)

    def pieces(self, model: Declared, size: int) -> Iterator[pd.DataFrame]:
        """Give all rows, whatever their time, so many at a time."""
        with _Scan(self, model, timed=False) as scan:
            yield from scan.pieces(size)


class _Scan:
    """One DuckDB connection over files, with the time column compared in its stored type."""

    def __init__(self, source: Files, model: Declared, *, timed: bool = True) -> None:
        self._source = source
        self._model = model
        self._timed = timed

    def __enter__(self) -> "_Scan":
        self._copies = TemporaryDirectory(prefix="evergreen-csv-")
        self._connection = reading(self._model.timezone)
        self.rows = self._relation()
        self.parsed = self._model.time in self._model.parsing
        if not self._timed or self.parsed:
            return self
        kinds = self.frame(f"DESCRIBE SELECT * FROM {self.rows}").set_index("column_name")["column_type"]
        if self._model.time not in kinds:
            declared = [name for name in kinds.index if name in self._model.columns]
            there = f"it has {list(kinds.index)}." if declared else "nor any other declared column; is there a header?"
            raise SourceShapeError(
                f"{self._model.name}: {self._source.path} has no time column {self._model.time!r}; {there}"
            )
        column = quoted(self._model.time)
        self._naive = kinds[self._model.time] in ("TIMESTAMP", "DATE", "TIMESTAMP_NS", "TIMESTAMP_MS")
        self.zoned = f"TRY_CAST({column} AS TIMESTAMPTZ)"
        same = self._naive or kinds[self._model.time] == "TIMESTAMP WITH TIME ZONE"  # nanoseconds are another type
        self.time = column if same else self.zoned
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._copies.cleanup()

    def earliest(self) -> pd.Timestamp | None:
        """The earliest time that a parser of the model reads."""
        names = self._model.parsing[self._model.time].inputs(self._model.time)
        wanted = ", ".join(map(quoted, names))
        found = self.frame(f"SELECT DISTINCT {wanted} FROM {self.rows}")
        times = times_of(found, self._model)
        if times is None:  # all is read, and quarantined with the reason
            return BEFORE_ANY_ROW
        return None if times.isna().all() else pd.Timestamp(times.min())

    @property
    def rows_of_files(self) -> str:
        """The rows of Parquet files, each with the name of its file, whatever the columns of the files are called."""
        path = literal(resolved(self._source.path, self._connection))
        return f"read_parquet({path}, union_by_name = true, filename = {literal(_FILE)})"

    def bound(self, moment: pd.Timestamp) -> datetime:
        """A bound that is compared without casting the column, so that Parquet can skip blocks."""
        return naive(moment, self._model) if self._naive else moment.to_pydatetime()

    def frame(self, sql: str, bounds: list[datetime] | None = None) -> pd.DataFrame:
        """Run a query; values that are not of their column's kind come as text, for the contract to name."""
        import duckdb

        with self._explained():
            try:
                return self._asked(sql, bounds)
            except duckdb.ConversionException:
                if self._source.csv is None:
                    raise
                typed, self.rows = self.rows, self._relation(as_text=True)
                return self._asked(sql.replace(typed, self.rows), bounds)

    def _asked(self, sql: str, bounds: list[datetime] | None) -> pd.DataFrame:
        found: pd.DataFrame = self._connection.sql(sql, params=bounds or []).to_arrow_table().to_pandas()
        return found

    def pieces(self, size: int) -> Iterator[pd.DataFrame]:
        """All rows, so many at a time."""
        with self._explained():
            for piece in self._connection.sql(f"SELECT * FROM {self.rows}").to_arrow_reader(size):
                yield piece.to_pandas()

    def _explained(self) -> AbstractContextManager[None]:
        import duckdb

        message = f"{self._model.name}: cannot read {self._source.path}: {{reason}}"
        return translated(SourceError, message, duckdb.Error, reason=self._reason, chained=False)

    def _reason(self, error: BaseException) -> str:
        """What DuckDB says; a value that it cannot convert stands in quotes."""
        import duckdb

        reason = reason_of(error)
        return masked(reason, self._model.columns) if isinstance(error, duckdb.ConversionException) else reason

    def _relation(self, *, as_text: bool = False) -> str:
        path = resolved(self._source.path, self._connection)
        if self._source.csv is not None:
            return self._declared(path, self._source.csv, as_text=as_text)
        if format_of(path) == "parquet":
            return f"read_parquet({literal(path)}, union_by_name = true)"
        names = self._read_names(path)
        text = [c for c, kind in self._model.columns.items() if kind_of(kind).delta == "string" and c in names]
        types = ", ".join(f"{literal(column)}: 'VARCHAR'" for column in text)
        typed = f", types = {{{types}}}" if types else ""
        return f"read_csv({literal(path)}, union_by_name = true, sample_size = -1{typed})"

    def _declared(self, pattern: str, csv: Csv, *, as_text: bool) -> str:
        """CSV files whose form is declared: the kinds of the columns say their types."""
        files, headers = csv_files(pattern, csv, Path(self._copies.name))
        return csv.rows(files, headers, (lambda _: "VARCHAR") if as_text else self._type_of)

    def _type_of(self, column: str) -> str:
        """Numbers are read by DuckDB, and all else as text."""
        kind = self._model.columns.get(column)
        plain = kind is not None and column not in self._model.parsing
        return {"double": "DOUBLE", "long": "BIGINT"}.get(kind_of(str(kind)).delta, "VARCHAR") if plain else "VARCHAR"

    def _read_names(self, path: str) -> list[str]:
        sql = f"DESCRIBE SELECT * FROM read_csv({literal(path)}, union_by_name = true)"
        return list(self.frame(sql)["column_name"])


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


def format_of(path: str) -> str:
    """``"csv"`` for names that end in .csv (also compressed), else ``"parquet"``."""
    path = expanded(path)
    name = path.partition("?")[0] if path.startswith(("http://", "https://")) else path
    return "csv" if ".csv" in name.rsplit("/", 1)[-1].lower() else "parquet"


def resolved(path: str, connection: "duckdb.DuckDBPyConnection") -> str:
    """The files behind a path, as DuckDB reads them."""
    path = expanded(path)
    if path.startswith("$"):
        raise SourceError(f"The environment variable {path} is not set. Set it to the address of the files.")
    if "://" in path:
        return _remote(path, connection)
    full = Settings.read().models.parent / Path(path).expanduser()
    pattern = of_folder(str(full), matching) if full.is_dir() else str(full)
    if not matching(pattern):
        raise SourceError(f"No file matches {pattern}. Check `path` of the source in the model file.")
    return pattern


def _remote(uri: str, connection: "duckdb.DuckDBPyConnection") -> str:
    """The files that fsspec finds at a URI. Each store raises its own errors, so all are translated."""
    from fsspec.core import url_to_fs

    try:
        files, place = url_to_fs(uri)
        connection.register_filesystem(files)
        return of_folder(uri.rstrip("/"), files.glob) if files.isdir(place) else uri
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


def csv_files(pattern: str, csv: Csv, folder: Path) -> tuple[list[str], list[list[str]]]:
    """The files of a pattern as DuckDB can read them, and the columns of each.

    Raises
    ------
    SourceError
        A file cannot be read as text, or its header names a column twice.
    """
    if "://" in pattern:
        return _remote_csv(pattern, csv)
    paths = matching(pattern)
    files, headers = readable(paths, csv.encoding, folder), []
    for path, file in zip(paths, files, strict=True):
        with (
            translated(SourceError, f"{path}: {{reason}}.", SourceError, OSError, reason=str),
            opened(Path(file)) as text,
        ):
            headers.append(csv.header(io.TextIOWrapper(text, encoding="utf-8")))
    return files, headers


def _remote_csv(uri: str, csv: Csv) -> tuple[list[str], list[list[str]]]:
    from fsspec.core import url_to_fs

    files, place = url_to_fs(uri)
    found = [str(files.unstrip_protocol(path)) for path in sorted(files.glob(place))]
    headers = []
    for path in found:
        with files.open(path, "rt", encoding="utf-8", compression="infer") as text:
            headers.append(csv.header(text))
    return found, headers


def matching(pattern: str) -> list[Path]:
    """The local files of a pattern, in order."""
    root = Path(pattern).anchor
    return sorted(Path(root).glob(pattern.removeprefix(root)))


def of_folder(folder: str, matches: Callable[[str], object]) -> str:
    """The pattern of the files in a folder: Parquet, or CSV where there is none."""
    patterns = [f"{folder}/**/*.{kind}" for kind in ("parquet", "csv*")]
    return next((pattern for pattern in patterns if matches(pattern)), patterns[0])


def reason_of(error: BaseException) -> str:
    """DuckDB's reason in one line; for CSV the line of the file and what is wrong there."""
    lines = str(error).strip().splitlines()
    line = re.search(r"CSV Error on Line: (\d+)", lines[0])
    wrong = [text for text in lines[1:] if re.search(r"^(Value with|Expected|Error when|.*unterminated)", text)]
    if line and wrong:
        return f"line {line[1]}: {wrong[0]}"
    return lines[-1 if lines[0].startswith("Traceback") else 0]  # the last line is fsspec's own error
