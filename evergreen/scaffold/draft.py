"""A draft of a model file from a sample of a table, to be reviewed by a person."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from evergreen.definition.loader import path_of
from evergreen.definition.options import Kind
from evergreen.errors import ScaffoldError
from evergreen.ingestion.sources.database import Sql
from evergreen.ingestion.sources.files import Files
from evergreen.scaffold import columns
from evergreen.scaffold.durations import Rhythm, as_text, rhythm
from evergreen.scaffold.sample import Table

_TARGETS = ("target", "label", "labels", "y", "class", "outcome", "response")
_TIMES = ("ts", "time", "timestamp", "datetime", "date", "day", "event_time", "created_at")
_TIME_WORDS = re.compile(r"(^|_)(ts|time|timestamp|datetime|date|day|month|year|when)(_|$)", re.IGNORECASE)
_PART_WORDS = re.compile(
    r"(^|_)(year|quarter|month|week|day|hour|minute|second|dow|doy|weekday|dayofweek|dayofyear)(_|$)", re.IGNORECASE
)
_ID_WORDS = re.compile(r"(^|[_ ])(id|ids|key|uuid|guid|no|nr|number|code)$|[a-z]Id$|ID$", re.IGNORECASE)
_CLASSES = 20  # whole numbers with so many different values at most are classes
_NAMES = 100  # and words with so many
_VALUES = 12  # a category with so many at most has them listed in the contract
_BESIDE = 8  # columns that are tried beside the time as a key, one or two of them
Task = Literal["regression", "classification"]


@dataclass(frozen=True)
class Choices:
    """What the user has chosen; what is None is guessed."""

    time: str | None = None
    key: list[str] | None = None
    target: str | None = None


@dataclass(frozen=True)
class Draft:
    """The content of a drafted model file.

    Attributes
    ----------
    name, path, rows
        The model's name, its file, and the number of rows of the table.
    source : Files or Sql
    key, time, target, task, target_kind, features, label_delay
        As in `evergreen.definition.model.Model`.
    format : str or None
        Of the time column, if it is not written as ISO 8601.
    left_out : dict of column to reason
    ranges, values, gaps
        The contract: numbers between, categories among, and the features with values missing.
    rhythm : Rhythm
    why : dict of part to reason
        The reason for each guess.
    """

    name: str
    path: Path
    rows: int
    source: Files | Sql
    key: list[str]
    time: str
    format: str | None
    target: str
    task: Task
    target_kind: Kind
    features: dict[str, Kind]
    left_out: dict[str, str]
    ranges: dict[str, tuple[float, float]]
    values: dict[str, list[str | int]]
    gaps: list[str]
    label_delay: str
    rhythm: Rhythm
    why: dict[str, str]


def propose(name: str, source: Files | Sql, table: Table, wishes: Choices) -> Draft:
    """Propose a model for a table.

    Raises
    ------
    ScaffoldError
        The table has no time column, no key, or no target that can be learned.
    """
    rows = table.sample()
    _require(rows, [wishes.time, wishes.target, *(wishes.key or [])])
    kinds = {str(name): columns.guess_kind(values) for name, values in rows.items()}
    time, format, why_time = _time(rows, kinds, wishes)
    times = columns.timestamps(rows[time], format)
    key = wishes.key or _key(table, rows, kinds, time, wishes.target)
    target, why_target = _target(kinds, {time, *key}, wishes)
    _require_unique(table, rows, key)
    labelled = rows[rows[target].notna()]
    task, target_kind, why_task = _task(labelled[target], kinds[target])
    others = {name: kind for name, kind in kinds.items() if name not in (time, target) and [name] != key}
    features, left_out = _features(labelled, others, target, task, table.total)
    known = times[labelled.index]
    delay, why_delay = _label_delay(times, known, target)
    return Draft(
        name=name,
        path=path_of(name),
        rows=table.total,
        source=source,
        key=key,
        time=time,
        format=format,
        target=target,
        task=task,
        target_kind=target_kind,
        features=features or {time: "datetime"},
        left_out=left_out,
        ranges=_ranges(table, rows, [name for name, kind in features.items() if kind == "number"], target, task),
        values=_values(rows, features) | _labels(labelled[target], target, target_kind),
        gaps=[name for name in features if rows[name].isna().any()],
        label_delay=delay,
        rhythm=rhythm(known, round(table.total * len(known) / len(rows)), table.distinct([time])),
        why={"time": why_time, "target": why_target, "task": why_task, "label_delay": why_delay},
    )


def _require(rows: pd.DataFrame, names: list[str | None]) -> None:
    missing = [name for name in names if name is not None and name not in rows.columns]
    if missing:
        raise ScaffoldError(f"There is no column {missing[0]!r}. The columns are: {_listed(rows.columns)}.")


def _time(rows: pd.DataFrame, kinds: dict[str, Kind | None], wishes: Choices) -> tuple[str, str | None, str]:
    """The time column, its format if it is not ISO 8601, and why this one."""
    formats = {name: _time_format(rows[name], kind, wishes.time) for name, kind in kinds.items()}
    candidates = [name for name, format in formats.items() if format and name != wishes.target]
    if wishes.time and wishes.time not in candidates:
        examples = _listed(rows[wishes.time].dropna().head(3))
        raise ScaffoldError(f"{wishes.time!r} cannot be read as a time: {examples}. Give times as 2013-01-31 08:00.")
    if not candidates:
        raise ScaffoldError(
            f"No column holds times: {_listed(rows.columns)}. Add the time of each row's event, as 2013-01-31 or "
            "2013-01-31 08:00, or use a `Call` source that computes it."
        )
    time = wishes.time or min(candidates, key=lambda name: _rank(rows[str(name)]))
    if (gaps := rows[time].isna().sum()) or rows[time].nunique() < 2:
        value = f"missing in {gaps:,}" if gaps else f"{rows[time].iloc[0]} in all"
        raise ScaffoldError(f"{time!r} is {value} of {len(rows):,} rows. Choose another with --time, or fix it.")
    others = [name for name in candidates if name != time]
    why = "as asked for" if wishes.time else f"guessed; others: {_listed(others)}" if others else "the only time"
    return time, None if formats[time] == columns.ISO else formats[time], why


def _time_format(values: pd.Series, kind: Kind | None, asked: str | None) -> str | None:
    """The format of a column's times; None if it has none. Whole numbers count only in a column named like a time."""
    if kind == "datetime":
        return columns.ISO
    named = values.name == asked or _TIME_WORDS.search(str(values.name))
    return columns.time_format(values) if kind == "category" or (kind == "integer" and named) else None


