"""Where the first bad cell of a column stands in the source: told with a failure, so that a person finds it."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from evergreen.ingestion.contract import Report, Result
from evergreen.ingestion.schema import cast

if TYPE_CHECKING:
    from evergreen.definition.model import Model

_FOUND = 10  # columns whose first bad cell is looked up


def located(model: "Model", rows: pd.DataFrame, report: Report) -> Report:
    """A report whose failures name the file and line of the first row that fails, where the source has lines.

    Parameters
    ----------
    model : Model
    rows : DataFrame
        As the source gave them.
    report : Report
        On these rows.
    """
    failing = [result for result in report.failures if not result.warn and result.column in model.columns][:_FOUND]
    if not failing or not model.source.has_lines:
        return report
    rows = rows.reset_index(drop=True)
    positions = {id(result): _position(model, rows, result, report) for result in failing}
    known = {number: position for number, position in positions.items() if position is not None}
    wanted = [_identity(model, rows.iloc[position]) for position in known.values()]
    lines = dict(zip(known, model.source.lines(wanted), strict=True)) if wanted else {}
    results = [
        replace(result, found=f"{result.found}, the first in {line}") if (line := lines.get(id(result))) else result
        for result in report.results
    ]
    return replace(report, results=results)


def _identity(model: "Model", row: "pd.Series[Any]") -> dict[str, Any]:
    """The values of a row that the model reads."""
    return {str(name): value for name, value in row.items() if name in model.read_columns}


def _position(model: "Model", rows: pd.DataFrame, result: Result, report: Report) -> int | None:
    """The first row that fails."""
    if result.type != "schema":
        return report.first.get((result.type, result.column)) if report.rows == len(rows) else None
    parser = model.parsing.get(result.column)
    inputs = parser.inputs(result.column) if parser else [result.column]
    if not {*inputs} <= {*rows.columns}:
        return None
    low, high = 0, len(rows)  # the rows before `low` fit, and those before `high` do not
    while high - low > 1:
        middle = (low + high) // 2
        if _fits(model, rows.iloc[low:middle], result.column):
            low = middle
        else:
            high = middle
    return None if _fits(model, rows.iloc[low:high], result.column) else low


def _fits(model: "Model", rows: pd.DataFrame, column: str) -> bool:
    return not any(problem.column == column for problem in cast(rows, model, [column])[1])
