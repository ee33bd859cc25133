"""Guesses about a column from a sample: its kind, its time format, whether it can be a feature."""

import re
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from evergreen.definition.kinds.register import KINDS
from evergreen.definition.parsing.number_format import NumberFormat
from evergreen.definition.parsing.parser import Parser
from evergreen.definition.parsing.text_format import TextFormat
from evergreen.definition.parsing.time_format import TimeFormat
from evergreen.evaluation.leakage import separation
from evergreen.scaffold.reading import numbers as numbers_of
from evergreen.scaffold.reading import times

if TYPE_CHECKING:
    from evergreen.definition.options import Kind

_NUMBERED = r"[+-]?0\d+|.*[_ ].*"  # a code such as 007, which is no number
_WHOLE = r"[+-]?\d+"
_FRACTION = r"\s*[+-]?(?:\d+\.(?:\d{1,2}|\d{4,})|(?:0|\d{4,})\.\d+)\s*"
_WORDY = 40  # average characters of a value, above which a column is free text
_LEAKING = 0.999  # share of the target that a single column explains
_SUSPECT = 0.98  # share to which a single column separates classes, above which it is probably known only after them
_JUDGED = 8  # classes, each of which a column may separate from the others
_SPREAD = 100  # whole numbers between the least and the largest for each that occurs, above which they are no counts
_COUNTS = 6  # different whole numbers, from which on their frequencies have a shape
_NAMING = 0.5  # share of different values above which a column names single rows
_FEW_NAMES = 100  # and that is told only of more values than this
_RISING = 0.99  # rank correlation with the time, above which an identifier only counts the events
_NEWEST = 0.1  # share of the rows, the newest, that a column must have a value in
_THINGS = (
    "user|order|customer|item|product|store|shop|client|account|session|trip|device|sensor|station|row|invoice|loan"
)
THING_WORDS = re.compile(  # in a name as `calendar_parts.spelt` has it: what it names comes again in other events
    r"(^|_)(user|customer|client|patient|person|member|employee|driver|account|subscriber|product|article|sku|store|shop"
    r"|site|location|device|sensor|station|meter|machine|engine|vehicle|car|merchant|vendor|supplier)(_|id|no|nr|$)"
)
ID_WORDS = re.compile(
    r"(?i:(^|[_ ])(id|ids|key|uuid|guid|no|nr|number|code)$)|[a-z](Id|Key|No|Nr|Number|Code)$|ID$"
    rf"|(?i:(^|_)({_THINGS})(id|no|nr|number|code)$)"
)
_UNKNOWN = frozenset({"na", "n/a", "nan", "null", "?", "-", "--", ".", "#n/a", "(null)", "\\n"})
_KINDS = {name: kind.name for kind in KINDS.values() for name in kind.inferred}


@dataclass(frozen=True)
class Reading:
    """What a column holds.

    Attributes
    ----------
    kind : str or None
        None if all values are missing, or are not numbers, texts or times.
    values : Series
        Typed; times in UTC.
    parser : Parser or None
        How values are read that are not plain.
    note : str
        What a person should know of the reading.
    doubt : str
        Another format of times that the rows speak for just as well.
    """

    kind: "Kind | None"
    values: pd.Series
    parser: Parser | None = None
    note: str = ""
    doubt: str = ""


def read(rows: pd.DataFrame, *, comma: bool = False) -> dict[str, Reading]:
    """What each column of a sample holds.

    Parameters
    ----------
    rows : DataFrame
    comma : bool
        Whether a semicolon stands between values, as where a comma stands before a fraction.
    """
    readings = {str(name): reading(values) for name, values in rows.items()}
    numeric = [name for name, found in readings.items() if found.kind == "number"]
    formats = {name: parser for name in numeric if isinstance(parser := readings[name].parser, NumberFormat)}
    if comma and formats and not any(_has_point(rows[name]) for name in numeric if name not in formats):
        readings |= {name: reading(rows[name], comma=True) for name in formats}
    if any(isinstance(found.parser, NumberFormat) and found.parser.decimal == "," for found in readings.values()):
        # then 38,752 is no thousand either, and 38.752 is one
        readings |= {name: reading(rows[name], comma=True, thousands=True) for name in numeric}
    return readings


def _has_point(values: pd.Series) -> bool:
    """Whether a column of text has a point that stands before a fraction, not between thousands."""
    return bool(pd.api.types.is_string_dtype(values) and values.astype("str").str.fullmatch(_FRACTION).any())


