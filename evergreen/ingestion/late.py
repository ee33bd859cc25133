"""Late rows: those of before the period of the next batch, whatever the lookback, that the lake does not have."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from evergreen.definition import row_ids
from evergreen.definition.model import ROW_KEY
from evergreen.definition.sources import Counts
from evergreen.frames import with_columns
from evergreen.ingestion import erased_rows
from evergreen.ingestion.batch import LATE, Batch, Ingested, batch_id, check, compared
from evergreen.ingestion.quarantine import Quarantine
from evergreen.ingestion.schema import cast
from evergreen.ingestion.sources.shared import within
from evergreen.lake import audit_log
from evergreen.lake.arrow import positions, to_arrow
from evergreen.lake.lake import ROWS, Lake
from evergreen.sql import column, columns, stored

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evergreen.definition.model import Model

_DAY = pd.Timedelta(days=1)
Wanted = Callable[["Model", Lake, Quarantine, pd.DataFrame], pd.DataFrame]


def surplus(model: "Model", lake: Lake, before: pd.Timestamp) -> Counts:
    """How many more rows the source holds than the lake, by day of the model's time zone; days without are left out.

    Empty where the source cannot count its rows, as `Call`. A lake without a table lacks all of them.
    """
    held = model.source.daily(model, before)
    there = _there(model, lake, before) if held and lake.exists(model.name) else {}
    more = {day: count - there.get(day, 0) for day, count in held.items()}
    return {day: count for day, count in sorted(more.items()) if count > 0}


def _there(model: "Model", lake: Lake, before: pd.Timestamp) -> Counts:
    """How many rows the lake holds, by day of the model's time zone."""
    time = f"({column(model.time)} AT TIME ZONE $zone)"
    sql = (
        f"SELECT CAST({time} AS DATE) AS day, count(*) AS n FROM {ROWS} WHERE {column(model.time)} < $before GROUP BY 1"
    )
    found = lake.query(model, sql, {"zone": model.timezone, "before": before.to_pydatetime()})
    return dict(zip(found["day"].astype("str").str[:10], found["n"].tolist(), strict=True))


def still_there(known: Counts, more: Counts) -> Counts:
    """What is left of a surplus that was known: rows that have landed since, or left the source, hide no others.

    Examples
    --------
    >>> still_there({"2024-01-01": 5, "2024-01-02": 7}, {"2024-01-02": 3, "2024-01-03": 1})
    {'2024-01-02': 3}
    """
    return {day: min(count, more[day]) for day, count in known.items() if day in more}


def periods(
    model: "Model", more: Counts, known: Counts, before: pd.Timestamp
) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """The periods that are to be compared with the lake row by row.

    Parameters
    ----------
    model : Model
    more : dict of day to int
        The surplus of the source.
    known : dict of day to int
        The surplus that was left at the last comparison: rows in quarantine, doubles, erased rows.
    before : Timestamp
        The end of the last period.
    """
    days = pd.DatetimeIndex([day for day, count in more.items() if count > known.get(day, 0)])
    found: list[tuple[pd.Timestamp, pd.Timestamp]] = []
    for low in (day.tz_localize(model.timezone, ambiguous=True, nonexistent="shift_forward") for day in days):
        begin, end = low.tz_convert("UTC"), min((low + pd.DateOffset(days=1)).tz_convert("UTC"), before)
        if found and found[-1][1] >= begin and _fits(model, found[-1][0], end):
            found[-1] = (found[-1][0], end)
        elif begin < end:
            found.append((begin, end))
    return found


def of_period(
    model: "Model",
    lake: Lake,
    quarantine: Quarantine,
    since: pd.Timestamp,
    until: pd.Timestamp,
    arrived: pd.Timestamp,
    wanted: Wanted,
) -> Batch | None:
    """The rows of ``[since, until)`` that are wanted and not in quarantine with the same values, checked; None without.

    Parameters
    ----------
    arrived : Timestamp
        When they are ingested; different for each batch, since it is the watermark of late batches.
    wanted : callable
        Which of the source's rows: `missing`, or `evergreen.ingestion.again.differing`.

    Raises
    ------
    SourceError
        The source cannot be read.
    """
    number = f"late-{batch_id(model.name, since, arrived)}"
    read = within(model.source.read(model, since, until, lake), model, since, until)  # SQLite gives a day before it
    rows = quarantine.without_quarantined(model, read, number, since)
    rows = wanted(model, lake, quarantine, rows)
    if rows.empty:
        return None
    origin = model.source.origin(model, since, until)
    checked = compared(model, lake, rows, check(model, rows, until))
    return Batch(model, number, since, until, arrived, rows, checked, origin, app=LATE)


