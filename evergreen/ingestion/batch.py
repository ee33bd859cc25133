"""A batch: the rows of a source for one period, checked, then landed in the lake or quarantined."""

import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from evergreen.definition import disclosure
from evergreen.definition.kinds.register import likely
from evergreen.definition.model_files import unmentioned
from evergreen.definition.sources import periods
from evergreen.errors import SourceShapeError
from evergreen.frames import with_columns
from evergreen.ingestion import bad_cells, contract, label_feedback, moved_times, zones
from evergreen.ingestion.contract import Report, Result
from evergreen.ingestion.key_conflicts import conflicts
from evergreen.ingestion.label_feedback import FEEDBACK
from evergreen.ingestion.periods import around_doubled_hours
from evergreen.ingestion.quarantine import Entry, Quarantine
from evergreen.ingestion.schema import cast, each_once
from evergreen.lake.lake import INGEST, Lake
from evergreen.lake.landing import Landed
from evergreen.sql import column

if TYPE_CHECKING:
    from evergreen.definition.model import Model

LATE = "evergreen.late"  # the application whose watermark late batches move
Fate = Literal["landed", "quarantined", "empty"]


@dataclass(frozen=True)
class Checked:
    """Rows cast to the declared kinds where they fit, and the report on them."""

    rows: pd.DataFrame
    report: Report


@dataclass(frozen=True)
class Batch:
    """Checked rows of one period; the report decides whether the batch lands or is quarantined.

    Attributes
    ----------
    model : Model
    id : str
        From `batch_id`.
    since, until : Timestamp
        The requested period.
    arrived : Timestamp
        When it was ingested.
    rows : DataFrame
        As the source gave them.
    checked : Checked
    origin : str
        Where the rows came from, for the audit log.
    app : str
        The Delta application whose watermark the batch moves.
    waiting : int
        How many rows the source holds at `until` or later.
    quarantined : int
        How many rows it gave that are left out, since they came with a batch that is in quarantine or was dropped.
    new_columns : tuple of str
        Columns that neither the model file declares nor the source had before.
    passed_over : str
        What lies beside the rows and is not read.
    """

    model: "Model"
    id: str
    since: pd.Timestamp
    until: pd.Timestamp
    arrived: pd.Timestamp
    rows: pd.DataFrame
    checked: Checked
    origin: str = ""
    app: str = INGEST
    waiting: int = 0
    quarantined: int = 0
    new_columns: tuple[str, ...] = ()
    passed_over: str = ""

    @property
    def fate(self) -> Fate:
        """The fate that follows from the report."""
        if self.rows.empty:
            return "empty"
        return "landed" if self.checked.report.success else "quarantined"

    @property
    def notes(self) -> list[str]:
        """The failures and warnings of the contract, which rows wait, came late or stay out, and new columns."""
        wait = f"{self.waiting:,} rows lie at {self.until:%Y-%m-%d %H:%M} or later; they wait until then"
        late = f"{len(self.rows):,} rows of before {self.until:%Y-%m-%d %H:%M} came after that time had been ingested"
        counted = [wait] if self.waiting else [late] if self.app == LATE else []
        beside = [self.passed_over] if self.passed_over else []
        failures = in_words(self.checked.report.failures)
        return failures + counted + self._of_quarantined() + beside + self._of_new_columns()

    def _of_quarantined(self) -> list[str]:
        """A line on the rows that are left out."""
        why = f"they came with a batch in quarantine, or dropped: `evergreen quarantine list {self.model.name} --all`"
        return [f"{self.quarantined:,} rows are left out; {why}"] if self.quarantined else []

    def _of_new_columns(self) -> list[str]:
        """A line on the columns that are new in the source."""
        names = ", ".join(map(repr, self.new_columns))
        line = f"the source has new columns that the model file does not declare: {names}; to take them in, add"
        written = ", ".join(f"{json.dumps(name)}: {json.dumps(likely(self.rows[name]))}" for name in self.new_columns)
        return [f"{line} {written} to `features` or `extra`"] if self.new_columns else []

    @property
    def entry(self) -> Entry:
        """The batch as an entry of the quarantine, its failures first."""
        results = sorted(self.checked.report.results, key=lambda result: (result.success, result.warn))
        since, until, arrived = (moment.isoformat() for moment in (self.since, self.until, self.arrived))
        return Entry(self.model.name, self.id, since, until, arrived, len(self.rows), "held", results, app=self.app)

    def land(self, lake: Lake) -> Landed:
        """Write the checked rows into the table; label feedback on them is kept."""
        rows = self.checked.rows
        if self.app != FEEDBACK:
            rows = label_feedback.with_stored_feedback(lake, self.model, rows)
        mark = self.arrived if self.app == LATE else self.until
        times = "" if self.app == FEEDBACK else zones.written(self.model, self.rows)
        noted = {zones.NOTE: times} if times else {}
        return lake.land(
            self.model, rows, self.id, self.arrived, app=self.app, mark=mark, warned=self.notes, noted=noted
        )

    def ingested(self, landed: Landed | None = None) -> "Ingested":
        """The result of the batch; once landed, with the row counts of the table's change."""
        since, until = self.since.isoformat(), self.until.isoformat()
        result = Ingested(self.model.name, self.id, since, until, self.fate, len(self.rows), notes=self.notes)
        if landed is None:
            return result
        return replace(result, new=landed.new, corrected=landed.corrected, same=landed.same, version=landed.version)


