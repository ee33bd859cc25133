"""What a column holds, guessed from a sample: its kind, how its times are written, whether it can be a feature."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pandas.tseries.api import guess_datetime_format

from evergreen.definition.kinds.table import KINDS
from evergreen.evaluation.leakage import separation

if TYPE_CHECKING:
    from evergreen.definition.options import Kind

ISO = "ISO8601"
_WHOLE = ("%Y%m%d", "%Y%m", "%Y")  # times that are whole numbers
_WORDY = 40  # characters a value has on average, from which on it is prose
_LEAKING = 0.999  # of the target, explained by a single column
_KINDS = {name: kind.name for kind in KINDS.values() for name in kind.inferred}


def kind_of(values: pd.Series) -> "Kind | None":
    """Guess the kind of a column.

    Parameters
    ----------
    values : Series
        A sample; as pandas read it.

    Returns
    -------
    str or None
        None if all is missing, or nothing that a table of numbers, words and times can hold.

    Examples
    --------
    >>> kind_of(pd.Series([1.5, None])), kind_of(pd.Series(["b", "a"])), kind_of(pd.Series(["2013-01-31"]))
    ('number', 'category', 'datetime')
    """
    found = pd.api.types.infer_dtype(values, skipna=True)
    if found != "string":
        return _KINDS.get(found)
    if time_format(values) == ISO:
        return "datetime"
    return "text" if values.dropna().str.len().mean() > _WORDY else "category"


def time_format(values: pd.Series) -> str | None:
    """Say how times are written as text or as whole numbers: a format for strptime, or `ISO`.

    Where day and month could be either, the order that makes the values ascend more steadily is
    taken.

    Examples
    --------
    >>> time_format(pd.Series(["31/01/2013", "01/02/2013"])), time_format(pd.Series([2013, 2014]))
    ('%d/%m/%Y', '%Y')
    """
    text = values.dropna().drop_duplicates().astype("str")
    if text.empty or not text.iloc[0][:1].isdigit():
        return None
    if pd.api.types.infer_dtype(values, skipna=True) == "integer":
        return next((one for one in _WHOLE if moments(text, one).dt.year.between(1900, 2100).all()), None)
    if text.str.match(r"\d{4}-\d{2}-\d{2}").all() and moments(text, ISO).notna().all():
        return ISO
    guesses = [guess_datetime_format(text.iloc[0], dayfirst=dayfirst) for dayfirst in (False, True)]
    fitting = [one for one in guesses if one and moments(text, one).notna().all()]
    return max(fitting, key=lambda one: (moments(text, one).diff() > pd.Timedelta(0)).mean(), default=None)


def moments(values: pd.Series, format: str | None) -> pd.Series:
    """The times of a column in UTC, NaT where there is none; those without a zone are taken as UTC."""
    text = values if format is None else values.astype("str").where(values.notna())
    return pd.to_datetime(text, format=format, utc=True, errors="coerce")


def numbers(values: pd.Series) -> pd.Series:
    """The numbers of a column as floats."""
    return pd.to_numeric(values).astype("float64")


def useless(values: pd.Series, kind: "Kind | None", total: int) -> str:
    """Why a column of a table of so many rows can be no feature; empty if it can."""
    if kind is None:
        return "all missing" if values.isna().all() else "neither numbers nor words"
    different = values.nunique()
    if different < 2:
        return "constant"
    if kind == "number" and np.isinf(numbers(values)).any():
        return "infinite in some rows"
    if kind == "datetime":
        return "a time; what tells is a number made of it, such as days since then"
    if kind == "category" and different == len(values):
        return "different in every row"
    if kind == "integer" and different == len(values) and values.max() - values.min() < 2 * total:
        return "counts the rows"
    return ""


def leaking(rows: pd.DataFrame, features: "dict[str, Kind]", target: str, task: str) -> dict[str, str]:
    """Features that say what the target is, alone or as its parts, and how."""
    numeric = [name for name, kind in features.items() if kind == "number"]
    table = {name: numbers(rows[name]) if name in numeric else rows[name].astype("str") for name in features}
    frame = pd.DataFrame(table).reset_index(drop=True)
    regression = task == "regression"
    answer = numbers(rows[target]).to_numpy() if regression else pd.factorize(rows[target], sort=True)[0]
    asked: Any = SimpleNamespace(task=task, features=list(features), seed=0)
    alone = [name for name, share in separation(asked, frame, answer).items() if share >= _LEAKING]
    parts = _parts(frame[numeric], answer) if regression else []
    return dict.fromkeys(parts, f"the target is made of {', '.join(parts)}") | dict.fromkeys(
        alone, "it alone says what the target is"
    )


def _parts(table: pd.DataFrame, answer: Any, most: int = 5000) -> list[str]:
    """Columns of which the target is a weighted sum, exactly: parts of what is to be predicted."""
    whole = table.assign(answer_=answer).dropna().head(most)
    if len(whole) < 5 * whole.shape[1]:
        return []
    scaled = ((whole - whole.mean()) / whole.std().replace(0, 1)).to_numpy()
    weights, *_ = np.linalg.lstsq(scaled[:, :-1], scaled[:, -1], rcond=None)
    if np.abs(scaled[:, -1] - scaled[:, :-1] @ weights).max() > 1e-6:
        return []
    return [str(name) for name, weight in zip(table, weights, strict=True) if abs(weight) > 1e-6]
