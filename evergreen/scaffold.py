"""A first model file for a table: what a sample of it suggests, to be reviewed by a person."""

import re
from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import numpy as np
import pandas as pd

from evergreen import column
from evergreen.errors import ScaffoldError
from evergreen.evaluation import separation
from evergreen.model import Kind, path_of
from evergreen.rhythm import Rhythm, rhythm, written
from evergreen.sample import Table, opened
from evergreen.source import Files, Sql

_TARGETS = ("target", "label", "labels", "y", "class", "outcome", "response")
_TIMES = ("ts", "time", "timestamp", "datetime", "date", "day", "event_time", "created_at")
_TIME_WORDS = re.compile(r"(^|_)(ts|time|timestamp|datetime|date|day|month|year|when)(_|$)", re.IGNORECASE)
_ID_WORDS = re.compile(r"(^|[_ ])(id|ids|key|uuid|guid|no|nr|number|code)$|[a-z]Id$|ID$", re.IGNORECASE)
_CLASSES = 20  # whole numbers with so many different values at most are classes
_VALUES = 30  # a category with so many at most has them listed in the contract
_TELLING = 0.95  # a feature that alone explains so much of the target wants a second look
_LEAKING = 0.999  # and one that explains this much is left out
_TRIES = 12  # of sets of columns as a key, each counted over the whole table

Task = Literal["regression", "classification"]


@dataclass(frozen=True)
class Wishes:
    """What a person has said of the table; what is None is guessed."""

    time: str | None = None
    key: list[str] | None = None
    target: str | None = None


@dataclass(frozen=True)
class Draft:
    """What a model file is written from.

    Attributes
    ----------
    name, source, rows
        Of the model, where its table is, and how many rows that has.
    key, time, target, task, target_kind
        As in `evergreen.model.Model`.
    features : dict of column to kind
    formats : dict of column to format
        Of times that are not written as ISO 8601; the time column among them if it is not.
    left_out : dict of column to reason
    ranges, values, gaps : dict
        The contract: numbers between, categories among, and the share that is present where
        some are missing.
    label_delay, rhythm
        Durations.
    why : dict of part to reason
        What each guess rests on.
    review : list of str
        What a person should look at first.
    """

    name: str
    source: Files | Sql
    rows: int
    key: list[str]
    time: str
    target: str
    task: Task
    target_kind: Kind
    features: dict[str, Kind]
    formats: dict[str, str]
    left_out: dict[str, str]
    ranges: dict[str, tuple[float, float]]
    values: dict[str, list[str]]
    gaps: dict[str, float]
    label_delay: str
    rhythm: Rhythm
    why: dict[str, str]
    review: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Drafted:
    """A model file that was written, for the person who asked for it."""

    name: str
    path: str
    rows: int
    time: str
    key: list[str]
    target: str
    task: str
    features: dict[str, str]
    left_out: dict[str, str]
    why: dict[str, str]
    review: list[str]


def scaffold(name: str, source: Files | Sql, wishes: Wishes, *, overwrite: bool = False) -> Drafted:
    """Write a model file for a table.

    Parameters
    ----------
    name : str
        Of the model and its file.
    source : Files or Sql
        From `evergreen.sample.origin`.
    wishes : Wishes
    overwrite : bool
        Whether a file of that name may be replaced.

    Raises
    ------
    ScaffoldError
        The table lacks what a model needs, or the file exists.
    """
    from evergreen.draft import render

    path = _free(name, overwrite)
    with opened(source) as table:
        draft = propose(name, source, table, wishes)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(draft, path.parent.parent), encoding="utf-8")
    kept = {part: value for part, value in asdict(draft).items() if part in Drafted.__dataclass_fields__}
    return Drafted(path=str(path), **kept)