@dataclass(frozen=True)
class Ingested:
    """The result of one batch.

    Attributes
    ----------
    model, batch : str
    since, until : str
        The period that was asked for; ISO 8601.
    fate : {"landed", "quarantined", "empty"}
    rows, new, corrected, same : int
        How many rows the source gave; of those landed, how many were added, replaced a row, or were there already.
    version : int or None
        The table's version afterwards, if it landed.
    notes : list of str
        The failures and warnings of the contract, and how many rows wait for their time or are in quarantine.
    """

    model: str
    batch: str
    since: str
    until: str
    fate: Fate
    rows: int
    new: int = 0
    corrected: int = 0
    same: int = 0
    version: int | None = None
    notes: list[str] = field(default_factory=list)


def batch_id(model: str, since: pd.Timestamp, until: pd.Timestamp) -> str:
    """Name a batch by its model and period, so that reading the period again gives the same name.

    Examples
    --------
    >>> batch_id("airtime", pd.Timestamp("2013-01-01", tz="UTC"), pd.Timestamp("2013-01-08", tz="UTC"))
    '20130108T000000-d103'
    """
    digest = hashlib.sha256(f"{model} {since.isoformat()} {until.isoformat()}".encode()).hexdigest()[:4]
    return f"{until:%Y%m%dT%H%M%S}-{digest}"


def check(model: "Model", rows: pd.DataFrame, until: pd.Timestamp) -> Checked:
    """Cast rows to the declared schema and run the contract on them.

    Parameters
    ----------
    model : Model
    rows : DataFrame
        As the source gave them; an empty frame passes.
    until : Timestamp
        Every row's time must be before it.
    """
    cast_rows, problems = cast(rows, model)
    if problems or rows.empty:
        return Checked(rows, Report(len(rows), problems if len(rows) else []))
    expectations, hidden = [*contract.required(model, until), *model.contract], disclosure.without_examples(model)
    report = contract.check(cast_rows, expectations, hidden)
    if not any(result.type.endswith("_to_be_unique") for result in report.failures):
        return Checked(cast_rows, report)
    once, doubles = each_once(cast_rows, rows, model)
    if doubles:
        report = contract.check(once, expectations, hidden)
    results = [_with_conflicts(result, once, model) for result in report.results]
    return Checked(once, replace(report, results=[*results, *doubles]))


def _with_conflicts(result: Result, rows: pd.DataFrame, model: "Model") -> Result:
    """The failure of a key that is not unique, with what holds its rows apart."""
    if result.success or not result.type.endswith("_to_be_unique") or result.column not in ("", *model.key[:1]):
        return result
    words = [name for name, kind in model.columns.items() if kind in ("category", "integer", "datetime")]
    told = conflicts(rows, model.key, [name for name in words if name != model.target]).told
    return replace(result, found=f"{result.found}; {told}") if told else result


def check_labels(model: "Model", rows: pd.DataFrame) -> Checked:
    """Cast label feedback on rows of the table, and check the expectations about the label's columns.

    The other columns were checked when the row was ingested.
    """
    label_columns = label_feedback.label_columns(model)
    cast_labels, problems = cast(rows, model, label_columns)
    if problems or rows.empty:
        return Checked(rows, Report(len(rows), problems if len(rows) else []))
    labelled = with_columns(rows, cast_labels)
    hidden = disclosure.without_examples(model)
    expectations = [
        expectation for expectation in model.contract if contract.columns(expectation.kwargs) & {*label_columns}
    ]
    return Checked(labelled, contract.check(labelled, expectations, hidden) if expectations else Report(len(rows), []))