def reading(values: pd.Series, *, comma: bool = False, thousands: bool = False) -> Reading:
    """What a column of a sample holds.

    Parameters
    ----------
    values : Series
    comma, thousands : bool
        Whether a comma before three digits stands before a fraction, and a point before three digits before thousands.

    Examples
    --------
    >>> [reading(pd.Series(some)).kind for some in ([1.5, None], ["b", "a"], ["2013-01-31"], ["7", "8"], ["$1", "$2"])]
    ['number', 'category', 'datetime', 'integer', 'number']
    """
    inferred = pd.api.types.infer_dtype(values, skipna=True)
    if inferred != "string":
        return Reading(_KINDS.get(inferred), values)
    text = values.astype("str").str.strip().where(values.notna())
    known = text.dropna()
    plain = pd.to_numeric(known, errors="coerce")
    if thousands and numbers_of.are_thousands(known):
        return _of_words(values, text, known, comma=True)
    if np.isfinite(plain).all() and not known.str.fullmatch(_NUMBERED).any():
        return _of_numbers(text, known, plain)
    if known.str.lower().isin(("true", "false")).all():
        return Reading("boolean", text.str.lower().map({"true": True, "false": False}).astype("boolean"))
    return _of_words(values, text, known, comma=comma)


def _of_numbers(text: pd.Series, known: pd.Series, plain: pd.Series) -> Reading:
    number = Reading("number", plain.astype("float64").reindex(text.index))
    if not known.head(1).str.fullmatch(_WHOLE).all() or not known.str.fullmatch(_WHOLE).all():
        return number
    exact = pd.to_numeric(text, dtype_backend="numpy_nullable")  # whole ones are not read through floats
    if exact.dtype != "Int64":
        return number
    return Reading("integer", exact.astype("int64") if len(known) == len(text) else exact)


def _of_words(values: pd.Series, text: pd.Series, known: pd.Series, *, comma: bool) -> Reading:
    found = times.find(known)
    if found:
        parser = None if found.format == times.ISO else TimeFormat(format=found.format)
        return Reading("datetime", times.timestamps(text, found.format), parser, found.why, found.doubt)
    number = numbers_of.find(known, comma=comma)
    if number:
        return Reading("number", number[0].series([text], "UTC")[0], number[0], number[1])
    return Reading(
        "text" if known.str.len().mean() > _WORDY else "category", values.astype("str").where(values.notna())
    )


def without_absent_class(label: Reading) -> Reading:
    """A target of classes without the words that stand for a class that is not known.

    Examples
    --------
    >>> without_absent_class(reading(pd.Series(["Yes", "No", "NA", "Yes"]))).note
    "read as missing: 'NA' in 1 of 4 rows"
    """
    if label.kind != "category" or label.parser:
        return label
    words = sorted({word for word in label.values.dropna().unique() if word.lower() in _UNKNOWN})
    absent = label.values.isin(words)
    if not words or label.values[~absent].nunique() < 2:
        return label
    shown = ", ".join(f"{word!r} in {(label.values == word).sum():,}" for word in words)
    note = f"read as missing: {shown} of {len(absent):,} rows"
    return replace(reading(label.values.mask(absent)), parser=TextFormat(missing=words), note=note)


def numbers(values: pd.Series) -> pd.Series:
    """The numbers of a column as floats; one of thousands of digits is infinite."""
    if values.dtype == np.float64:
        return values
    found = pd.to_numeric(values, errors="coerce").astype("float64")
    return found.mask(found.isna() & values.notna(), np.inf)


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
        return numbers_of.words_among(values) or "different in every row"
    if kind == "integer" and different == len(values) and values.max() - values.min() < 2 * total:
        return "numbers the rows"
    known = int(values.notna().sum())
    if different > max(_FEW_NAMES, _NAMING * known) and (kind == "category" or _names_rows(values, kind)):
        words = numbers_of.words_among(values) if kind == "category" else ""
        return words or f"names single rows: {different:,} different values in {known:,} rows"
    return ""


def _names_rows(values: pd.Series, kind: "Kind | None") -> bool:
    """Whether whole numbers are called an identifier."""
    return kind == "integer" and ID_WORDS.search(str(values.name)) is not None


def counted(values: pd.Series, kind: "Kind | None", times: "pd.Series[pd.Timestamp]") -> str:
    """Why an identifier that is a whole number and grows with the time is no feature; empty if it is none.

    Parameters
    ----------
    values : Series
    kind : str or None
    times : Series of Timestamp
        Of the same rows.
    """
    if kind != "integer" or not ID_WORDS.search(str(values.name)) or values.nunique() <= _FEW_NAMES:
        return ""
    return "an identifier that grows with the time" if numbers(values).corr(times.rank(), "spearman") > _RISING else ""