def propose(name: str, source: Files | Sql, table: Table, wishes: Wishes) -> Draft:
    """Look at a table and propose a model of it.

    Raises
    ------
    ScaffoldError
        There is no time, no key, or nothing that can be learned.
    """
    rows = table.sample()
    _known(rows, [wishes.time, wishes.target, *(wishes.key or [])])
    kinds = {name: column.kind_of(rows[name]) for name in rows.columns}
    present = _present(table, rows)
    time, formats, why_time = _time(rows, kinds, present, table.total, wishes)
    kinds[time] = "datetime"
    times = column.moments(rows[time], formats.get(time))
    if times.nunique() < 2:
        raise ScaffoldError(f"Every row has the same {time!r}, {times.iloc[0]}; a split by time needs more.")
    target = wishes.target or _named(rows, kinds, _TARGETS, {time, *(wishes.key or [])})
    key, why_key = _key(table, rows, kinds, present, time, {target}, wishes)
    why_target = "as asked for" if wishes.target else "guessed by its name"
    if target is None:
        target, why_target = _last(rows, kinds, [time, *key]), "guessed: the last column that is neither key nor time"
    labelled = rows[rows[target].notna()]
    task, target_kind, why_task = _task(labelled[target], kinds[target], target)
    features, left_out, telling = _features(rows, labelled, kinds, times, time, key, target, task)
    if not features:
        features, telling = {time: "datetime"}, []
    known = times[labelled.index]
    delay, why_delay = _label_delay(times, known, target)
    return Draft(
        name=name,
        source=source,
        rows=table.total,
        key=key,
        time=time,
        target=target,
        task=task,
        target_kind=target_kind,
        features=features,
        formats={name: format for name, format in formats.items() if name in {time, *features, *key}},
        left_out=left_out,
        ranges=_ranges(table, rows, features, target, task),
        values=_values(labelled, rows, features, target, task, target_kind),
        gaps=_gaps(present, table.total, features),
        label_delay=delay,
        rhythm=rhythm(known, round(table.total * len(known) / len(rows)), table.distinct([time])),
        why={"time": why_time, "key": why_key, "target": why_target, "task": why_task, "label_delay": why_delay},
        review=[f"{name!r} alone explains {share:.1%} of the target: is it known by then?" for name, share in telling],
    )


def _free(name: str, overwrite: bool) -> Path:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ScaffoldError(f"{name!r} is no name for a model: small letters, digits and _, such as 'air_time'.")
    path = path_of(name)
    if path.exists() and not overwrite:
        raise ScaffoldError(f"{path} exists. Choose another name, or overwrite it with --force.")
    return path


def _known(rows: pd.DataFrame, wished: list[str | None]) -> None:
    missing = [name for name in wished if name is not None and name not in rows.columns]
    if missing:
        raise ScaffoldError(f"There is no column {missing[0]!r}. The columns are: {_listed(rows.columns)}.")


def _present(table: Table, rows: pd.DataFrame) -> dict[str, float]:
    """The share of values present: by SQL over all rows, but NaN is missing only to pandas."""
    counted = table.present()
    return {name: min(counted[name] / table.total, float(rows[name].notna().mean())) for name in rows.columns}


def _named(
    rows: pd.DataFrame, kinds: "dict[str, Kind | None]", names: tuple[str, ...], taken: set[str | None]
) -> str | None:
    lower = {str(name).lower(): name for name in rows.columns if kinds[name] and name not in taken}
    return next((lower[name] for name in names if name in lower), None)


def _time(
    rows: pd.DataFrame,
    kinds: "dict[str, Kind | None]",
    present: dict[str, float],
    total: int,
    wishes: Wishes,
) -> tuple[str, dict[str, str], str]:
    """The time column, the formats of all that are not ISO 8601, and why."""
    formats = _formats(rows, kinds, wishes.time)
    candidates = [name for name in rows.columns if kinds[name] == "datetime" or name in formats]
    candidates = [name for name in candidates if name != wishes.target]
    if wishes.time:
        time, why = wishes.time, "as asked for"
        if time not in candidates:
            examples = ", ".join(repr(one) for one in rows[time].dropna().head(3))
            raise ScaffoldError(
                f"{time!r} is read as no time: {examples}. Give times as 2013-01-31 or 2013-01-31 08:00."
            )
    elif not candidates:
        raise ScaffoldError(
            f"No column is a time, and everything goes by time: {_listed(rows.columns)}. Add the time of each row's "
            "event, as 2013-01-31 or 2013-01-31 08:00; or write a `Call` as the source that makes it."
        )
    else:
        time, why = _best_time(rows, candidates, present), "guessed"
        others = [repr(name) for name in candidates if name != time and kinds[name] == "datetime"]
        why += f" (others: {', '.join(others)})" if others else ": the only time there is"
    if present[time] < 1:
        gone = max(1, round((1 - present[time]) * total))
        raise ScaffoldError(
            f"{time!r} is missing in {gone:,} of {total:,} rows. Choose another with --time, or mend them."
        )
    texts = {name: format for name, format in formats.items() if kinds[name] == "datetime" or name == time}
    return time, {name: format for name, format in texts.items() if format != column.ISO}, why