def _rank(values: pd.Series) -> tuple[bool, bool, int, int]:
    """Order of preference: no gaps, times before numbers, a known name, more distinct values."""
    name = str(values.name).lower()
    named = _TIMES.index(name) if name in _TIMES else len(_TIMES)
    return bool(values.isna().any()), bool(pd.api.types.is_integer_dtype(values)), named, -values.nunique()


def _key(table: Table, rows: pd.DataFrame, kinds: dict[str, Kind | None], time: str, target: str | None) -> list[str]:
    """Columns that identify each row of the table; the best candidate if none do."""
    whole = [name for name, kind in kinds.items() if kind in ("integer", "category") and not rows[name].isna().any()]
    others = [name for name in whole if name not in (time, target)]
    others.sort(key=lambda name: (not _ID_WORDS.search(name), -rows[name].nunique()))
    ids = [[name] for name in others if _ID_WORDS.search(name)]
    words = [
        [name]
        for name in others
        if kinds[name] == "category" and not rows[name].astype("str").str.contains(r"\s").any()
    ]
    beside = [list(some) for count in (1, 2) for some in combinations(others[:_BESIDE], count)]
    tried = [*ids, *words, [time], *([time, *some] for some in beside)]
    for key in tried:
        if not rows.duplicated(key).any() and table.distinct(key) == table.total:
            return key
    return min(tried, key=lambda key: int(rows.duplicated(key).sum()))


def _require_unique(table: Table, rows: pd.DataFrame, key: list[str]) -> None:
    if (distinct := table.distinct(key)) == table.total and not rows[key].isna().any(axis=None):
        return
    raise ScaffoldError(
        f"No key: {_listed(key)} has {distinct:,} different values in {table.total:,} rows, so a corrected row "
        "cannot be told from a new one. Remove duplicates and missing values, or add a column that numbers the rows, "
        "and name it with --key."
    )


def _target(kinds: dict[str, Kind | None], taken: set[str], wishes: Choices) -> tuple[str, str]:
    if wishes.target:
        return wishes.target, "as asked for"
    left = [name for name, kind in kinds.items() if kind not in (None, "datetime", "text") and name not in taken]
    named = [name for name in left if name.lower() in _TARGETS]
    if not left:
        raise ScaffoldError(f"No column is left to predict besides time and key: {_listed(kinds)}.")
    candidates = [name for name in left if not _PART_WORDS.search(name)]  # a part of the time is not worth predicting
    return (named[0], "guessed by its name") if named else ((candidates or left)[-1], "guessed: the last column")


