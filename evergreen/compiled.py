"""A fitted pipeline compiled: plain lookups for its columns and a forest by tables, proven to answer alike.

scikit-learn answers one row in some milliseconds, nearly all of it checks and copies of frames. A
compiled pipeline answers it in a tenth of one, and is loaded without scikit-learn. It is used only
where `difference` finds that it answers as the pipeline does.
"""

import copy
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evergreen import leaves
from evergreen.leaves import Leaves

Floats = NDArray[np.float64]
Rows = Sequence[Sequence[Any]]
AGREED = 1e-12  # the greatest difference from the pipeline's own answers, of numbers above 1 relative to them

_FOREST, _LEAVES, _COLUMNS = "forest.treelite", "leaves.npz", "columns.json"
_SET = 256  # how many categories a set of histogram gradient boosting can name
_LINKS: dict[str, Callable[[Floats], Floats]] = {
    "identity": lambda scores: scores,
    "identity_multiclass": lambda scores: scores,
    "sigmoid": lambda scores: _both(1 / (1 + np.exp(-scores))),
    "softmax": lambda scores: _shares(np.exp(scores - scores.max(axis=1, keepdims=True))),
    "exponential": lambda scores: np.exp(scores),
}


@dataclass(frozen=True)
class Number:
    """A column that is a number.

    Attributes
    ----------
    source : int
        Its place in a row.
    fill : float or None
        What stands where it is missing; None leaves it missing.
    shift, scale : float
        What is taken away, and what the rest is divided by.
    single : bool
        Whether the forest sees it in single precision.
    gaps : bool
        Whether it may be missing still when the forest sees it.
    """

    source: int
    fill: float | None = None
    shift: float = 0.0
    scale: float = 1.0
    single: bool = False
    gaps: bool = True

    def values(self, sent: Sequence[Any]) -> Floats:
        """As the forest sees them.

        Raises
        ------
        ValueError
            One is missing, or too large, that the pipeline does not take.
        """
        found = np.array(sent, dtype=np.float64)
        if self.fill is not None:
            found[np.isnan(found)] = self.fill
        if self.shift or self.scale != 1:
            found = (found - self.shift) / self.scale
        if self.single:
            with np.errstate(over="ignore"):
                found = found.astype(np.float32).astype(np.float64)
        if np.isinf(found).any():
            raise ValueError("a number is too large for the model")
        if not self.gaps and np.isnan(found).any():
            raise ValueError("a number is missing, and the model takes none that is")
        return found


@dataclass(frozen=True)
class Lookup:
    """A column that is looked up.

    Attributes
    ----------
    source : int
        Its place in a row.
    table : dict of str to float
        What each category becomes.
    unknown, missing : float or None
        What any other becomes, and none at all; None where the pipeline takes no such value.
    """

    source: int
    table: dict[str, float]
    unknown: float | None
    missing: float | None

    @cached_property
    def _known(self) -> dict[Any, float]:
        return self.table if self.missing is None else {**self.table, None: self.missing}

    def values(self, sent: Sequence[Any]) -> list[float]:
        """As the forest sees them.

        Raises
        ------
        ValueError
            One is unknown or missing, and the pipeline takes no such value.
        """
        known = self._known
        if self.unknown is not None and (self.missing is not None or None not in sent):
            unknown = self.unknown
            return [known.get(one, unknown) for one in sent]
        try:
            return [known[one] for one in sent]
        except KeyError as error:
            raise ValueError(f"the category {error.args[0]!r} is unknown to the model") from None


Column = Number | Lookup