def _formats(rows: pd.DataFrame, kinds: "dict[str, Kind | None]", asked: str | None) -> dict[str, str]:
    """How times are written in columns of text, and in whole numbers that are named like a time."""
    found: dict[str, str] = {}
    for name in rows.columns:
        texts = kinds[name] == "datetime" and pd.api.types.infer_dtype(rows[name], skipna=True) == "string"
        numbers = kinds[name] == "integer" and (name == asked or _TIME_WORDS.search(str(name)))
        format = column.time_format(rows[name]) if texts or numbers else None
        found |= {name: format} if format else {}
    return found


def _best_time(rows: pd.DataFrame, candidates: list[str], present: dict[str, float]) -> str:
    """Whole ones first, then by name, then the finest."""

    def order(name: str) -> tuple[bool, bool, int, int]:
        whole = pd.api.types.is_integer_dtype(rows[name])
        named = _TIMES.index(name.lower()) if name.lower() in _TIMES else len(_TIMES)
        return present[name] < 1, bool(whole), named, -rows[name].nunique()

    return min(candidates, key=order)


def _key(
    table: Table,
    rows: pd.DataFrame,
    kinds: "dict[str, Kind | None]",
    present: dict[str, float],
    time: str,
    taken: set[str | None],
    wishes: Wishes,
) -> tuple[list[str], str]:
    """Columns that tell every row of the table from every other."""
    whole = [name for name in rows.columns if present[name] == 1 and name not in taken and name != time]
    whole = [name for name in whole if kinds[name] in ("integer", "category", "datetime")]
    named = [name for name in whole if _ID_WORDS.search(str(name))]
    others = sorted((name for name in whole if name not in named), key=lambda name: -rows[name].nunique())
    beside = [*named, *others][:_TRIES]
    tried = [wishes.key] if wishes.key else [[name] for name in named]
    if not wishes.key:
        tried += [[time], *([time, one] for one in beside), *([time, *two] for two in combinations(beside, 2))]
        tried += [[name] for name in others]
    unique = [columns for columns in tried if not rows.duplicated(columns).any()]
    for columns in unique[:_TRIES]:
        if table.distinct(columns) == table.total:
            return columns, f"unique in all {table.total:,} rows"
    nearest = min(tried, key=lambda columns: int(rows.duplicated(columns).sum()))
    twice = int(rows.duplicated(nearest).sum())
    raise ScaffoldError(
        f"{'The key does not tell' if wishes.key else 'No columns tell'} every row from every other"
        f"{':' if wishes.key else '; nearest come'} {_listed(nearest)} ({twice:,} of {len(rows):,} rows looked at "
        "repeat another's). A row that comes again could not be told from a new one. Drop what is there twice, "
        "or add a column that numbers them, and name it with --key."
    )


def _last(rows: pd.DataFrame, kinds: "dict[str, Kind | None]", taken: list[str]) -> str:
    left = [name for name in rows.columns if kinds[name] not in (None, "datetime", "text") and name not in taken]
    if not left:
        raise ScaffoldError(f"Beside time and key no column is left to predict: {_listed(rows.columns)}.")
    return str(left[-1])