def of_source(
    model: "Model",
    lake: Lake,
    quarantine: Quarantine,
    since: pd.Timestamp,
    until: pd.Timestamp,
    arrived: pd.Timestamp,
) -> Batch:
    """Read ``[since, until)`` from the source and check the rows; rows already in quarantine are left out.

    Raises
    ------
    SourceError
        The source cannot be read.
    """
    number = batch_id(model.name, since, until)
    newest = until >= arrived
    if newest:
        read, waiting = model.source.read_newest(model, since, until, lake)
    else:
        read, waiting = model.source.read(model, since, until, lake), 0
    states = quarantine.states(model, read, number, since)
    rows, left = read[states == ""].reset_index(drop=True), int(np.isin(states, ("held", "dropped")).sum())
    origin = model.source.origin(model, since, until) if len(rows) else ""
    checked = compared(model, lake, rows, check(model, rows, until))
    new = _new_columns(model, quarantine, rows) if len(rows) else ()
    beside = model.source.passed_over() if newest else ""
    return Batch(
        model,
        number,
        since,
        until,
        arrived,
        rows,
        checked,
        origin,
        waiting=waiting,
        quarantined=left,
        new_columns=new,
        passed_over=beside,
    )


def _new_columns(model: "Model", quarantine: Quarantine, rows: pd.DataFrame) -> tuple[str, ...]:
    """Undeclared columns that the source did not have before; at first, those that a draft of the model did not see."""
    before, names = quarantine.undeclared(model.name), undeclared(model, rows)
    return tuple(unmentioned(model.name, names) if before is None else (name for name in names if name not in before))


def undeclared(model: "Model", rows: pd.DataFrame) -> list[str]:
    """The columns that the model neither declares nor reads others from."""
    read = model.read_columns
    return [str(name) for name in rows.columns if name not in read]


def compared(model: "Model", lake: Lake, rows: pd.DataFrame, checked: Checked) -> Checked:
    """Checked rows, with the place of bad cells, and a failure if their times have a zone and those before had none.

    The other way round it is a failure, too. Rows that replace much earlier ones are a warning.
    """
    failures = zones.compared(model, lake, rows)
    failures += moved_times.compared(model, lake, checked.rows) if checked.report.success else []
    report = bad_cells.located(model, rows, checked.report)
    return replace(checked, report=replace(report, results=[*report.results, *failures]))


def of_labels(model: "Model", lake: Lake, quarantine: Quarantine, arrived: pd.Timestamp) -> Batch | None:
    """The rows corrected by label feedback since the last run, checked; None if there are none."""
    if not label_feedback.exists(lake, model):
        return None
    since = label_feedback.since(lake.watermark(model.name, FEEDBACK), quarantine.watermark(model.name, FEEDBACK))
    number = f"labels-{batch_id(model.name, since, arrived)}"
    rows = quarantine.without_quarantined(model, label_feedback.corrected(lake, model, since, arrived), number, since)
    if rows.empty:
        return None
    checked = check_labels(model, rows)
    return Batch(model, number, since, arrived, arrived, rows, checked, "label feedback", FEEDBACK)


def outstanding(
    model: "Model", lake: Lake, quarantine: Quarantine, as_of: pd.Timestamp
) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """The periods not ingested yet, from the watermark to `as_of`, one for each batch.

    The watermark is the time up to which batches have landed or been quarantined. The first batch
    starts before it, by the source's lookback; and if the source is stored, not after the newest row of the lake.

    Raises
    ------
    SourceShapeError
        Nothing has been ingested yet, and the source has no rows up to now.
    """
    marks = [mark for mark in (lake.watermark(model.name), quarantine.watermark(model.name)) if mark is not None]
    begin = max(marks) if marks else model.source.begins(model, as_of, lake)
    due = periods(model.source, begin, as_of) if begin is not None else []
    if not marks and not due:
        problem = "holds no row" if begin is None else f"begins at {begin.isoformat()}"
        raise SourceShapeError(f"{model.name}: the source {problem}, so there is nothing up to {as_of.isoformat()}.")
    if marks and due:
        low, high = due[0]
        newest = _newest_row(model, lake)
        back = low - model.source.lookback
        due[0] = (back if newest is None else min(back, newest), high)
    return around_doubled_hours(due, model.timezone)


def _newest_row(model: "Model", lake: Lake) -> pd.Timestamp | None:
    """The time of the newest row in the lake, after which a stored source may have more; None if there is none."""
    if not model.source.stored or not lake.exists(model.name):
        return None
    newest = lake.query(model, f"SELECT max({column(model.time)}) AS t FROM rows")["t"][0]
    if pd.isna(newest):
        return None
    # Without a lookback no row of a time that is there is read again.
    return pd.Timestamp(newest) + pd.Timedelta(0 if model.source.lookback else 1, "us")


def in_words(results: list[Result]) -> list[str]:
    """Each failed result in one line.

    Examples
    --------
    >>> in_words([Result("expect_column_mean_to_be_between", "x", False, False, "max_value 3", "5.2")])
    ['x: column mean to be between (max_value 3); found 5.2']
    """
    return [
        f"{result.column or 'table'}: {result.type.removeprefix('expect_').replace('_', ' ')}"
        f" ({result.expected}); found {result.found}"
        for result in results
        if not result.success
    ]