@dataclass(frozen=True)
class Compiled:
    """A pipeline as plain lookups and a forest.

    Attributes
    ----------
    columns : list of Number or Lookup
        What the forest sees, in its order.
    forest : treelite.Model or None
        None once it is stored, if `leaves` answer.
    link : str
        What turns the forest's scores into answers, by treelite's name for it.
    leaves : Leaves or None
        The forest as tables, if its trees are small.
    """

    columns: list[Column]
    forest: Any
    link: str
    leaves: Leaves | None

    def predict(self, rows: Rows) -> Floats:
        """The answers: a number each, (n, 1), or the probabilities of the classes, (n, classes).

        Parameters
        ----------
        rows : sequence of sequence
            Values as they are read from JSON, None where one is missing, in the features' order.

        Raises
        ------
        ValueError
            A row holds what the pipeline does not take either.
        """
        sent = list(zip(*rows, strict=True))
        seen = np.empty((len(rows), len(self.columns)))
        for place, column in enumerate(self.columns):
            seen[:, place] = column.values(sent[column.source])
        return _LINKS[self.link](self.leaves.scores(seen) if self.leaves else self._walked(seen))

    def _walked(self, seen: Floats) -> Floats:
        from treelite import gtil

        return np.asarray(gtil.predict(self.forest, seen, nthread=1, pred_margin=True)).reshape(len(seen), -1)

    def save(self, folder: Path) -> None:
        """Write it into a folder, the forest as tables or in treelite's own format."""
        if self.leaves:
            self.leaves.save(folder / _LEAVES)
        else:
            self.forest.serialize(folder / _FOREST)
        told = {"link": self.link, "columns": [asdict(column) for column in self.columns]}
        (folder / _COLUMNS).write_text(json.dumps(told))

    @classmethod
    def load(cls, folder: Path) -> "Compiled":
        """Read what `save` wrote."""
        told = json.loads((folder / _COLUMNS).read_text())
        columns: list[Column] = [(Lookup if "table" in one else Number)(**one) for one in told["columns"]]
        if (folder / _LEAVES).exists():
            return cls(columns, None, told["link"], Leaves.load(folder / _LEAVES))
        import treelite

        return cls(columns, treelite.Model.deserialize(folder / _FOREST), told["link"], None)


def compiled(estimator: Any, kinds: Mapping[str, str]) -> Compiled | None:
    """Compile a fitted pipeline; None where one of its steps is none of those that are understood.

    Parameters
    ----------
    estimator : scikit-learn estimator
        A forest, or a pipeline that ends in one: of histogram gradient boosting, gradient boosting,
        random forests or extremely random trees; before it column transformers, encoders of
        categories, imputers and scalers.
    kinds : mapping of column to kind
        The features in their order.
    """
    *steps, last = [step for _, step in estimator.steps] if hasattr(estimator, "steps") else [estimator]
    try:
        columns = _features(kinds)
        for step in steps:
            columns = _through(step, columns)
        return _grown(last, columns)
    except Exception:  # a step that is not known, or a library whose insides are others than they were
        return None


class _UnknownStepError(Exception):
    pass


@dataclass(frozen=True)
class _Category:
    """A category that no step has encoded yet."""

    source: int


_Columns = dict[str, Any]  # of name to Number, Lookup or _Category


def _features(kinds: Mapping[str, str]) -> _Columns:
    made: dict[str, Callable[[int], Any]] = dict.fromkeys(("number", "integer"), Number)
    made["boolean"] = lambda place: Number(place, gaps=False)
    made |= dict.fromkeys(("category", "text"), _Category)
    if not set(kinds.values()) <= set(made):
        raise _UnknownStepError
    return {name: made[kind](place) for place, (name, kind) in enumerate(kinds.items())}


