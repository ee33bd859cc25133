"""A batch: what a source gave for one period, its id, and whether it meets the contract."""

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import pandas as pd

from evergreen.definition.sources import periods
from evergreen.errors import SourceShapeError
from evergreen.ingestion import contract, label_feedback
from evergreen.ingestion.contract import Report, Result
from evergreen.ingestion.quarantine import Quarantine
from evergreen.ingestion.schema import cast
from evergreen.lake.lake import Lake
from evergreen.lake.landing import Landed

if TYPE_CHECKING:
    from evergreen.definition.model import Model

Fate = Literal["landed", "quarantined", "empty"]


@dataclass(frozen=True)
class Checked:
    """Rows cast as far as they go, and the report on them."""

    rows: pd.DataFrame
    report: Report


@dataclass(frozen=True)
class Ingested:
    """What became of one batch.

    Attributes
    ----------
    model, batch : str
    since, until : str
        The period that was asked for; ISO 8601.
    fate : {"landed", "quarantined", "empty"}
    rows, new, corrected, same : int
        How many came; of those landed, how many were added, replaced a row, or were there.
    version : int or None
        The table's version afterwards, if it landed.
    notes : list of str
        What broke the contract, or what it warned of.
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
    """Name a batch by what was asked for, so that asking again gives the same name.

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
        As the source gave them; empty is fine and has nothing to break.
    until : Timestamp
        No row may be from then or later.
    """
    fitting, problems = cast(rows, model)
    if problems or rows.empty:
        return Checked(rows, Report(len(rows), problems if len(rows) else []))
    asked = [*contract.required(model, until), *model.contract]
    return Checked(fitting, contract.check(fitting, asked, model.serving.private))


def check_labels(model: "Model", rows: pd.DataFrame) -> Checked:
    """Cast labels that were given to rows of the table, and run on them what the contract says of the label.

    What else a row holds was checked when it came.
    """
    about = label_feedback.about(model)
    fitting, problems = cast(rows, model, about)
    if problems or rows.empty:
        return Checked(rows, Report(len(rows), problems if len(rows) else []))
    cut = rows.assign(**fitting)
    asked = [one for one in model.contract if contract.columns(one.kwargs) & {*about}]
    return Checked(cut, contract.check(cut, asked, model.serving.private) if asked else Report(len(rows), []))


def landed(made: Ingested, into: Landed, report: Report) -> Ingested:
    """The batch, now that it is in the table."""
    notes = in_words(report.failures)
    counted = replace(made, new=into.new, corrected=into.corrected, same=into.same)
    return replace(counted, fate="landed", version=into.version, notes=notes)


def put_aside(made: Ingested, report: Report) -> Ingested:
    """The batch, now that it is in quarantine."""
    return replace(made, fate="quarantined", notes=in_words(report.failures))


def outstanding(
    model: "Model", lake: Lake, quarantine: Quarantine, as_of: pd.Timestamp
) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """The periods not yet asked for, from the watermark to `as_of`, a batch each.

    The watermark is how far batches have landed or been put into quarantine. The first batch
    reaches back behind it by the source's lookback, so that it is not taken for one that landed.

    Raises
    ------
    SourceShapeError
        Nothing has ever come, and the source holds nothing up to now.
    """
    marks = [mark for mark in (lake.watermark(model.name), quarantine.watermark(model.name)) if mark is not None]
    begin = max(marks) if marks else model.source.begins(model, as_of, lake)
    cut = periods(model.source, begin, as_of) if begin is not None else []
    if not marks and not cut:
        found = "holds no row" if begin is None else f"begins at {begin.isoformat()}"
        raise SourceShapeError(f"{model.name}: the source {found}, so there is nothing up to {as_of.isoformat()}.")
    if not marks or not cut:
        return cut
    low, high = cut[0]
    return [(low - model.source.lookback, high), *cut[1:]]


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
