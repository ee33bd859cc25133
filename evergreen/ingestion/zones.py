"""Whether the times of a source have a zone, beside those that came before."""

from typing import TYPE_CHECKING

import pandas as pd

from evergreen.definition.parsing import columns as parsing
from evergreen.errors import SourceShapeError
from evergreen.ingestion.contract import Result
from evergreen.lake.lake import Lake

if TYPE_CHECKING:
    from evergreen.definition.model import Model

WITH, WITHOUT = "with a zone", "without a zone"
NOTE = "times"  # of a commit: how the times of its batch came
_LOOKED_AT = 1_000  # rows
_ENDING = r"(?:[Zz]|\d[+-]\d{2}(?::?\d{2})?)$"


def written(model: "Model", rows: pd.DataFrame) -> str:
    """`WITH` or `WITHOUT`, as the times of rows came; empty where nothing tells, as for dates."""
    parser = {model.time: model.parsing[model.time]} if model.time in model.parsing else {}
    read, problems = parsing.read(rows.head(_LOOKED_AT), parser, "UTC")
    if problems or model.time not in read or not len(values := read[model.time].dropna()):
        return ""
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return WITH
    if values.dtype.kind == "M":
        return "" if (values.dt.normalize() == values).all() else WITHOUT
    text = values.astype("str")
    return WITH if text.str.contains(_ENDING).all() else WITHOUT if text.str.contains(":").all() else ""


def contradiction(model: "Model", lake: Lake, rows: pd.DataFrame) -> str:
    """How times came before, if the model file does not say their zone and these came otherwise; else empty."""
    if "timezone" in model.model_fields_set or not lake.exists(model.name):
        return ""
    before, now = lake.noted(model.name, NOTE), written(model, rows)
    return before if before and now and before != now else ""


def compared(model: "Model", lake: Lake, rows: pd.DataFrame) -> list[Result]:
    """A failure of the contract if times come otherwise than before."""
    before = contradiction(model, lake, rows)
    if not before:
        return []
    found = f"{WITHOUT if before == WITH else WITH}; `timezone` in the model file says what times without a zone mean"
    return [Result("time zone", model.time, success=False, warn=False, expected=f"{before}, as before", found=found)]


def require_alike(model: "Model", lake: Lake, rows: pd.DataFrame) -> None:
    """Refuse rows to score whose times came otherwise than those of the lake.

    Raises
    ------
    SourceShapeError
        Some have a zone, and others none.
    """
    before = contradiction(model, lake, rows)
    if before:
        raise SourceShapeError(
            f"{model.name}: {model.time!r} of the input is {WITHOUT if before == WITH else WITH}, and the rows of the "
            f"lake came {before}. Write them alike, or say in the model file what times without a zone mean: timezone."
        )