def _through(step: Any, columns: _Columns) -> _Columns:
    """What a fitted step makes of columns."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

    if step == "passthrough":
        return columns
    if type(step) is Pipeline:
        for _, one in step.steps:
            columns = _through(one, columns)
        return columns
    if type(step) is ColumnTransformer:
        return _side_by_side(step, columns)
    if type(step) in (OrdinalEncoder, OneHotEncoder):
        return _tabulated(step, columns)
    return _reckoned(step, columns)


def _reckoned(step: Any, columns: _Columns) -> _Columns:
    """An imputer or a scaler of numbers."""
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import StandardScaler

    if not all(isinstance(one, Number) for one in columns.values()):
        raise _UnknownStepError
    if type(step) is SimpleImputer and not step.add_indicator and step.strategy != "most_frequent":
        return _each(step, columns, lambda one, place: _filled(one, float(step.statistics_[place])))
    if type(step) is StandardScaler:
        return _each(step, columns, lambda one, place: _scaled(one, step, place))
    raise _UnknownStepError


def _side_by_side(step: Any, columns: _Columns) -> _Columns:
    """A column transformer: each of its parts sees some columns, and they come out one after the other."""
    from sklearn.preprocessing import FunctionTransformer

    names = list(columns)
    made: _Columns = {}
    for name, part, chosen in step.transformers_:
        if isinstance(part, str) and part == "drop":
            continue
        seen = {one: columns[one] for one in (_named(chosen, names))}
        plain = isinstance(part, str) or (type(part) is FunctionTransformer and part.func is None)
        came = seen if plain else _through(part, seen)
        if not came:
            continue
        made |= {f"{name}__{key}": column for key, column in came.items()}
    return made


def _named(chosen: Any, names: list[str]) -> list[str]:
    """The columns that a part of a column transformer sees."""
    if isinstance(chosen, slice):
        return names[chosen]
    picked = np.asarray(chosen)
    if picked.dtype == bool:
        return [name for name, wanted in zip(names, picked, strict=True) if wanted]
    return [one if isinstance(one, str) else names[one] for one in picked.tolist()]


def _tabulated(step: Any, columns: _Columns) -> _Columns:
    """An encoder of categories: what it makes of each is asked of itself, so nothing of it is written again."""
    import pandas as pd

    if not all(isinstance(one, _Category) for one in columns.values()):
        raise _UnknownStepError
    made: _Columns = {}
    known = [[one for one in categories if isinstance(one, str)] for categories in step.categories_]
    fitting = {name: few[0] if few else None for name, few in zip(columns, known, strict=True)}
    places = _places(step)
    for number, ((name, column), few) in enumerate(zip(columns.items(), known, strict=True)):
        strange = "\0".join(few) + "\0"  # which is none of them

        def asked(values: list[str | None], name: str = name, mine: Any = places[number]) -> Floats | None:
            rows = pd.DataFrame({one: [first] * len(values) for one, first in fitting.items()}, dtype="str")
            rows[name] = pd.Series(values, dtype="str")
            try:
                came = step.transform(rows)
            except (ValueError, TypeError):
                return None
            dense = came.toarray() if hasattr(came, "toarray") else np.asarray(came)
            return np.asarray(dense, dtype=np.float64)[:, mine]

        some: list[list[str | None]] = [[*few], [strange], [None]]
        table, unknown, missing = (asked(one) for one in some)
        if table is None:
            raise _UnknownStepError
        for place in range(table.shape[1]):
            made[f"{name}_{place}"] = Lookup(
                column.source,
                dict(zip(few, table[:, place].tolist(), strict=True)),
                None if unknown is None else float(unknown[0, place]),
                None if missing is None else float(missing[0, place]),
            )
    return made


def _places(step: Any) -> list[slice]:
    """Which of an encoder's outputs each of its columns has."""
    counts = getattr(step, "_n_features_outs", None) or [1] * len(step.categories_)  # more than one where one-hot
    ends = np.cumsum(counts).tolist()
    return [slice(end - count, end) for end, count in zip(ends, counts, strict=True)]


def _each(step: Any, columns: _Columns, change: Callable[[Number, int], Number]) -> _Columns:
    return {name: change(column, place) for place, (name, column) in enumerate(columns.items())}


def _filled(column: Number, value: float) -> Number:
    if column.shift or column.scale != 1 or math.isnan(value):
        raise _UnknownStepError
    return replace(column, fill=value if column.fill is None else column.fill)