def _task(labels: pd.Series, kind: Kind | None) -> tuple[Task, Kind, str]:
    different, target = labels.nunique(), labels.name
    if different < 2:
        value = f"always {labels.tolist()[0]!r}" if different else "missing in every row"
        raise ScaffoldError(f"The target {target!r} is {value}; there is nothing to learn. Name another by --target.")
    if kind == "boolean":
        return "classification", "boolean", "true or false"
    if kind == "category" and different <= _NAMES:
        return "classification", "category", f"{different} classes"
    if kind not in ("integer", "number"):
        raise ScaffoldError(
            f"The target {target!r} is neither a number nor one of a few classes: {different:,} values."
        )
    values = columns.numbers(labels)
    if np.isinf(values).any():
        raise ScaffoldError(f"The target {target!r} is infinite in some rows. Fix them.")
    if different > _CLASSES or (values % 1 != 0).any():
        return "regression", "number", f"guessed: {different:,} different numbers"
    return "classification", "integer", f"guessed: {different} different whole numbers"


def _features(
    rows: pd.DataFrame, kinds: dict[str, Kind | None], target: str, task: Task, total: int
) -> tuple[dict[str, Kind], dict[str, str]]:
    """The features, and the columns that are left out and why; whole numbers become numbers, which may be missing."""
    reasons = {name: columns.why_useless(rows[name], kind, total) for name, kind in kinds.items()}
    useful = {name: kind for name, kind in kinds.items() if kind and not reasons[name]}
    features: dict[str, Kind] = {name: "number" if kind == "integer" else kind for name, kind in useful.items()}
    left_out = {name: reason for name, reason in reasons.items() if reason}
    left_out |= columns.leaking(rows, features, target, task)
    return {name: kind for name, kind in features.items() if name not in left_out}, left_out


def _label_delay(times: pd.Series, known: pd.Series, target: str) -> tuple[str, str]:
    """Guess the label delay from the labels that are missing in the newest rows."""
    behind = (times.max() - known.max()).to_pytimedelta()
    if behind and behind < 0.1 * (times.max() - times.min()):
        return as_text(behind), f"guessed: the newest rows have no {target!r} yet"
    return "0d", f"how long after the row's time is {target!r} known?"


def _ranges(
    table: Table, rows: pd.DataFrame, numeric: list[str], target: str, task: Task
) -> dict[str, tuple[float, float]]:
    wanted = [*numeric, target] if task == "regression" else numeric
    seen = table.extent(wanted)
    return {name: _widened(*seen[name], bool((columns.numbers(rows[name]).dropna() % 1 == 0).all())) for name in wanted}


def _widened(low: float, high: float, whole: bool = False) -> tuple[float, float]:
    """Widen a range by a quarter on either side, in round numbers; a range that is never negative stays so.

    Examples
    --------
    >>> _widened(0.0, 977.0), _widened(-11.5, 42.0), _widened(1, 4, whole=True)
    ((0, 1230), (-25, 56), (0, 5))
    """
    slack = 0.25 * (high - low) or abs(high) or 1.0
    unit = max(10.0 ** (np.floor(np.log10(slack)) - 1), float(whole))
    below, above = np.floor((low - slack) / unit) * unit, np.ceil((high + slack) / unit) * unit
    return _short(max(below, 0.0) if low >= 0 else below), _short(min(above, 0.0) if high <= 0 else above)


def _short(number: float) -> float:
    short = float(f"{number:.6g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def _values(rows: pd.DataFrame, features: dict[str, Kind]) -> dict[str, list[str | int]]:
    """The categories of columns that have only a few."""
    few = [name for name, kind in features.items() if kind == "category" and rows[name].nunique() <= _VALUES]
    return {name: sorted(rows[name].dropna().astype("str").unique().tolist()) for name in few}


def _labels(labels: pd.Series, target: str, kind: Kind) -> dict[str, list[str | int]]:
    """The classes."""
    if kind == "integer":
        return {target: sorted(labels.astype("int64").unique().tolist())}
    return {target: sorted(labels.astype("str").unique().tolist())} if kind == "category" else {}


def _listed(names: Iterable[object]) -> str:
    return ", ".join(repr(name) for name in names)
