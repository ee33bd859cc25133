"""A draft of a model file from a sample of a table, to be reviewed by a person."""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from evergreen.definition.feasibility.finding import Finding
from evergreen.definition.loader import path_of
from evergreen.definition.model import Model
from evergreen.definition.options import Kind, Training
from evergreen.definition.parsing.parser import Parser
from evergreen.errors import ScaffoldError
from evergreen.ingestion.schema import cast
from evergreen.ingestion.sources.csv_format import Csv
from evergreen.ingestion.sources.database import Sql
from evergreen.ingestion.sources.files import Files
from evergreen.scaffold import bounds, keys, label_delay
from evergreen.scaffold.durations import LEAST, Rhythm, rhythm, told_by
from evergreen.scaffold.pace import Pace, figures_of, pace, shortfalls
from evergreen.scaffold.reading import columns, event_time, missing_codes, names, near_copies, time_parts, unlike_files
from evergreen.scaffold.reading.event_time import EventTime, listed
from evergreen.scaffold.reading.sample import LIMIT, Table, open_table
from evergreen.scaffold.rounded_integers import REASON as WIDE
from evergreen.scaffold.rounded_integers import columns as wide_columns
from evergreen.training.suitability import LARGEST_TARGET

_TARGETS = ("target", "label", "labels", "y", "class", "outcome", "response")
_PART_WORDS = re.compile(
    r"(^|_)(year|quarter|month|week|day|hour|minute|second|dow|doy|weekday|dayofweek|dayofyear)(_|$)", re.IGNORECASE
)
_CLASSES = 20  # whole numbers with so many different values at most are classes
_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars"}  # between values
_NAMES = 100  # and words with so many
_FEWEST = 10  # labelled rows that a draft needs: of fewer neither kinds nor rhythm can be told
_DECLARED = ("name", "task", "source", "key", "time", "target", "features", "label_delay", "label_time")
Task = Literal["regression", "classification"]


@dataclass(frozen=True)
class Choices:
    """What the user has chosen; what is None is guessed.

    Attributes
    ----------
    time, key, target, time_format : str, list of str or None
    until : Timestamp or None
        Rows of this time or later lie in the future and are left out of account; None for no bound.
    """

    time: str | None = None
    key: list[str] | None = None
    target: str | None = None
    time_format: str | None = None
    until: pd.Timestamp | None = None


@dataclass(frozen=True)
class Draft:
    """The content of a drafted model file.

    Attributes
    ----------
    name, path, rows
        The model's name, its file, and the number of rows of the table.
    source : Files or Sql
    key, time, target, task, target_kind, features, label_delay, label_time
        As in `evergreen.definition.model.Model`.
    parsing : dict of column to Parser
        How columns are read that are not plain.
    renamed : dict of column to str
        The columns that the files call otherwise, and why.
    notes : dict of column to str
        What a person should know of the reading.
    left_out : dict of column to reason
    ranges, values, gaps
        The contract: numbers between, categories among, and the features with values missing.
    rhythm : Rhythm
    pace : Pace
    findings : list of Finding
        The gates and triggers that cannot judge, not yet or not always.
    why : dict of part to reason
        The reason for each guess.
    """

    name: str
    path: Path
    rows: int
    source: Files | Sql
    key: list[str]
    time: str
    parsing: dict[str, Parser]
    renamed: dict[str, str]
    notes: dict[str, str]
    target: str
    task: Task
    target_kind: Kind
    features: dict[str, Kind]
    left_out: dict[str, str]
    ranges: dict[str, tuple[float, float]]
    values: dict[str, list[str | int]]
    gaps: list[str]
    label_delay: str
    label_time: str | None
    rhythm: Rhythm
    pace: Pace
    why: dict[str, str]
    findings: list[Finding] = field(default_factory=list)

    @property
    def unusual_form(self) -> str:
        """How CSV files are written, where it is not UTF-8 with commas; else empty."""
        form = self.source.csv if isinstance(self.source, Files) else None
        if form is None:
            return ""
        usual = Csv()
        delimiter = _DELIMITERS.get(form.delimiter, f"delimiter {form.delimiter!r}")
        return ", ".join(
            ([form.encoding] if form.encoding != usual.encoding else [])
            + ([delimiter] if form.delimiter != usual.delimiter else [])
        )