def _scaled(column: Number, step: Any, place: int) -> Number:
    if column.shift or column.scale != 1:
        raise _UnknownStepError
    shift = float(step.mean_[place]) if step.with_mean else 0.0
    return replace(column, shift=shift, scale=float(step.scale_[place]) if step.with_std else 1.0)


def _grown(last: Any, columns: _Columns) -> Compiled:
    """The forest that ends a pipeline."""
    import treelite
    from sklearn import ensemble

    exact = (ensemble.HistGradientBoostingClassifier, ensemble.HistGradientBoostingRegressor)
    single = (
        ensemble.RandomForestClassifier,
        ensemble.RandomForestRegressor,
        ensemble.ExtraTreesClassifier,
        ensemble.ExtraTreesRegressor,
    )
    whole = (ensemble.GradientBoostingClassifier, ensemble.GradientBoostingRegressor)  # that take no gaps
    if type(last) not in (*exact, *single, *whole) or any(isinstance(one, _Category) for one in columns.values()):
        raise _UnknownStepError
    seen: list[Column] = list(columns.values())
    if type(last) in exact:
        last, seen = _with_known_categories(last, seen)
    else:
        seen = [_single(one, gaps=type(last) in single) for one in seen]
    forest = treelite.sklearn.import_model(last)
    link = str(forest.get_header_accessor().get_field("postprocessor"))
    if link not in _LINKS:
        raise _UnknownStepError
    return Compiled(seen, forest, link, leaves.tabulated(forest))


def _with_known_categories(last: Any, columns: list[Column]) -> tuple[Any, list[Column]]:
    """Histogram gradient boosting numbers its categories, and takes one that it was not fitted on for a missing one.

    A split of one category against missing ones keeps, in scikit-learn, the set of another split: it may
    name categories that its column has not. So treelite is given every number that a set can name,
    each as itself, and the columns become those numbers.
    """
    if last.is_categorical_ is None:
        return last, columns
    last = copy.deepcopy(last)
    encoder = last._preprocessor.named_transformers_["encoder"]
    fitted = iter(encoder.categories_)
    encoder.categories_ = [np.arange(_SET) for _ in encoder.categories_]
    return last, [
        _numbered(column, next(fitted)) if categorical else column
        for column, categorical in zip(columns, last.is_categorical_, strict=True)
    ]


def _numbered(column: Column, fitted: Sequence[float]) -> Lookup:
    if not isinstance(column, Lookup):
        raise _UnknownStepError
    places = {value: float(place) for place, value in enumerate(fitted) if not math.isnan(value)}

    def number(code: float) -> float:
        return places.get(code, math.nan)

    table = {name: number(code) for name, code in column.table.items()}
    unknown, missing = (None if code is None else number(code) for code in (column.unknown, column.missing))
    return Lookup(column.source, table, unknown, missing)


def _single(column: Column, *, gaps: bool) -> Column:
    """A column of a forest that looks at single precision."""
    return column if isinstance(column, Lookup) else replace(column, single=True, gaps=gaps and column.gaps)


def _both(second: Floats) -> Floats:
    return np.column_stack([1 - second, second])


