"""Quarantine: whole batches that failed their contract, each with a report."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from evergreen.errors import LakeError, QuarantineError, translated
from evergreen.files import replacing_stored
from evergreen.frames import with_columns
from evergreen.ingestion.contract import Result
from evergreen.lake import stored_files
from evergreen.lake.lake import INGEST

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem
    from numpy.typing import NDArray

    from evergreen.definition.model import Model

_DAY = pd.Timedelta(days=1)
State = Literal["held", "released", "dropped"]


@dataclass(frozen=True)
class Entry:
    """One batch in quarantine.

    Attributes
    ----------
    model, batch : str
    since, until, arrived : str
        The period of the batch, and when it was read; ISO 8601.
    rows : int
    state : {"held", "released", "dropped"}
    results : list of Result
        Of the contract, the failures first.
    note : str
        The note of the person who released or dropped it.
    app : str
        The application whose watermark it moves: the source's, or that of label feedback.
    """

    model: str
    batch: str
    since: str
    until: str
    arrived: str
    rows: int
    state: State
    results: list[Result]
    note: str = ""
    app: str = INGEST

    @property
    def failures(self) -> list[Result]:
        """The failures that quarantined the batch."""
        return [result for result in self.results if not result.success and not result.warn]


@dataclass(frozen=True)
class Quarantine:
    """The entries under the lake's root, a folder each: rows, report page, and the entry itself.

    The entry is written last, so that an interrupted write leaves no incomplete batch.
    """

    root: str

    @cached_property
    def _files(self) -> "AbstractFileSystem":
        return stored_files.opened(self.root)[0]

    def folder(self, model: str, batch: str = "") -> str:
        """Where a model's entries lie, or one of them."""
        return f"{self.root}/{model}/quarantine/{batch}".rstrip("/")

    def hold(self, entry: Entry, rows: pd.DataFrame, page: str) -> Entry:
        """Put a batch into quarantine; the same batch again replaces its entry."""
        folder = self.folder(entry.model, entry.batch)
        with _explained(f"write {folder}"):
            self._files.makedirs(folder, exist_ok=True)
            with self._files.open(f"{folder}/rows.parquet", "wb") as file:
                _storable(rows).to_parquet(file, index=False)
            self._write(f"{folder}/report.html", page)
            self._write_entry(entry)
        return entry

    def entries(self, model: str) -> list[Entry]:
        """All entries of a model, oldest first."""
        with _explained(f"read {self.folder(model)}"):
            paths = self._files.glob(f"{self.folder(model)}/*/entry.json")
            return sorted((self._read_entry(path) for path in paths), key=lambda entry: (entry.until, entry.batch))

    def entry(self, model: str, batch: str) -> Entry:
        """One entry, by its batch id.

        Raises
        ------
        QuarantineError
            There is none.
        """
        for entry in self.entries(model):
            if entry.batch == batch:
                return entry
        held_batches = [entry.batch for entry in self.entries(model) if entry.state == "held"]
        raise QuarantineError(
            f"{model} has no batch {batch!r} in quarantine. Held: {', '.join(held_batches) or 'none'}. "
            f"`evergreen quarantine list {model} --all` lists every batch that was."
        )

    def rows(self, entry: Entry) -> pd.DataFrame:
        """The rows as the source gave them."""
        folder = self.folder(entry.model, entry.batch)
        with _explained(f"read {folder}"), self._files.open(f"{folder}/rows.parquet", "rb") as file:
            return pd.read_parquet(file)

    def without_quarantined(self, model: "Model", rows: pd.DataFrame, batch: str, since: pd.Timestamp) -> pd.DataFrame:
        """Drop rows that are already quarantined, with the same values, in another batch.

        A source that is read again for the same period gives such rows again, and rows without a time are
        given always. They count only in the batch they first came with. A corrected row is a new row; what changes in
        a column that the model does not read is no correction.

        Parameters
        ----------
        model : Model
        rows : DataFrame
            As the source gave them.
        batch : str
            The batch of these rows, which an interrupted run may have quarantined already.
        since : Timestamp
            The begin of the period.
        """
        kept: pd.DataFrame = rows[self.states(model, rows, batch, since) == ""].reset_index(drop=True)
        return kept

    def states(self, model: "Model", rows: pd.DataFrame, batch: str, since: pd.Timestamp) -> "NDArray[np.str_]":
        """The state of the other batch in which each row was quarantined with the same values; empty if in none.

        The parameters are those of `without_quarantined`.
        """
        timeless = model.time not in rows.columns or bool(rows[model.time].isna().any())
        others = [entry for entry in self.entries(model.name) if entry.batch != batch]
        near = [entry for entry in others if timeless or pd.Timestamp(entry.until) > since]
        found = np.full(len(rows), "", dtype="<U8")
        if rows.empty or not near:
            return found
        read, given = model.read_columns, _digests(_storable(rows), model.read_columns)
        for entry in sorted(near, key=lambda entry: entry.state == "released"):  # such rows have landed
            found[np.isin(given, _digests(self.rows(entry), read))] = entry.state
        return found

    def matching(self, model: str, conditions: Sequence[Mapping[str, str]]) -> list[pd.DataFrame]:
        """The rows of each entry that have all values of a condition, as text: quarantined rows can be of any kind."""
        frames = [self.rows(entry) for entry in self.entries(model)]
        return [rows[_any(rows, conditions)] for rows in frames]

    def erase(self, model: str, conditions: Sequence[Mapping[str, str]], page: Callable[[Entry], str]) -> None:
        """Remove such rows from every entry, including released and dropped ones, and the examples from its report.

        Parameters
        ----------
        model : str
        conditions : list of dict of column to text
        page : callable
            Makes the page of an entry.
        """
        for path in self._files.glob(f"{self.folder(model)}/*/*.part"):  # what a killed process was writing
            self._files.rm_file(path)
        for entry in self.entries(model):
            rows = self.rows(entry)
            matching = _any(rows, conditions)
            told = replace(entry, results=[result.without_examples for result in entry.results])
            path = self.folder(model, entry.batch)
            if matching.any():  # the rows last: a repeated call finds them if it was interrupted
                with _explained(f"write {path}"):
                    self._write(f"{path}/report.html", page(told))
                    self._write_entry(told)
                    with replacing_stored(self._files, f"{path}/rows.parquet", "wb") as file:
                        rows[~matching].to_parquet(file, index=False)

    def watermark(self, model: str, app: str = INGEST) -> pd.Timestamp | None:
        """The time up to which batches have been quarantined; these are not read again."""
        return max((pd.Timestamp(entry.until) for entry in self.entries(model) if entry.app == app), default=None)

    def surplus(self, model: str) -> dict[str, int]:
        """How many rows more than the lake the source was left with, by day: quarantined, doubled, erased ones."""
        return dict(self._read_beside(model, "surplus") or {})

    def keep_surplus(self, model: str, counts: Mapping[str, int]) -> None:
        """Keep what `surplus` gives."""
        self._write_beside(model, "surplus", counts)

    def forget_surplus(self, entry: Entry) -> None:
        """Forget what `surplus` gives of the days of a batch that landed: they are compared again."""
        first, last = pd.Timestamp(entry.since) - _DAY, pd.Timestamp(entry.until) + _DAY  # in any zone
        counts = self.surplus(entry.model)
        others = {day: count for day, count in counts.items() if not f"{first:%Y-%m-%d}" <= day <= f"{last:%Y-%m-%d}"}
        if others != counts:
            self.keep_surplus(entry.model, others)

    def files(self, model: str) -> dict[str, Any]:
        """What the source's files were at the last ingest, as `evergreen.ingestion.sources.file_changes` has it."""
        return dict(self._read_beside(model, "files") or {})

    def keep_files(self, model: str, known: Mapping[str, Any]) -> None:
        """Keep what `files` gives."""
        self._write_beside(model, "files", known)

    def undeclared(self, model: str) -> set[str] | None:
        """The columns that the source had besides the declared ones when it was last read; None before."""
        known = self._read_beside(model, "undeclared")
        return None if known is None else set(known)

    def keep_undeclared(self, model: str, names: Collection[str]) -> None:
        """Keep what `undeclared` gives."""
        self._write_beside(model, "undeclared", sorted(names))

    def erased(self, model: str) -> set[str]:
        """Keyed hashes of the ids of rows that were erased."""
        return set(self._read_beside(model, "erased") or [])

    def keep_erased(self, model: str, hashes: Collection[str]) -> None:
        """Add to what `erased` gives."""
        if hashes:
            self._write_beside(model, "erased", sorted({*hashes, *self.erased(model)}))

    def _read_beside(self, model: str, name: str) -> Any:
        """A file beside the entries; None without it."""
        path = f"{self.folder(model)}/{name}.json"
        with _explained(f"read {path}"):
            return json.loads(self._files.cat_file(path)) if self._files.exists(path) else None

    def _write_beside(self, model: str, name: str, content: object) -> None:
        with _explained(f"write {self.folder(model)}"):
            self._files.makedirs(self.folder(model), exist_ok=True)
            self._write(f"{self.folder(model)}/{name}.json", json.dumps(content))

    def close(self, entry: Entry, state: State, note: str) -> Entry:
        """Mark an entry as released or dropped; its rows and report are kept as evidence.

        Raises
        ------
        QuarantineError
            It was released or dropped before.
        """
        if entry.state not in ("held", state):
            raise QuarantineError(f"{entry.model} {entry.batch} was {entry.state} before: {entry.note or 'no note'}.")
        closed = replace(entry, state=state, note=note or entry.note)
        with _explained(f"write {self.folder(entry.model, entry.batch)}"):
            self._write_entry(closed)
        return closed

    def _write_entry(self, entry: Entry) -> None:
        self._write(f"{self.folder(entry.model, entry.batch)}/entry.json", json.dumps(asdict(entry), indent=1))

    def _write(self, path: str, text: str) -> None:
        """Write a file atomically: to a temporary name first, then renamed."""
        with replacing_stored(self._files, path) as file:
            file.write(text)

    def _read_entry(self, path: str) -> Entry:
        message = (
            f"{path} is no report of a batch in quarantine: {{reason}}. Restore it from a backup, or move its folder "
            "out of the lake: `evergreen refresh` reads the batch again."
        )
        with (
            self._files.open(path, encoding="utf-8") as file,
            translated(QuarantineError, message, ValueError, KeyError, TypeError),
        ):
            data: dict[str, Any] = json.load(file)
            return Entry(**data | {"results": [Result(**result) for result in data["results"]]})


