"""Guesses about a column from a sample: its kind, its time format, whether it can be a feature."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pandas.tseries.api import guess_datetime_format

from evergreen.definition.kinds.register import KINDS
from evergreen.evaluation.leakage import separation

if TYPE_CHECKING:
    from evergreen.definition.options import Kind

ISO = "ISO8601"
_WHOLE = ("%Y%m%d", "%Y%m", "%Y")  # times that are whole numbers
_WORDY = 40  # average characters of a value, above which a column is free text
_LEAKING = 0.999  # share of the target that a single column explains
_KINDS = {name: kind.name for kind in KINDS.values() for name in kind.inferred}


def guess_kind(values: pd.Series) -> "Kind | None":
    """Guess the kind of a column.

    Parameters
    ----------
    values : Series
        A sample, as read by pandas.

    Returns
    -------
    str or None
        None if all values are missing, or are not numbers, texts or times.

    Examples
    --------
    >>> guess_kind(pd.Series([1.5, None])), guess_kind(pd.Series(["b", "a"])), guess_kind(pd.Series(["2013-01-31"]))
    ('number', 'category', 'datetime')
    """
    inferred = pd.api.types.infer_dtype(values, skipna=True)
    if inferred != "string":
        return _KINDS.get(inferred)
    if time_format(values) == ISO:
        return "datetime"
    return "text" if values.dropna().str.len().mean() > _WORDY else "category"


def time_format(values: pd.Series) -> str | None:
    """The format of times written as text or as whole numbers: a format for strptime, or `ISO`.

    If day and month are ambiguous, the order with which more values ascend is chosen.

    Examples
    --------
    >>> time_format(pd.Series(["31/01/2013", "01/02/2013"])), time_format(pd.Series([2013, 2014]))
    ('%d/%m/%Y', '%Y')
    """
    text = values.dropna().drop_duplicates().astype("str")
    if text.empty or not text.iloc[0][:1].isdigit():
        return None
    if pd.api.types.infer_dtype(values, skipna=True) == "integer":
        return next((format for format in _WHOLE if timestamps(text, format).dt.year.between(1900, 2100).all()), None)
    if text.str.match(r"\d{4}-\d{2}-\d{2}").all() and timestamps(text, ISO).notna().all():
        return ISO
    guesses = [guess_datetime_format(text.iloc[0], dayfirst=dayfirst) for dayfirst in (False, True)]
    fitting = [guess for guess in guesses if guess and timestamps(text, guess).notna().all()]
    return max(fitting, key=lambda guess: (timestamps(text, guess).diff() > pd.Timedelta(0)).mean(), default=None)


def timestamps(values: pd.Series, format: str | None) -> pd.Series:
    """The times of a column in UTC, NaT if missing; a time without a zone counts as UTC."""
    text = values if format is None else values.astype("str").where(values.notna())
    return pd.to_datetime(text, format=format, utc=True, errors="coerce")


def numbers(values: pd.Series) -> pd.Series:
    """The numbers of a column as floats."""
    return pd.to_numeric(values).astype("float64")


def why_useless(values: pd.Series, kind: "Kind | None", total: int) -> str:
    """Why a column of a table with this many rows cannot be a feature; empty if it can."""
    if kind is None:
        return "all missing" if values.isna().all() else "neither numbers nor text"
    different = values.nunique()
    if different < 2:
        return "constant"
    if kind == "number" and np.isinf(numbers(values)).any():
        return "infinite in some rows"
    if kind == "datetime":
        return "a time; derive a number from it, such as days since then"
    if kind == "category" and different == len(values):
        return "different in every row"
    if kind == "integer" and different == len(values) and values.max() - values.min() < 2 * total:
        return "numbers the rows"
    return ""


def leaking(rows: pd.DataFrame, features: "dict[str, Kind]", target: str, task: str) -> dict[str, str]:
    """Features that determine the target, alone or together, and how."""
    numeric = [name for name, kind in features.items() if kind == "number"]
    table = {name: numbers(rows[name]) if name in numeric else rows[name].astype("str") for name in features}
    frame = pd.DataFrame(table).reset_index(drop=True)
    regression = task == "regression"
    answer = numbers(rows[target]).to_numpy() if regression else pd.factorize(rows[target], sort=True)[0]
    asked: Any = SimpleNamespace(task=task, features=list(features), seed=0)
    alone = [name for name, share in separation(asked, frame, answer).items() if share >= _LEAKING]
    parts = _parts(frame[numeric], answer) if regression else []
    return dict.fromkeys(parts, f"the target is a sum of {', '.join(parts)}") | dict.fromkeys(
        alone, "it alone determines the target"
    )


def _parts(table: pd.DataFrame, answer: Any, most: int = 5000) -> list[str]:
    """Columns of which the target is an exact weighted sum."""
    whole = table.assign(answer_=answer).dropna().head(most)
    if len(whole) < 5 * whole.shape[1]:
        return []
    scaled = ((whole - whole.mean()) / whole.std().replace(0, 1)).to_numpy()
    weights, *_ = np.linalg.lstsq(scaled[:, :-1], scaled[:, -1], rcond=None)
    if np.abs(scaled[:, -1] - scaled[:, :-1] @ weights).max() > 1e-6:
        return []
    return [str(name) for name, weight in zip(table, weights, strict=True) if abs(weight) > 1e-6]