def _shares(weights: Floats) -> Floats:
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def difference(
    made: Compiled, answers: Callable[[Rows], Floats], kinds: Mapping[str, str], example: Rows, seed: int = 0
) -> float:
    """The greatest difference between a compiled pipeline's answers and its own, over some ten thousand rows.

    The rows are drawn, column by column, from the example, the categories that are known and one
    that is not, missing values, the forest's thresholds and the numbers next to them, and numbers
    that are tiny and huge. What the pipeline refuses has to be refused here too.

    Parameters
    ----------
    made : Compiled
    answers : callable
        The pipeline's own: from rows to (n, outputs); it raises where it cannot answer.
    kinds : mapping of column to kind
    example : rows
    seed : int

    Returns
    -------
    float
        Of numbers above 1 relative to them; infinite where one answers and the other does not.
    """
    chance = np.random.default_rng(seed)
    usual, odd = _usual(made, kinds, example), [_ODD[kind] for kind in kinds.values()]
    rows = _drawn(usual, 5_000, chance)
    own = _asked(answers, rows)
    if own is None:  # nothing to compare with
        return math.inf
    worst, taken = _apart(made.predict, own, rows), []
    for place, some in enumerate(odd):
        changed = {one: [[*row[:place], one, *row[place + 1 :]] for row in rows[:20]] for one in some}
        theirs = {one: _asked(answers, few) for one, few in changed.items()}
        worst = max(worst, *(_apart(made.predict, theirs[one], few) for one, few in changed.items()))
        taken.append([one for one in some if theirs[one] is not None])
    mixed = _drawn([few + also * (1 + len(few) // 20) for few, also in zip(usual, taken, strict=True)], 5_000, chance)
    return max(worst, _apart(made.predict, _asked(answers, mixed), mixed))


_STRANGE = "a category that nobody has"
_NUMBERS = (None, 0.0, -1.0, 1e-300, -1e300, 1.7e308, 3e38, 16777217.0)
_ODD: dict[str, tuple[Any, ...]] = {
    "number": _NUMBERS,
    "integer": (0, -1, 16777217, 2**53, -(2**62)),
    "boolean": (None, True, False),
    "category": (None, _STRANGE, ""),
    "text": (None, _STRANGE, ""),
}


def _usual(made: Compiled, kinds: Mapping[str, str], example: Rows) -> list[list[Any]]:
    """By column: what the example holds, what is known, and what lies at a threshold or next to it."""
    pools = [[row[place] for row in example if row[place] is not None] for place in range(len(kinds))]
    whole = [kind == "integer" for kind in kinds.values()]
    limits = _thresholds(made)
    for column, at in zip(made.columns, limits, strict=True):
        if isinstance(column, Lookup):
            pools[column.source] += list(column.table)
            continue
        sent = at * column.scale + column.shift
        near = np.concatenate([sent, np.nextafter(sent, -np.inf), np.nextafter(sent, np.inf)])
        if list(kinds.values())[column.source] != "boolean":
            pools[column.source] += [math.floor(one) for one in near] if whole[column.source] else near.tolist()
    return [pool or [None] for pool in pools]


def _thresholds(made: Compiled) -> list[Floats]:
    """Of each column that the forest sees: the numbers at which its trees split."""
    trees = [made.forest.get_tree_accessor(number) for number in range(made.forest.num_tree)]
    columns = np.concatenate([tree.get_field("split_index") for tree in trees])
    numbers = np.concatenate([tree.get_field("threshold") for tree in trees])
    found = [np.unique(numbers[columns == place]) for place in range(len(made.columns))]
    return [np.asarray(one[np.isfinite(one)], dtype=np.float64) for one in found]


def _drawn(pools: list[list[Any]], count: int, chance: np.random.Generator) -> list[list[Any]]:
    columns = [[pool[one] for one in chance.integers(len(pool), size=count)] for pool in pools]
    return [list(row) for row in zip(*columns, strict=True)]


def _apart(predict: Callable[[Rows], Floats], theirs: Floats | None, rows: Rows) -> float:
    ours = _asked(predict, rows)
    if ours is None or theirs is None:
        return 0.0 if ours is theirs else math.inf
    if ours.shape != theirs.shape:
        return math.inf
    apart: Floats = np.abs(ours - theirs) / np.maximum(1, np.abs(theirs))
    return float(apart.max()) if np.isfinite(apart).all() else math.inf


def _asked(answers: Callable[[Rows], Floats], rows: Rows) -> Floats | None:
    """The answers; None where it refuses."""
    try:
        return answers(rows)
    except Exception:  # of any estimator
        return None