def rises(values: pd.Series, times: pd.Series) -> bool:
    """Whether a column rises or falls with the time, as nearly as its equal values allow.

    Examples
    --------
    >>> days = pd.Series(pd.date_range("2024-11-01", periods=300))
    >>> rises(days.dt.year, days), rises(days.dt.day, days)
    (True, False)
    """
    known = values.notna()
    ranks, moments = values[known].rank(), times[known].rank()
    most = np.corrcoef(np.sort(ranks), np.sort(moments))[0, 1] if ranks.nunique() > 1 < moments.nunique() else np.nan
    return bool(abs(np.corrcoef(ranks, moments)[0, 1]) > _RISING * most) if most > 0 else False


def ended(values: pd.Series, times: "pd.Series[pd.Timestamp]") -> str:
    """Since when a column has no value any more; empty if it still has some.

    Parameters
    ----------
    values : Series
    times : Series of Timestamp
        Of the same rows.
    """
    newest = times >= times.sort_values().iloc[int((1 - _NEWEST) * len(times))]
    if values[newest].notna().any() or values.isna().all():
        return ""
    return f"no value since {times[values.notna()].max():%Y-%m-%d}"


def are_counts(values: pd.Series) -> bool:
    """Whether a few different whole numbers count or grade something, and are no classes: they have a single peak.

    A rise after a fall counts only beyond chance, at three standard errors of a Poisson count.

    Examples
    --------
    >>> from itertools import chain, repeat
    >>> numbers = lambda *times: pd.Series(list(chain.from_iterable(map(repeat, range(len(times)), times))))
    >>> [are_counts(numbers(*times)) for times in ((90, 50, 20, 9, 2, 3), (90, 10), (90, 10, 90, 80, 10, 90))]
    [True, False, False]
    """
    found = values.value_counts().sort_index()
    if len(found) < _COUNTS or found.index.max() - found.index.min() > _SPREAD * len(found):
        return False
    shape = found.reindex(range(int(found.index.min()), int(found.index.max()) + 1), fill_value=0).to_numpy()
    peak, steps = int(shape.argmax()), np.diff(shape)
    noise = 3 * np.sqrt(shape[:-1] + shape[1:])
    uneven = shape.max() > _COUNTS * shape.min()
    return bool(uneven and (steps[:peak] >= -noise[:peak]).all() and (steps[peak:] <= noise[peak:]).all())


def leaking(rows: pd.DataFrame, features: "dict[str, Kind]", target: str, task: str) -> dict[str, str]:
    """Features that determine the target, alone or together, and how."""
    numeric = [name for name, kind in features.items() if kind == "number"]
    table = {name: numbers(rows[name]) if name in numeric else rows[name].astype("str") for name in features}
    frame = pd.DataFrame(table).reset_index(drop=True)
    regression = task == "regression"
    answer = numbers(rows[target]).to_numpy() if regression else pd.factorize(rows[target], sort=True)[0]
    asked: Any = SimpleNamespace(task=task, features=list(features), seed=0)
    shares = separation(asked, frame, answer)
    for place in _classes(answer) if not regression else []:
        of_class = separation(asked, frame, (answer == place).astype(int))
        shares = {name: max(share, of_class.get(name, 0.0)) for name, share in shares.items()}
    alone = {name: "it alone determines the target" for name, share in shares.items() if share >= _LEAKING}
    suspects = {
        name: f"it alone separates the target to {share:.3f}: is it known before?"
        for name, share in shares.items()
        if not regression and share >= _SUSPECT
    }
    parts = _parts(frame[numeric], answer) if regression else []
    return dict.fromkeys(parts, f"the target is a sum of {', '.join(parts)}") | suspects | alone


def _classes(answer: Any) -> list[int]:
    """The commonest classes; none where two are told apart as one."""
    places, counts = np.unique(answer[answer >= 0], return_counts=True)
    return places[np.argsort(-counts)][:_JUDGED].tolist() if len(places) > 2 else []


def _parts(table: pd.DataFrame, answer: Any, most: int = 5000) -> list[str]:
    """Columns of which the target is an exact weighted sum."""
    whole = np.column_stack([*(table[name].to_numpy(dtype=np.float64) for name in table), answer])
    whole = whole[np.isfinite(whole).all(axis=1)][:most]
    if len(whole) < 5 * whole.shape[1]:
        return []
    whole = whole / np.abs(whole).max(axis=0, initial=1e-300)  # so that no sum of squares overflows
    spread = whole.std(axis=0)
    scaled = (whole - whole.mean(axis=0)) / np.where(spread == 0, 1, spread)
    weights, *_ = np.linalg.lstsq(scaled[:, :-1], scaled[:, -1], rcond=None)
    if np.abs(scaled[:, -1] - scaled[:, :-1] @ weights).max() > 1e-6:
        return []
    return [str(name) for name, weight in zip(table, weights, strict=True) if abs(weight) > 1e-6]