def _explained(doing: str) -> AbstractContextManager[None]:
    """Turn what the store raises into a LakeError that says what could not be done."""
    message = f"Cannot {doing}: {{reason}}. Check that the lake is there, writable and not full."
    return translated(LakeError, message, OSError, reason=str)


def _storable(rows: pd.DataFrame) -> pd.DataFrame:
    """Columns of mixed types become text, since Parquet cannot hold them; so do columns' names."""
    rows = rows.rename(columns=str)
    mixed = [column for column in rows.columns if rows[column].dtype == object]
    return with_columns(rows, {column: rows[column].map(str, na_action="ignore") for column in mixed})


def _digests(rows: pd.DataFrame, read: Collection[str]) -> "NDArray[np.uint64]":
    """A hash of each row's content in the columns that the model reads; 7 and 7.0 are equal."""
    names = sorted(name for name in rows.columns if name in read)
    text = {name: rows[name].map(_written, na_action="ignore").astype("str") for name in names}
    return np.asarray(pd.util.hash_pandas_object(pd.DataFrame(text), index=False).to_numpy())


def _any(rows: pd.DataFrame, conditions: Sequence[Mapping[str, str]]) -> "pd.Series[bool]":
    """Which rows meet one of the conditions; those on one column are looked up at once."""
    met = pd.Series(False, index=rows.index)
    by_column: dict[str, list[str]] = {}
    for values in conditions:
        if len(values) == 1:
            ((column, value),) = values.items()
            by_column.setdefault(column, []).append(value)
        else:
            met |= _matching(rows, values)
    for column, texts in by_column.items():
        if column in rows:
            met |= rows[column].map(_written, na_action="ignore").astype("str").isin(texts)
    return met


def _matching(rows: pd.DataFrame, values: Mapping[str, str]) -> "pd.Series[bool]":
    """Which rows have these values; none if a column is missing."""
    matching = pd.Series(set(values) <= set(rows.columns), index=rows.index)
    for column, value in values.items():
        if column in rows:
            matching &= rows[column].map(_written, na_action="ignore").astype("str") == value
    return matching


def _written(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