def propose(name: str, source: Files | Sql, table: Table, wishes: Choices) -> Draft:
    """Propose a model for a table.

    Raises
    ------
    ScaffoldError
        The table has no time column, no key, or no target that can be learned.
    """
    unlike = unlike_files.told(source) if isinstance(source, Files) else {}
    rows = table.sample()
    if isinstance(source, Files) and source.csv is not None and not source.csv.trim and _are_spaced(rows):
        source = source.model_copy(update={"csv": source.csv.model_copy(update={"trim": True})})
        table = open_table(source)
        rows = table.sample()
    renamed = names.renamed(source, rows.columns) if isinstance(source, Files) else {}
    chosen = [wishes.time, wishes.target, *(wishes.key or [])]
    _require(rows, chosen, renamed)
    rows, unnamable = names.usable(rows, chosen)
    semicolons = isinstance(source, Files) and source.csv is not None and source.csv.delimiter == ";"
    readings = missing_codes.marked(columns.read(rows, comma=semicolons))
    time = event_time.find(rows, readings, wishes.time, wishes.time_format, wishes.target, wishes.until)
    readings |= event_time.beside(readings, time, [wishes.target, *(wishes.key or [])])
    typed = pd.DataFrame({name: reading.values for name, reading in readings.items()} | {time.column: time.values})
    kinds = {name: reading.kind for name, reading in readings.items()} | {time.column: "datetime"}
    key, why_key = (wishes.key, "as asked for") if wishes.key else keys.find(table, typed, kinds, time, wishes.target)
    target, why_target = _target(kinds, {time.column, *time.inputs, *key}, wishes)
    if wishes.key:
        keys.require_unique(table, rows, key, time)
    readings[target] = columns.without_absent_class(readings[target])
    typed[target], kinds[target] = readings[target].values, readings[target].kind
    past = _is_past(time, wishes.until)
    labelled = typed[typed[target].notna() & past]
    task, target_kind, why_task = _task(labelled[target], kinds[target])
    _require_enough(labelled, target)
    clock = [name for name in time.inputs if kinds[name] not in ("integer", "number")]
    others = {name: kind for name, kind in kinds.items() if name not in (time.column, target, *clock) and [name] != key}
    wide = wide_columns(table, rows, (name for name, kind in others.items() if kind in ("integer", "number")))
    exact = {name: kind for name, kind in others.items() if name not in wide}
    features, left_out = _features(labelled, exact, target, task, table.total, time.values[labelled.index], key)
    parts = time_parts.useful(time.values, time.column, labelled[list(features)], set(kinds))
    known = time.values[labelled.index]
    labels = label_delay.Labels(target, task, time.values, typed[target])
    moments = {name: pd.to_datetime(typed[name], utc=True) for name, kind in others.items() if kind == "datetime"}
    label_time, why_time = label_delay.time_column(labels, moments)
    delay, why_delay = (
        label_delay.learned(labels, label_time, moments[label_time], wishes.until)
        if label_time
        else label_delay.guess(labels)
    )
    declared = {*features, *key, target, label_time}
    parsers = {name: reading.parser for name, reading in readings.items() if reading.parser and name in declared}
    parsers |= {time.column: time.parser} if time.parser else {}
    rows_known = round(table.total * len(known) / len(rows))
    told = told_by(labelled[target]) if task == "classification" else 1.0
    lengths = rhythm(known, rows_known, _moments(table, time, wishes.until), told)
    figures = figures_of(lengths, known, rows_known)
    draft = Draft(
        name=name,
        path=path_of(name),
        rows=table.total,
        source=source,
        key=key,
        time=time.column,
        parsing=parsers | parts,
        renamed=renamed,
        notes=renamed
        | unlike
        | {name: readings[name].note for name in parsers if name in readings and name != time.column},
        target=target,
        task=task,
        target_kind=target_kind,
        features=features | dict.fromkeys(parts, "number") or {time.column: "datetime"},
        left_out=unnamable
        | {name: WIDE for name in wide if name not in key}
        | {name: why for name, why in left_out.items() if name != label_time}
        | {name: "part of the time" for name in clock if name != time.column},
        ranges=bounds.ranges(
            table, rows, readings, [*bounds.numeric(features), *([target] if task == "regression" else [])], time.values
        ),
        values=bounds.categories(typed, features, time.values) | bounds.classes(labelled[target], target, target_kind),
        gaps=[name for name in features if typed[name].isna().any()],
        label_delay=delay,
        label_time=label_time or None,
        rhythm=lengths,
        pace=pace(lengths, figures),
        why={
            "time": _told_of_future(time, wishes.until),
            "key": why_key,
            "target": why_target,
            "task": why_task,
            "label_delay": why_delay,
            "label_time": why_time,
        },
    )
    drafted = {part: getattr(draft, part) for part in _DECLARED}
    read = {"parsing": draft.parsing, "target_kind": draft.target_kind, "estimator": dict}
    _require_read(rows[past], Model.model_validate(drafted | read))
    return replace(draft, findings=shortfalls(drafted, lengths, draft.pace, figures))


def _are_spaced(rows: pd.DataFrame) -> bool:
    """Whether spaces stand around some values, by which one word would be two."""
    text = (rows[name].dropna() for name in rows if pd.api.types.is_string_dtype(rows[name]))
    return any((values != values.str.strip()).any() for values in text)