def _task(labels: pd.Series, kind: "Kind | None", target: str) -> "tuple[Task, Kind, str]":
    different = labels.nunique()
    if labels.empty:
        raise ScaffoldError(f"The target {target!r} is missing in every row. Name another with --target.")
    if different < 2:
        raise ScaffoldError(f"The target {target!r} is always {labels.iloc[0]!r}; there is nothing to learn.")
    if kind in ("integer", "number"):
        numbers = pd.to_numeric(labels)
        if not column.finite(numbers):
            raise ScaffoldError(f"The target {target!r} is infinite in some rows. Mend them.")
        if different > _CLASSES or (different > 2 and (numbers % 1 != 0).any()) or set(numbers % 1) != {0}:
            return "regression", "number", f"guessed: {different:,} different numbers"
        return "classification", "integer", f"guessed: {different} different whole numbers"
    if kind == "boolean":
        return "classification", "boolean", "true or false"
    if kind != "category" or different > 5 * _CLASSES:
        what = f"{different:,} different values that are no numbers"
        raise ScaffoldError(f"The target {target!r} is neither a number nor one of a few classes: {what}.")
    return "classification", "category", f"{different} classes"


def _features(
    rows: pd.DataFrame,
    labelled: pd.DataFrame,
    kinds: "dict[str, Kind | None]",
    times: pd.Series,
    time: str,
    key: list[str],
    target: str,
    task: Task,
) -> "tuple[dict[str, Kind], dict[str, str], list[tuple[str, float]]]":
    """The features, what is left out and why, and those that tell suspiciously much."""
    left_out: dict[str, str] = {}
    features: dict[str, Kind] = {}
    for name in rows.columns:
        if name in (time, target) or key == [name]:
            continue
        kind = kinds[name]
        reason = _useless(rows[name], kind, times)
        if reason or kind is None:
            left_out[name] = reason
        else:
            features[name] = kind
    sums = _sum_up(labelled, features, target) if task == "regression" else []
    alone = {} if len(labelled) < _VALUES else _alone(labelled, features, target, task)
    left_out |= {name: f"the target is a sum of {_listed(sums)}" for name in sums}
    left_out |= {name: "it alone says what the target is" for name, share in alone.items() if share >= _LEAKING}
    telling = [(name, share) for name, share in alone.items() if _TELLING <= share < _LEAKING and name not in sums]
    return {name: kind for name, kind in features.items() if name not in left_out}, left_out, telling


def _useless(values: pd.Series, kind: "Kind | None", times: pd.Series) -> str:
    """Why a column can be no feature; empty if it can."""
    if kind is None:
        return "all missing" if values.isna().all() else "no numbers, words or times"
    different = values.nunique()
    if different < 2:
        return "constant"
    if kind == "number" and not column.finite(values):
        return "infinite in some rows"
    if kind == "datetime":
        moments = column.moments(values, column.time_format(values) if values.dtype.kind not in "M" else None)
        return "goes with the time" if _together(moments, times) else ""
    if different == len(values) and kind in ("integer", "category"):
        return "counts the rows" if kind == "integer" and _together(values, times) else "different in every row"
    return ""


def _together(values: pd.Series, times: pd.Series) -> bool:
    ranks = [one.astype("int64").where(one.notna()).rank() for one in (values, times)]
    return abs(float(ranks[0].corr(ranks[1]))) > _LEAKING


def _alone(rows: pd.DataFrame, features: "dict[str, Kind]", target: str, task: Task) -> dict[str, float]:
    """How far each feature alone explains the target."""
    wanted = [name for name, kind in features.items() if kind in ("number", "integer", "category", "boolean")]
    frame = pd.DataFrame(
        {
            name: pd.to_numeric(rows[name]).astype("float64")
            if features[name] in ("number", "integer")
            else rows[name].astype("str")
            for name in wanted
        }
    ).reset_index(drop=True)
    labels = rows[target]
    answer = (
        labels.to_numpy("float64") if task == "regression" else np.unique(labels.astype("str"), return_inverse=True)[1]
    )
    return separation(SimpleNamespace(task=task, features=wanted, seed=0), frame, answer)  # type: ignore[arg-type]


