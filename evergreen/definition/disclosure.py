"""What may be shown of a column outside the rows themselves; the only place that decides it.

Records (audit lines, events, logs, states of runs, tags, metrics, errors) hold names of columns and counts, never a
value of a row. Reports that stand beside the rows (a batch in quarantine) may hold a few examples, of columns that
identify nobody. Artifacts and pages hold summaries. ``docs/how-to/private-data.md`` lists the decisions.
"""

import os
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from traceback import extract_tb, print_exception
from typing import TYPE_CHECKING, Any, Protocol

from evergreen.definition.options import MIN_GROUP_SIZE, Kind, Serving

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

HIDDEN = "…"  # in place of a value in a message
_LONGEST = 200  # characters of a library's message
_QUOTED = re.compile(r"(?<!\w)(['\"])(.*?)\1(?!\w)")
_NUMBER = re.compile(r"(?<![\w.])[-+]?\d[\d_,]*(?:\.\d+)?(?:[eE][-+]?\d+)?")
_MOST = 0.9  # of the rows that share a value with others: then the column holds codes, not measures
# To the next note, line or end of a JSON text; a value that holds one of these ends it too early.
_OLD_EXAMPLES = re.compile(r"(\b\d[\d,]* (?:of \d[\d,]* rows(?: [a-z0-9 ]+)?|distinct values)): [^;\n\"\\<]+")
_OLD_EXTREMES = re.compile(r": [-+.\de]+, far outside of [-+.\de]+ to [-+.\de]+")
_DIGITS = 4  # a number with fewer is a count, a shape or a line


class Columns(Protocol):
    """What decides: the declared columns, and which of them are private."""

    @property
    def key(self) -> list[str]:
        """The columns that identify a row."""
        ...

    @property
    def columns(self) -> "Mapping[str, Kind]":
        """Every declared column and its kind."""
        ...

    @property
    def serving(self) -> Serving:
        """Names the private columns."""
        ...


def without_examples(model: Columns) -> frozenset[str]:
    """The columns of which no report shows an example: keys, texts, private columns."""
    texts = {name for name, kind in model.columns.items() if kind == "text"}
    return frozenset({*model.key, *texts, *model.serving.private})


def on_pages(model: Columns, names: Sequence[str]) -> list[str]:
    """The columns that a page of rows, made on a person's request, shows: all but the private ones."""
    return [name for name in names if name not in model.serving.private]


def in_artifacts(model: Columns, names: Sequence[str]) -> list[str]:
    """The columns that a page stored with a version summarises: those of which examples may be shown."""
    return [name for name in names if name not in without_examples(model)]


def without_old_examples(text: str) -> str:
    """A note of an earlier release, which gave examples of rows, without them.

    Examples
    --------
    >>> without_old_examples("y: column max to be between (max_value 3); found 2 of 9 rows: 9.5, 8.0; x: found 3.1")
    'y: column max to be between (max_value 3); found 2 of 9 rows; x: found 3.1'
    """
    return _OLD_EXTREMES.sub(": values far outside the reference's range", _OLD_EXAMPLES.sub(r"\1", text))


def group_names(model: Columns, column: str, sizes: "Mapping[Any, int]") -> dict[Any, str]:
    """How verdicts and pages name the groups of a column.

    A group of a key, text or private column has a number, by its size; so has one that fewer than `MIN_GROUP_SIZE`
    rows belong to. Any other has its value.

    Parameters
    ----------
    model : Columns
    column : str
    sizes : dict of value to int
        How many rows each group has.
    """
    hides_all = column in without_examples(model)
    hidden = [value for value, rows in sizes.items() if hides_all or rows < MIN_GROUP_SIZE]
    ordered = sorted(hidden, key=lambda value: (-sizes[value], str(value)))
    word = "group" if hides_all else "rare group"
    return {value: str(value) for value in sizes} | {
        value: f"{word} {number}" for number, value in enumerate(ordered, start=1)
    }


