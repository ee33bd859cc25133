"""Rows that replace one of the same key and a much earlier time: corrections, or events of a thing that comes again."""

from typing import TYPE_CHECKING

import pandas as pd

from evergreen.durations import as_text
from evergreen.ingestion.contract import Result
from evergreen.lake.arrow import to_arrow
from evergreen.lake.lake import Lake
from evergreen.sql import column, same

if TYPE_CHECKING:
    from evergreen.definition.model import Model


def compared(model: "Model", lake: Lake, rows: pd.DataFrame) -> list[Result]:
    """A warning if checked rows replace others whose time lies further back than corrections are looked for.

    It is none that holds a batch back: a model may keep one row of a thing, its newest, and mean it.
    """
    if model.time in model.key or model.identified_by_content or rows.empty or not lake.exists(model.name):
        return []
    lookback = model.source.lookback
    before, now = column(model.time, "rows"), column(model.time, "b")
    sql = f"SELECT count(*) AS n FROM b JOIN rows ON {same(model.key, 'b', 'rows')} WHERE {now} - {before} > $lookback"
    moved = int(lake.query(model, sql, {"lookback": lookback}, beside={"b": to_arrow(rows, model)})["n"][0])
    if not moved:
        return []
    found = (
        f"{moved:,} of {len(rows):,} rows that replace one of an earlier time; if each is an event of its own, such as "
        f"another visit of a customer, set `key` to {[*model.key, model.time]} and ingest into a new lake"
    )
    expected = f"rows of one key within {as_text(lookback)}, the lookback"
    return [Result("earlier rows to be kept", model.time, success=False, warn=True, expected=expected, found=found)]