def _sum_up(rows: pd.DataFrame, features: "dict[str, Kind]", target: str) -> list[str]:
    """Columns of which the target is a weighted sum, exactly: parts of what is to be predicted."""
    names = [name for name, kind in features.items() if kind in ("number", "integer")]
    table = rows[[*names, target]].apply(pd.to_numeric).astype("float64").dropna().head(5000)
    if len(table) < 5 * (len(names) + 1) or not names:
        return []
    spread = table.std().replace(0, 1)
    scaled = (table - table.mean()) / spread
    weights, *_ = np.linalg.lstsq(scaled[names].to_numpy(), scaled[target].to_numpy(), rcond=None)
    rest = scaled[target].to_numpy() - scaled[names].to_numpy() @ weights
    if float(np.abs(rest).max()) > 1e-6:
        return []
    return [name for name, weight in zip(names, weights, strict=True) if abs(weight) > 1e-6]


def _label_delay(times: pd.Series, known: pd.Series, target: str) -> tuple[str, str]:
    """The labels that are still missing at the end say how long they take."""
    behind = (times.max() - known.max()).to_pytimedelta()
    if behind and behind < 0.1 * (times.max() - times.min()):
        return written(behind), f"guessed: the newest rows have no {target!r} yet"
    return "0d", f"guessed: how long after the row's time is {target!r} known?"


def _ranges(
    table: Table, rows: pd.DataFrame, features: "dict[str, Kind]", target: str, task: Task
) -> dict[str, tuple[float, float]]:
    """What was seen and a quarter more on either side; what was never negative stays so."""
    wanted = [name for name, kind in features.items() if kind in ("number", "integer")]
    wanted += [target] if task == "regression" else []
    numeric = [name for name in wanted if pd.api.types.is_numeric_dtype(rows[name])]
    seen = {name: (float(one.min()), float(one.max())) for name, one in _numbers(rows[wanted]).items()}
    seen |= {name: bounds for name, bounds in table.extent(numeric).items() if np.isfinite(bounds).all()}
    return {name: _widened(*seen[name]) for name in wanted}


def _numbers(rows: pd.DataFrame) -> dict[str, pd.Series]:
    return {str(name): pd.to_numeric(values) for name, values in rows.items()}


def _widened(low: float, high: float) -> tuple[float, float]:
    """A quarter more on either side, in round numbers.

    Examples
    --------
    >>> _widened(0.0, 977.0), _widened(-11.0, 42.0)
    ((0, 1230), (-25, 56))
    """
    slack = 0.25 * (high - low) or abs(high) or 1.0
    unit = 10.0 ** (np.floor(np.log10(slack)) - 1)
    below, above = np.floor((low - slack) / unit) * unit, np.ceil((high + slack) / unit) * unit
    return _round(max(below, 0.0) if low >= 0 else below), _round(min(above, 0.0) if high <= 0 else above)


def _round(number: float) -> float:
    short = float(f"{number:.6g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def _values(
    labelled: pd.DataFrame, rows: pd.DataFrame, features: "dict[str, Kind]", target: str, task: Task, kind: Kind
) -> dict[str, list[str]]:
    """What categories were seen, where they are few."""
    found = {name: _seen(rows[name]) for name, one in features.items() if one == "category"}
    if task == "classification" and kind != "boolean":
        labels = labelled[target]
        found[target] = (
            sorted(pd.to_numeric(labels).astype("int64").unique().tolist()) if kind == "integer" else _seen(labels)
        )
    return {name: values for name, values in found.items() if len(values) <= _VALUES or name == target}


def _seen(values: pd.Series) -> list[str]:
    return sorted(values.dropna().astype("str").unique().tolist())


def _gaps(present: dict[str, float], total: int, features: "dict[str, Kind]") -> dict[str, float]:
    """What share to expect at least where some values are missing: twice the gap may pass."""
    missing = {name: 1 - present[name] for name in features}
    return {name: max(0.0, np.floor(100 * (1 - 2 * gap)) / 100) for name, gap in missing.items() if gap > 0}


def _listed(names: "pd.Index | list[str]") -> str:
    return ", ".join(repr(name) for name in names)