def typical(values: "pd.Series[Any]", kind: Kind, count: int, *, private: bool) -> list[Any]:
    """Values like those of a column, none of which is known to belong to one row.

    The most frequent values that `MIN_GROUP_SIZE` rows share, if they are most of the rows. Otherwise numbers and times
    lie evenly between the tenth and the ninetieth percentile, rounded; of a category it is the most frequent value,
    which an estimator knows; of a text or a private category it is a word.

    Parameters
    ----------
    values : Series
    kind : str
    count : int
        How many to give.
    private : bool
        Whether the column is private: then all are the same middle value.
    """
    import pandas as pd

    known = values.dropna()
    if known.empty:
        return [None] * count
    shared, share = _shared(known)
    ordered = pd.api.types.is_numeric_dtype(known.dtype) and not pd.api.types.is_bool_dtype(known.dtype)
    ordered = ordered or pd.api.types.is_datetime64_any_dtype(known.dtype)
    if shared and (not ordered or (share >= _MOST and not private)):
        return shared[:1] * count if private else [shared[place % len(shared)] for place in range(count)]
    if ordered:
        return _between(
            known, [0.5] * count if private else [0.1 + 0.8 * place / max(count - 1, 1) for place in range(count)]
        )
    words = {"text": "text"} | (dict.fromkeys(("text", "category"), "private") if private else {})
    return [words.get(kind, known.mode().iloc[0])] * count


def _shared(known: "pd.Series[Any]") -> tuple[list[Any], float]:
    """The values that enough rows share, the most frequent first, and the share of the rows that have one of them."""
    counted = known.value_counts()
    counted = counted[counted >= MIN_GROUP_SIZE].sort_index().sort_values(ascending=False, kind="stable")
    return counted.index.tolist(), float(counted.sum()) / len(known)


def _between(known: "pd.Series[Any]", places: list[float]) -> list[Any]:
    """Quantiles to two significant digits, or to the hour: one can be the value of a row."""
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(known.dtype):
        return [pd.Timestamp(time).floor("h") for time in known.quantile(places)]
    numbers = [float(f"{number:.2g}") for number in known.astype("float64").quantile(places)]
    return [round(number) for number in numbers] if pd.api.types.is_integer_dtype(known.dtype) else numbers


def masked(text: str, names: Collection[str] = ()) -> str:
    """The first line of a library's message without the values that it may quote.

    Parameters
    ----------
    text : str
    names : collection of str
        Names of columns, which stay.

    Examples
    --------
    >>> masked("could not convert string to float: 'Ada'")
    "could not convert string to float: '…'"
    >>> masked("column 'x' can't hold 987654.5 in row 12", ["x"])
    "column 'x' can't hold … in row 12"
    """
    line = (text.strip().splitlines() or [""])[0]
    unquoted = _QUOTED.sub(lambda found: found[0] if found[2] in names else f"{found[1]}{HIDDEN}{found[1]}", line)
    shown = _NUMBER.sub(lambda found: HIDDEN if sum(map(str.isdigit, found[0])) >= _DIGITS else found[0], unquoted)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 3]}..."


def of_error(error: BaseException, names: Collection[str] = (), private: Collection[str] = ()) -> str:
    """An error of the user's code or of a library that has seen rows, as text: its type, and what may be said of it.

    Raise the error that says this ``from None``: a log would show the chained one with its values. With ``--debug`` it
    is printed to the terminal, and to nowhere else.

    Parameters
    ----------
    error : BaseException
    names : collection of str
        Names of columns, which stay.
    private : collection of str
        If there is any private column, the message is left out, and the place of the error stands instead.
    """
    if os.environ.get("EVERGREEN_DEBUG"):
        print_exception(error)
    name, text = type(error).__name__, masked(str(error), names)
    if private:
        return f"{name} {_place(error)}; its message is not shown, since it may hold private values"
    return f"{name}: {text}" if text else name


def _place(error: BaseException) -> str:
    frames = extract_tb(error.__traceback__)
    return f"in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
