"""What a column holds, guessed from a sample of its values: its kind, and how its times are written."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from evergreen.model import Kind

ISO = "ISO8601"
_DAYS = [
    *["%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%d/%m/%y", "%m/%d/%y"],
    *["%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y"],
]
_HOURS = ["", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p"]
_WHOLE = ["%Y%m%d", "%Y%m", "%Y"]  # times that are whole numbers
_WORDY = 40  # characters a value has on average, from which on it is prose
_MANY = 50  # different numbers written as text, from which on they are no codes


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
    if found == "integer":
        return "number" if values.isna().any() else "integer"
    if found == "string":
        return _text(values.dropna().astype("str"))
    if found in ("mixed", "mixed-integer"):
        scalar = values.dropna().map(pd.api.types.is_scalar).all()
        return "category" if scalar and not values.map(lambda one: isinstance(one, bytes)).any() else None
    return _KINDS.get(found)


def time_format(values: pd.Series) -> str | None:
    """Say how times are written as text or as whole numbers: a format for strptime, or `ISO`.

    Where day and month could be either, the order that makes the values ascend more steadily is
    taken.

    Examples
    --------
    >>> time_format(pd.Series(["31/01/2013", "01/02/2013"]))
    '%d/%m/%Y'
    >>> time_format(pd.Series([2013, 2014]))
    '%Y'
    """
    present = values.dropna()
    if pd.api.types.infer_dtype(present) == "integer":
        return next((one for one in _WHOLE if _reads(present, one) and _plausible(present, one)), None)
    text = present.astype("str").drop_duplicates()
    if text.empty or not _digits(text):
        return None
    if text.str.match(r"\d{4}-\d{2}-\d{2}").all() and _reads(text, ISO):
        return ISO
    fitting = [day + hour for day in _DAYS for hour in _HOURS if _reads(text, day + hour)]
    return max(fitting, key=lambda one: _steadiness(text, one), default=None)


def ambiguous(values: pd.Series, format: str) -> bool:
    """Whether day and month could as well be the other way round."""
    other = format.replace("%d", "%?").replace("%m", "%d").replace("%?", "%m")
    return other in {day + hour for day in _DAYS for hour in _HOURS} and _reads(values.dropna().astype("str"), other)


def moments(values: pd.Series, format: str | None) -> pd.Series:
    """The times of a column in UTC; those without a zone are taken as UTC."""
    if format is None:
        return pd.to_datetime(values, utc=True)
    text = values.astype("str").where(values.notna())
    return pd.to_datetime(text, format=format, utc=True, errors="coerce")


def finite(values: pd.Series) -> bool:
    """Whether no value is infinite."""
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype="float64", na_value=np.nan)
    return not np.isinf(numbers).any()


_KINDS: dict[str, Any] = {
    "boolean": "boolean",
    "floating": "number",
    "mixed-integer-float": "number",
    "decimal": "number",
    "categorical": "category",
    "datetime": "datetime",
    "datetime64": "datetime",
    "date": "datetime",
}


def _text(text: "pd.Series[str]") -> "Kind":
    if time_format(text):
        return "datetime"
    if text.nunique() > _MANY and pd.to_numeric(text, errors="coerce").notna().all():
        return "number"
    return "text" if text.str.len().mean() > _WORDY else "category"


def _digits(text: "pd.Series[str]") -> bool:
    """A cheap look first: most text is no time."""
    return bool(text.head(100).str.contains(r"\d{1,4}.*\d{2}", regex=True).all())


def _reads(values: pd.Series, format: str) -> bool:
    few = values.head(20)
    return all(
        bool(pd.to_datetime(part.astype("str"), format=format, errors="coerce", utc=True).notna().all())
        for part in (few, values)
    )


def _plausible(whole: pd.Series, format: str) -> bool:
    years = pd.to_datetime(whole.astype("str"), format=format).dt.year
    return bool(years.between(1900, 2100).all())


def _steadiness(text: "pd.Series[str]", format: str) -> float:
    times = pd.to_datetime(text, format=format, utc=True)
    return float((times.diff().dropna() >= pd.Timedelta(0)).mean())
