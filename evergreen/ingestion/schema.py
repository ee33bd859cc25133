"""The declared schema: casting what a source gave to it, and saying what does not fit."""

import difflib
from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from evergreen.ingestion.contract import Result

if TYPE_CHECKING:
    from evergreen.definition.model import Model
    from evergreen.definition.options import Kind


def cast(rows: pd.DataFrame, model: "Model", only: Collection[str] | None = None) -> tuple[pd.DataFrame, list[Result]]:
    """Cast rows to the declared columns and kinds.

    Parameters
    ----------
    rows : DataFrame
        As the source gave them.
    model : Model
        Whose declaration they shall meet.
    only : collection of str, optional
        Of the declared columns; all by default.

    Returns
    -------
    cast : DataFrame
        The declared columns in their order; where a column does not fit, it stays as it came.
    problems : list of Result
        Empty if everything fits.

    Notes
    -----
    Undeclared columns are left out. A missing label is not a problem: it is not known yet.
    """
    wanted = {column: kind for column, kind in model.columns.items() if only is None or column in only}
    problems = [_absent(column, rows, model) for column in wanted if column not in rows.columns]
    columns = {}
    for column, kind in wanted.items():
        if column in rows.columns:
            columns[column], problem = _cast(rows[column], kind, model.timezone, column == model.target)
            told = problem.partition(": ")[0] if column in model.serving.private else problem
            problems += [_problem(column, kind, told)] if problem else []
    return pd.DataFrame(columns), problems


def _absent(column: str, rows: pd.DataFrame, model: "Model") -> Result:
    others = [str(other) for other in rows.columns if other not in model.columns]
    near = difflib.get_close_matches(column, others, n=1, cutoff=0.6)
    hint = f"; did {near[0]!r} take its place?" if near else f"; undeclared: {others or 'none'}"
    return _problem(column, model.columns[column], f"no such column{hint}")


def _problem(column: str, kind: "Kind", found: str) -> Result:
    return Result("schema", column, success=False, warn=False, expected=f"a column of kind {kind}", found=found)


def _cast(values: pd.Series, kind: "Kind", timezone: str, nullable: bool) -> tuple[pd.Series, str]:
    if kind == "number":
        return _number(values)
    if kind == "integer":
        return _integer(values, nullable)
    if kind == "datetime":
        return moments(values, timezone)
    if kind == "boolean":
        return _boolean(values)
    return _string(values), ""


def _bad(values: pd.Series, bad: "pd.Series[bool]", what: str) -> str:
    examples = ", ".join(repr(value) for value in values[bad].head(3).tolist())
    return f"{int(bad.sum()):,} of {len(values):,} rows {what}: {examples}"


def _number(values: pd.Series) -> tuple[pd.Series, str]:
    if values.dtype.kind in "mM":
        return values, _bad(values, values.notna(), "are times, not numbers")
    numbers = pd.to_numeric(values, errors="coerce").astype("float64")
    unread = numbers.isna() & values.notna()
    if unread.any():
        return values, _bad(values, unread, "hold no number")
    infinite = pd.Series(np.isinf(numbers.to_numpy()), index=values.index, dtype="bool")
    if infinite.any():
        return values, _bad(values, infinite, "are infinite")
    return numbers, ""


def _integer(values: pd.Series, nullable: bool) -> tuple[pd.Series, str]:
    if values.dtype.kind == "i" and not values.isna().any():
        return values.astype("Int64" if nullable else "int64"), ""  # not through floats, which end at 2**53
    numbers, problem = _number(values)
    if problem:
        return values, problem
    broken = numbers.notna() & (numbers % 1 != 0)
    if broken.any():
        return values, _bad(values, broken, "are not whole")
    if nullable:
        return numbers.astype("Int64"), ""
    if numbers.isna().any():
        return values, _bad(values, numbers.isna(), "are missing; declare the column a number if that is right")
    return numbers.astype("int64"), ""


def _boolean(values: pd.Series) -> tuple[pd.Series, str]:
    words = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}
    cast = values.astype("str").str.lower().map(words).where(values.notna()).astype("boolean")
    unread = cast.isna() & values.notna()
    return (values, _bad(values, unread, "are neither true nor false")) if unread.any() else (cast, "")


def _string(values: pd.Series) -> pd.Series:
    text = values.where(values.notna(), None).astype("str")
    # Whole numbers with gaps come as floats: 7 and 7.0 must not be two keys or categories.
    return text.str.removesuffix(".0") if values.dtype.kind == "f" else text


def moments(values: pd.Series, timezone: str) -> tuple[pd.Series, str]:
    """Cast times to UTC; those without a zone are in `timezone`. Else say what does not fit."""
    if not isinstance(values.dtype, pd.DatetimeTZDtype) and values.dtype.kind != "M":
        values, problem = _parsed(values)
        if problem:
            return values, problem
    if values.dt.tz is None:
        local = values.dt.tz_localize(timezone, ambiguous="NaT", nonexistent="shift_forward")
        unclear = local.isna() & values.notna()
        if unclear.any():
            return values, _bad(values, unclear, f"are ambiguous in {timezone} (clocks set back); give them a zone")
        values = local
    return values.dt.tz_convert("UTC").dt.as_unit("us"), ""


def _parsed(values: pd.Series) -> tuple[pd.Series, str]:
    present = values.dropna().astype("str")
    zoned = present.str.contains(r"(?:Z|:\d{2}(?:\.\d+)?[+-]\d{2}|[+-]\d{2}:?\d{2})$", regex=True)
    if zoned.any() and not zoned.all():
        return values, _bad(values.dropna(), ~zoned, "have no time zone while others do")
    times = pd.to_datetime(
        values.astype("str").where(values.notna()), errors="coerce", format="ISO8601", utc=bool(zoned.any())
    )
    unread = times.isna() & values.notna()
    return (values, _bad(values, unread, "are no ISO 8601 time")) if unread.any() else (times, "")