def _require_read(rows: pd.DataFrame, model: Model) -> None:
    """Refuse a draft by which ingest would not read the rows that it was made from.

    Raises
    ------
    ScaffoldError
        Some are not of the kinds that it declares.
    """
    _, problems = cast(rows, model)
    if problems:
        told = "; ".join(f"{problem.column!r}: {problem.found}" for problem in problems)
        raise ScaffoldError(f"The rows cannot be read as one kind: {told}. Write them alike.")


def _is_past(time: EventTime, until: pd.Timestamp | None) -> "pd.Series[bool]":
    """Which rows do not lie in the future.

    Raises
    ------
    ScaffoldError
        All of them do.
    """
    past = time.values < until if until is not None else time.values.notna()
    if not past.any():
        raise ScaffoldError(
            f"All times of {time.column!r} lie in the future, from {time.values.min():%Y-%m-%d} on. Correct them, such "
            "as years of two digits, or choose another column with --time."
        )
    return past


def _told_of_future(time: EventTime, until: pd.Timestamp | None) -> str:
    later = int((~_is_past(time, until)).sum())
    waiting = f"{later:,} of {len(time.values):,} rows lie in the future and wait" if later else ""
    return "; ".join(filter(None, [time.why, waiting]))


def _moments(table: Table, time: EventTime, until: pd.Timestamp | None) -> int:
    """How many different times there are up to now."""
    past = _is_past(time, until)
    return table.distinct(time.inputs) if past.all() else int(time.values[past].nunique())


def _require(rows: pd.DataFrame, names: list[str | None], renamed: dict[str, str]) -> None:
    missing = [name for name in names if name is not None and name not in rows.columns]
    if missing:
        told = "".join(f" {name!r} is {why}." for name, why in renamed.items())
        raise ScaffoldError(f"There is no column {missing[0]!r}. The columns are: {listed(rows.columns)}.{told}")


def _target(kinds: dict[str, Kind | None], taken: set[str], wishes: Choices) -> tuple[str, str]:
    if wishes.target:
        return wishes.target, "as asked for"
    left = [name for name, kind in kinds.items() if kind not in (None, "datetime", "text") and name not in taken]
    named = [name for name in left if name.lower() in _TARGETS]
    if not left:
        raise ScaffoldError(f"No column is left to predict besides time and key: {listed(kinds)}.")
    candidates = [name for name in left if not _PART_WORDS.search(name)]  # a part of the time is not worth predicting
    return (named[0], "guessed by its name") if named else ((candidates or left)[-1], "guessed: the last column")


def _require_enough(labelled: pd.DataFrame, target: str) -> None:
    if len(labelled) < _FEWEST:
        raise ScaffoldError(
            f"{len(labelled):,} rows have a {target!r}, too few to draft from: a first model takes about "
            f"{Training().min_rows + LEAST} of them, {Training().min_rows} to learn from and {LEAST} to be judged on. "
            "Collect more."
        )


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
    _require_squares(values, str(target))
    if different > _CLASSES or (values % 1 != 0).any():
        return "regression", "number", f"guessed: {different:,} different numbers"
    if columns.are_counts(values):
        return "regression", "number", f"guessed: counts or grades up to {values.max():.0f}"
    return "classification", "integer", f"guessed: {different} different whole numbers"


def _require_squares(values: "pd.Series[float]", target: str) -> None:
    if np.isinf(values).any():
        raise ScaffoldError(f"The target {target!r} is infinite in some rows. Fix them.")
    if (largest := values.abs().max()) >= LARGEST_TARGET:
        raise ScaffoldError(
            f"The target {target!r} holds values up to {largest:.3g}, whose squares are too large for a number. "
            f"Divide it, so that all lie below {LARGEST_TARGET:.0e}."
        )


def _features(
    rows: pd.DataFrame,
    kinds: dict[str, Kind | None],
    target: str,
    task: Task,
    total: int,
    times: "pd.Series[pd.Timestamp]",
    key: list[str],
) -> tuple[dict[str, Kind], dict[str, str]]:
    """The features, and the columns that are left out and why.

    Whole numbers become numbers, which may be missing, unless they are part of the key: there 2 is no 2.0.
    """
    reasons = {
        name: columns.why_useless(rows[name], kind, total)
        or columns.ended(rows[name], times)
        or columns.counted(rows[name], kind, times)
        for name, kind in kinds.items()
    }
    useful = {name: kind for name, kind in kinds.items() if kind and not reasons[name]}
    features: dict[str, Kind] = {name: "number" if kind == "integer" else kind for name, kind in useful.items()}
    left_out = {name: reason for name, reason in reasons.items() if reason}
    whole = total <= LIMIT  # of a sample, the row before is not the one before
    near = near_copies.found(rows, features, target, times, key) if task == "regression" and whole else {}
    left_out |= near | columns.leaking(rows, features, target, task)
    features |= {name: "integer" for name in key if kinds.get(name) == "integer" and name in features}
    return {name: kind for name, kind in features.items() if name not in left_out}, left_out