def forgets_erased(lake: Lake, model: "Model") -> bool:
    """Whether rows were erased by a release that did not remember which: late rows cannot be told from them."""
    lines = audit_log.read(lake, model.name)
    return any(line.act == "deletion" and not line.details.get("remembered") for line in lines)


def left_out(model: "Model", more: Counts, known: Counts, before: pd.Timestamp, arrived: pd.Timestamp) -> Ingested:
    """What is told of late rows that are not taken in, since erased rows may be among them."""
    count = sum(number - known.get(day, 0) for day, number in more.items() if number > known.get(day, 0))
    why = "they were left out, since rows were erased by a release that did not remember which"
    return _untaken(model, more, count, before, arrived, why)


def given_up(model: "Model", more: Counts, before: pd.Timestamp, arrived: pd.Timestamp) -> Ingested:
    """What is told where the lake has no row at all, and the source has only such as were quarantined."""
    why = f"they are in quarantine, or were dropped there: `evergreen quarantine list {model.name} --all`"
    return _untaken(model, more, sum(more.values()), before, arrived, why)


def _untaken(
    model: "Model", more: Counts, count: int, before: pd.Timestamp, arrived: pd.Timestamp, why: str
) -> Ingested:
    note = f"{count:,} rows of before {before:%Y-%m-%d %H:%M} are in the source and not in the lake; {why}"
    since, until = pd.Timestamp(min(more), tz=model.timezone).isoformat(), before.isoformat()
    return Ingested(model.name, f"late-{batch_id(model.name, before, arrived)}", since, until, "empty", 0, notes=[note])


def _fits(model: "Model", low: pd.Timestamp, high: pd.Timestamp) -> bool:
    """Whether a period is no longer than a batch, or than two days where that is shorter."""
    return model.source.batch is None or high - low <= max(pd.Timedelta(model.source.batch), 2 * _DAY)


def missing(model: "Model", lake: Lake, quarantine: Quarantine, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows whose key the lake does not have, but erased ones; all that do not fit the schema, which is told."""
    fitting, problems = cast(rows, model)
    if rows.empty or problems:
        return rows
    keyed = with_columns(rows, {ROW_KEY: fitting[ROW_KEY]}) if model.identified_by_content else rows
    new = ~held(model, lake, fitting, model.key)
    return keyed[new & ~are_erased(model, quarantine, fitting, new)].reset_index(drop=True)


def are_erased(
    model: "Model", quarantine: Quarantine, fitting: pd.DataFrame, asked: "NDArray[np.bool_]"
) -> "NDArray[np.bool_]":
    """Which of the rows that are asked for were erased."""
    found, erased = np.zeros(len(fitting), dtype=bool), quarantine.erased(model.name)
    if erased and asked.any():
        found[asked] = [row in erased for row in erased_rows.hashed(row_ids.ids(model, fitting[asked]))]
    return found


def held(model: "Model", lake: Lake, fitting: pd.DataFrame, names: list[str]) -> "NDArray[np.bool_]":
    """Which rows the lake holds with the same values in these columns, the key among them."""
    if not lake.exists(model.name) or not {*names} <= {*lake.columns(model.name)}:
        return np.zeros(len(fitting), dtype=bool)
    first = model.key[0]
    low, high = fitting[first].agg(["min", "max"]).tolist()
    near = f"SELECT {columns(names)} FROM {ROWS} WHERE {column(first)} BETWEEN $low AND $high"
    alike = " AND ".join(f"{column(name, 'given')} IS NOT DISTINCT FROM {column(name, 'near')}" for name in names)
    sql = f'SELECT "_row" AS n FROM given SEMI JOIN ({near}) AS near ON {alike}'
    given = to_arrow(fitting, model).select([stored(name) for name in names])
    given = given.append_column("_row", positions(len(fitting)))
    found = lake.query(model, sql, {"low": low, "high": high}, beside={"given": given})["n"]
    return np.isin(np.arange(len(fitting)), found.to_numpy())
