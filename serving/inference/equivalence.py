"""Whether a compiled pipeline predicts what the estimator predicts: compared on drawn rows before use."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from evergreen.definition.kinds.register import kind_of
from serving.inference.compiled_pipeline import Compiled, Floats, Lookup, Rows

# The largest accepted difference from the pipeline's own predictions, relative for numbers above 1.
AGREED = 1e-12
AGREED_SINGLE = 1e-6  # of a forest that predicts in single precision: XGBoost's exponential is not numpy's


def agrees(compiled: Compiled, difference: float) -> bool:
    """Whether a measured difference is small enough for the compiled pipeline to be used."""
    return difference <= (AGREED_SINGLE if compiled.forest.output_type == "float32" else AGREED)


def difference(
    compiled: Compiled, answers: Callable[[Rows], Floats], kinds: Mapping[str, str], example: Rows, seed: int = 0
) -> float:
    """The largest difference between the compiled and the original pipeline's predictions, over ten thousand rows.

    The rows are drawn, column by column, from the example, the categories that are known and one
    that is not, missing values, the forest's thresholds and the numbers next to them, and numbers
    that are tiny and huge. Rows that the pipeline refuses must be refused here too.

    Parameters
    ----------
    compiled : Compiled
    answers : callable
        The original pipeline: from rows to (n, outputs); it raises if it cannot predict.
    kinds : mapping of column to kind
    example : rows
    seed : int

    Returns
    -------
    float
        Relative for numbers above 1; infinite if only one of them can predict.
    """
    rng = np.random.default_rng(seed)
    pools, extremes = _value_pools(compiled, kinds, example), [kind_of(kind).extremes for kind in kinds.values()]
    rows = _sample(pools, 5_000, rng)
    own = _predict_or_none(answers, rows)
    if own is None:  # nothing to compare with
        return math.inf
    worst, accepted = _largest_difference(compiled.predict, own, rows), []
    for place, values in enumerate(extremes):
        changed = {value: [[*row[:place], value, *row[place + 1 :]] for row in rows[:20]] for value in values}
        theirs = {value: _predict_or_none(answers, few) for value, few in changed.items()}
        worst = max(
            worst, *(_largest_difference(compiled.predict, theirs[value], few) for value, few in changed.items())
        )
        accepted.append([value for value in values if theirs[value] is not None])
    mixed = _sample([few + also * (1 + len(few) // 20) for few, also in zip(pools, accepted, strict=True)], 5_000, rng)
    return max(worst, _largest_difference(compiled.predict, _predict_or_none(answers, mixed), mixed))


def _value_pools(compiled: Compiled, kinds: Mapping[str, str], example: Rows) -> list[list[Any]]:
    """By column: what the example holds, what is known, and what lies at a threshold or next to it."""
    pools = [[row[place] for row in example if row[place] is not None] for place in range(len(kinds))]
    whole = [kind == "integer" for kind in kinds.values()]
    limits = _thresholds(compiled)
    for column, at in zip(compiled.columns, limits, strict=True):
        if isinstance(column, Lookup):
            pools[column.source] += list(column.table)
            continue
        sent = at * column.scale + column.shift
        near = np.concatenate([sent, np.nextafter(sent, -np.inf), np.nextafter(sent, np.inf)])
        if column.single:
            one = sent.astype(np.float32)
            near = np.concatenate([near, np.nextafter(one, np.float32(-np.inf)), np.nextafter(one, np.float32(np.inf))])
        if list(kinds.values())[column.source] != "boolean":
            pools[column.source] += [math.floor(number) for number in near] if whole[column.source] else near.tolist()
    return [pool or [None] for pool in pools]


def _thresholds(compiled: Compiled) -> list[Floats]:
    """Of each column that the forest sees: the numbers at which its trees split."""
    trees = [compiled.forest.get_tree_accessor(number) for number in range(compiled.forest.num_tree)]
    columns = np.concatenate([tree.get_field("split_index") for tree in trees])
    numbers = np.concatenate([tree.get_field("threshold") for tree in trees])
    by_column = [np.unique(numbers[columns == place]) for place in range(len(compiled.columns))]
    return [np.asarray(thresholds[np.isfinite(thresholds)], dtype=np.float64) for thresholds in by_column]


def _sample(pools: list[list[Any]], count: int, rng: np.random.Generator) -> list[list[Any]]:
    columns = [[pool[position] for position in rng.integers(len(pool), size=count)] for pool in pools]
    return [list(row) for row in zip(*columns, strict=True)]


def _largest_difference(predict: Callable[[Rows], Floats], theirs: Floats | None, rows: Rows) -> float:
    ours = _predict_or_none(predict, rows)
    if ours is None or theirs is None:
        return 0.0 if ours is theirs else math.inf
    if ours.shape != theirs.shape:
        return math.inf
    apart: Floats = np.abs(ours - theirs) / np.maximum(1, np.abs(theirs))
    return float(apart.max()) if np.isfinite(apart).all() else math.inf


def _predict_or_none(answers: Callable[[Rows], Floats], rows: Rows) -> Floats | None:
    """The predictions; None if it raises."""
    try:
        return answers(rows)
    except Exception:  # of any estimator
        return None
