"""The source `Files`: Parquet and CSV files, read by DuckDB."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import pandas as pd

from evergreen.addresses import expanded, without_secrets
from evergreen.definition.disclosure import masked
from evergreen.definition.kinds.register import kind_of
from evergreen.definition.sources import BEFORE_ANY_ROW, Counts, Declared, Source, Tables
from evergreen.errors import SourceError, SourceShapeError, translated
from evergreen.ingestion.sources.case_names import require_one_order
from evergreen.ingestion.sources.csv_format import Csv
from evergreen.ingestion.sources.file_access import (
    csv_files,
    passed_over_lines,
    reading,
    reason_of,
    relation,
    resolved,
    time_kinds,
)
from evergreen.ingestion.sources.file_changes import compared
from evergreen.ingestion.sources.growth import unless_growing
from evergreen.ingestion.sources.places import format_of, local, passed_over
from evergreen.ingestion.sources.shared import counts, daily, naive, times_of, within
from evergreen.ingestion.sources.text_lines import places
from evergreen.lake.arrow import as_frame
from evergreen.sql import RESERVED, literal, quoted

_LATER = f"{RESERVED}later"
_NAMED = 20  # files of a batch that are listed by name
_FILE = f"{RESERVED}file"


class Files(Source):
    """Parquet, CSV, JSON, Arrow or Excel files: a path, a folder, a glob, or a URI that fsspec knows.

    A relative path starts at the folder that holds ``models/``. ``$NAME`` in a URI is read from the environment, so
    that a model file contains no password or signature. Of a folder all Parquet files are read, also in
    folders within it, and its CSV files if there is no Parquet, and so on; of a spreadsheet the largest sheet.

    Attributes
    ----------
    path : str
        The files: ``sales/*.parquet``, a folder, or a URI such as ``s3://bucket/sales``.
    csv : Csv or None
        How the files are written if they are CSV; with None, DuckDB guesses it anew for each file.

    Examples
    --------
    >>> Files(path="sales/*.parquet").path
    'sales/*.parquet'
    """

    stored: ClassVar[bool] = True

    path: str
    csv: Csv | None = None

    def begins(self, model: Declared, until: pd.Timestamp, lake: Tables) -> pd.Timestamp | None:
        """Return the earliest time in the files, None if they hold no row."""
        with _Scan(self, model) as scan:
            if scan.parsed:
                return scan.earliest()
            earliest = scan.frame(f"SELECT min({scan.zoned}) AS t, count(*) AS n FROM {scan.rows}")
        if earliest.t.isna().all():  # rows without a time are read, and quarantined with the reason
            return BEFORE_ANY_ROW if earliest.n[0] else None
        return pd.Timestamp(earliest.t[0]).tz_convert("UTC")

    def read(self, model: Declared, since: pd.Timestamp, until: pd.Timestamp, lake: Tables) -> pd.DataFrame:
        """Return the rows whose time lies in ``[since, until)``, and those that have no time."""
        with _Scan(self, model) as scan:
            return scan.of_period(since, until)

    def read_newest(
        self, model: Declared, since: pd.Timestamp, until: pd.Timestamp, lake: Tables
    ) -> tuple[pd.DataFrame, int]:
        """As `read`, and count the rows at `until` or later; of formats that are read whole, in the same scan."""
        with _Scan(self, model) as scan:
            if scan.format == "parquet" and not scan.parsed:
                return scan.of_period(since, until), scan.later(until)
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
        """Name the files with rows of ``[since, until)``; of formats that are read whole, the path."""
        if model.time in model.parsing or self.csv is not None or format_of(self.path) != "parquet":
            return without_secrets(self.path)
        with reading(model.timezone) as connection:  # a folder does not tell by its name what it holds
            if resolved(self.path, connection).format != "parquet":
                return without_secrets(self.path)
        with _Scan(self, model) as scan:
            inside = f"{scan.time} >= ? AND {scan.time} < ?"
            sql = f"SELECT DISTINCT {quoted(_FILE)} FROM {scan.rows_of_files} WHERE {inside} ORDER BY 1"
            names = scan.frame(sql, [scan.bound(since), scan.bound(until)])[_FILE].tolist()
        shown = [*names[:_NAMED], *([f"and {len(names) - _NAMED} more"] if len(names) > _NAMED else [])]
        return without_secrets(", ".join(shown) or self.path)

    def passed_over(self) -> str:
        """Name the tables in the folder that are of another kind than those which are read, and count comments."""
        with reading("UTC") as connection:
            lines = passed_over_lines(resolved(self.path, connection), self.csv) if self.csv else ""
        return "; ".join(filter(None, [passed_over(self.path), lines]))

    @property
    def has_lines(self) -> bool:
        """Whether they are CSV files of this machine whose form is declared."""
        return self.csv is not None and "://" not in expanded(self.path)

    def lines(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """Tell for each of some rows the file and line where it stands."""
        return places(list(map(Path, local(self.path).files)), self.csv, rows) if self.csv else super().lines(rows)

    def daily(self, model: Declared, until: pd.Timestamp) -> Counts:
        """Return how many rows lie on each day before `until`, from their times alone."""
        with _Scan(self, model) as scan:
            if scan.parsed:
                names = ", ".join(map(quoted, model.parsing[model.time].inputs(model.time)))
                return daily(times_of(scan.frame(f"SELECT {names} FROM {scan.rows}"), model), model, until)
            day = f"CAST({scan.time} AS DATE)"
            sql = f"SELECT {day} AS day, count(*) AS n FROM {scan.rows} WHERE {scan.time} < ? GROUP BY 1"
            return counts(scan.frame(sql, [scan.bound(until)]))

    def rewritten(self, known: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
        """Return the files that do not begin any more with what they held; of files elsewhere that is not seen."""
        if "://" in expanded(self.path):
            return [], {}
        return compared(map(Path, local(self.path).files), known)

    def pieces(self, model: Declared, size: int) -> Iterator[pd.DataFrame]:
        """Give all rows, whatever their time, so many at a time; of none, the columns."""
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
        self._local_text: list[Path] = []
        self._csv: tuple[list[str], list[list[str]]] | None = None  # files and their columns, made once
        self._connection = reading(self._model.timezone)
        self._place = resolved(self._source.path, self._connection)
        with self._explained():
            self.rows = self._relation()
        self.parsed = self._model.time in self._model.parsing
        if (not self._timed or self.parsed) and self.format != "parquet":
            return self
        kinds = self.frame(f"DESCRIBE SELECT * FROM {self.rows}").set_index("column_name")["column_type"]
        if self.format == "parquet":
            require_one_order(self._place, kinds.index, self._connection)
        if self._timed and not self.parsed:
            self._set_time(kinds)
        return self

    def _set_time(self, kinds: "pd.Series[str]") -> None:
        """How the time column is compared, by DuckDB's type of it."""
        if self._model.time not in kinds:
            declared = [name for name in kinds.index if name in self._model.columns]
            there = f"it has {list(kinds.index)}." if declared else "nor any other declared column; is there a header?"
            raise SourceShapeError(
                f"{self._model.name}: {self._source.path} has no time column {self._model.time!r}; {there}"
            )
        column = quoted(self._model.time)
        self._naive = kinds[self._model.time] in ("TIMESTAMP", "DATE", "TIMESTAMP_NS", "TIMESTAMP_MS")
        self.zoned = f"TRY_CAST({column} AS TIMESTAMPTZ)"
        zoned = kinds[self._model.time] == "TIMESTAMP WITH TIME ZONE"
        same = self._naive or zoned  # nanoseconds are another type
        if zoned:
            self._refuse_mixed()
        self.time = column if same else self.zoned

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._copies.cleanup()

    def _refuse_mixed(self) -> None:
        """Refuse files with times that have a zone beside files without: DuckDB makes both alike."""
        kinds = time_kinds(self._place, self._model.time, self._connection)
        naive_files = [Path(name).name for name, zoned in kinds.items() if not zoned]
        if naive_files and len(naive_files) < len(kinds):
            other = next(Path(name).name for name, zoned in kinds.items() if zoned)
            raise SourceShapeError(
                f"{self._model.name}: {self._model.time!r} has a time zone in {other}, and none in "
                f"{', '.join(naive_files[:3])} ({len(naive_files)} of {len(kinds)} files). Write all files alike."
            )

    @property
    def format(self) -> str:
        """The format of the files."""
        return "csv" if self._source.csv is not None else self._place.format

    def of_period(self, since: pd.Timestamp, until: pd.Timestamp) -> pd.DataFrame:
        """The rows whose time lies in ``[since, until)``, and those that have no time."""
        if self.parsed:
            return within(self.frame(f"SELECT * FROM {self.rows}"), self._model, since, until)
        inside = f"{self.time} >= ? AND {self.time} < ?"
        sql = f"SELECT * FROM {self.rows} WHERE ({inside}) OR {self.time} IS NULL"
        return self.frame(sql, [self.bound(since), self.bound(until)])

    def later(self, until: pd.Timestamp) -> int:
        """How many rows lie at `until` or later, from their times alone."""
        sql = f"SELECT count(*) AS n FROM {self.rows} WHERE {self.time} >= ?"
        return int(self.frame(sql, [self.bound(until)]).n[0])

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
        return f"read_parquet({self._place.sql}, union_by_name = true, filename = {literal(_FILE)})"

    def bound(self, moment: pd.Timestamp) -> datetime:
        """A bound that is compared without casting the column, so that Parquet can skip blocks."""
        return naive(moment, self._model) if self._naive else moment.to_pydatetime()

    def frame(self, sql: str, bounds: list[datetime] | None = None) -> pd.DataFrame:
        """Run a query; values that are not of their column's kind come as text, for the contract to name."""
        import duckdb

        with self._explained(), unless_growing(self._local_text):
            try:
                return self._asked(sql, bounds)
            except duckdb.ConversionException:
                if self._source.csv is None:
                    raise
                typed, self.rows = self.rows, self._relation(as_text=True)
                return self._asked(sql.replace(typed, self.rows), bounds)

    def _asked(self, sql: str, bounds: list[datetime] | None) -> pd.DataFrame:
        return as_frame(self._connection.sql(sql, params=bounds or []).to_arrow_table())

    def pieces(self, size: int) -> Iterator[pd.DataFrame]:
        """All rows, so many at a time; of none, the columns."""
        with self._explained():
            reader, empty = self._connection.sql(f"SELECT * FROM {self.rows}").to_arrow_reader(size), True
            for piece in reader:
                empty = False
                yield as_frame(piece)
            if empty:
                yield as_frame(reader.schema.empty_table())

    def _explained(self) -> AbstractContextManager[None]:
        import duckdb

        cure = "Correct the file, or how the model file reads it"
        message = f"{self._model.name}: cannot read {self._source.path}: {{reason}}. {cure}."
        return translated(SourceError, message, duckdb.Error, reason=self._reason, chained=False)

    def _reason(self, error: BaseException) -> str:
        """What DuckDB says; a value that it cannot convert stands in quotes."""
        import duckdb

        reason = reason_of(error, self._source.path).rstrip(".")
        return masked(reason, self._model.columns) if isinstance(error, duckdb.ConversionException) else reason

    def _relation(self, *, as_text: bool = False) -> str:
        if self._source.csv is not None:
            return self._declared(self._source.csv, as_text=as_text)
        if self.format != "csv":
            return relation(self._place, self._connection, Path(self._copies.name), self._read_columns, self._model.key)
        names = self._read_names()
        text = [c for c, kind in self._model.columns.items() if kind_of(kind).delta == "string" and c in names]
        types = ", ".join(f"{literal(column)}: 'VARCHAR'" for column in text)
        typed = f", types = {{{types}}}" if types else ""
        return f"read_csv({self._place.sql}, union_by_name = true, sample_size = -1{typed})"

    def _declared(self, csv: Csv, *, as_text: bool) -> str:
        """CSV files whose form is declared: the kinds of the columns say their types."""
        if self._csv is None:
            self._csv = csv_files(self._place, csv, Path(self._copies.name))
        files, headers = self._csv
        self._local_text = [] if self._place.is_remote else list(map(Path, files))
        return csv.rows(files, headers, (lambda _: "VARCHAR") if as_text else self._type_of)

    def _type_of(self, column: str) -> str:
        """Numbers are read by DuckDB, and all else as text; so are those of the key, of which it would round some."""
        kind = self._model.columns.get(column)
        plain = kind is not None and column not in self._model.parsing and column not in self._model.key
        return {"double": "DOUBLE", "long": "BIGINT"}.get(kind_of(str(kind)).delta, "VARCHAR") if plain else "VARCHAR"

    @property
    def _read_columns(self) -> set[str]:
        """The columns that the model file names."""
        inputs = (parser.inputs(name) for name, parser in self._model.parsing.items())
        return {*self._model.columns, *itertools.chain.from_iterable(inputs)}

    def _read_names(self) -> list[str]:
        sql = f"DESCRIBE SELECT * FROM read_csv({self._place.sql}, union_by_name = true)"
        return list(self.frame(sql)["column_name"])
