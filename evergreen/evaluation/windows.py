"""Comparisons of two training windows, for the record by which `Training(window="auto")` chooses."""

import math
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from evergreen.definition.options import AUTO
from evergreen.errors import EvergreenError
from evergreen.evaluation import performance
from evergreen.evaluation.performance import Realised
from evergreen.training import fitting, recipe, window
from evergreen.training.snapshot import Snapshot
from evergreen.training.split import Split
from evergreen.training.window import Window, WindowComparison

if TYPE_CHECKING:
    from evergreen.registry.registry import Registry
    from evergreen.registry.version import Version


def compared(snapshot: Snapshot, registry: "Registry", versions: Sequence["Version"]) -> list[WindowComparison]:
    """The comparisons that a training adds to the record, all on rows before its holdout.

    The model that the training before judged is compared with another window, in turn, of the same cut-off: on the
    rows from that training's holdout on, which neither has seen. Where no training with this code came before, all
    windows are compared on the rows just before the holdout.

    Parameters
    ----------
    snapshot : Snapshot
        Of the training.
    registry : Registry
    versions : sequence of Version
        Of the model.

    Returns
    -------
    list of WindowComparison
        Empty for a fixed window, and where the same training was recorded before.
    """
    if snapshot.model.training.window != AUTO:
        return []
    now = recipe.whole(snapshot)
    judged = [version for version in window.alike(snapshot.model, versions) if not version.refit_of]
    before = [version for version in judged if recipe.split_of(version).holdout_from < now.holdout_from]
    if any(recipe.split_of(version).holdout_until == now.holdout_until for version in judged):
        return []
    with warnings.catch_warnings(action="ignore"):  # of models that nobody keeps
        if not before:
            return _first(snapshot, now)
        last = max(before, key=lambda version: recipe.split_of(version).holdout_from)
        return _with_last(snapshot, registry, last, window.recorded(snapshot.model, versions), now)


def _with_last(
    snapshot: Snapshot,
    registry: "Registry",
    last: "Version",
    record: Sequence[WindowComparison],
    now: Split,
) -> list[WindowComparison]:
    """The window of the training before, and those whose turn it is.

    These are as many as hold together no more rows than that one, so that they cost no more to fit; at least one.
    """
    bounds = recipe.split_of(last)
    there = {window.name_of(length): length for length in window.lengths(snapshot, bounds.train_until)}
    used = window.name_of(bounds.window)
    others = _affordable(
        snapshot, bounds, {name: there[name] for name in window.waiting([*there], record) if name != used}
    )
    rows = snapshot.labelled(bounds.holdout_from, now.holdout_from)
    if not others or rows.empty:
        return []
    own = _scored(snapshot, lambda: registry.load(last), rows)
    return [
        _compared(snapshot, (used, name), own, its, now.holdout_from, rows)
        for name, its in _each_scored(snapshot, bounds, others, last.params, rows).items()
    ]


def _affordable(snapshot: Snapshot, bounds: Split, others: dict[str, Window]) -> dict[str, Window]:
    """The first window, and of the others those that fit into the rows of the one that was used."""
    left, chosen = _rows(snapshot, bounds, bounds.window), dict[str, Window]()
    for name, length in others.items():
        rows = _rows(snapshot, bounds, length)
        if chosen and rows > left:
            continue
        chosen[name], left = length, left - rows
    return chosen


def _rows(snapshot: Snapshot, bounds: Split, length: Window) -> int:
    return snapshot.count(bounds.reaching_back(length).train_from, bounds.train_until)


def _first(snapshot: Snapshot, now: Split) -> list[WindowComparison]:
    """All windows on the block of rows just before the holdout, as long as that."""
    holdout = snapshot.model.training.holdout
    bounds = Split(None, now.train_until - holdout, now.holdout_from - holdout, now.holdout_from)
    rows = snapshot.labelled(bounds.holdout_from, bounds.holdout_until)
    lengths = {window.name_of(length): length for length in window.lengths(snapshot, bounds.train_until)}
    scored = _each_scored(snapshot, bounds, lengths, {}, rows)
    longest = next((name for name, realised in scored.items() if realised), "")
    return [
        _compared(snapshot, (longest, name), scored[longest], realised, bounds.holdout_until, rows)
        for name, realised in scored.items()
        if realised and name != longest
    ]


def _each_scored(
    snapshot: Snapshot, bounds: Split, lengths: dict[str, Window], params: dict[str, Any], rows: pd.DataFrame
) -> dict[str, Realised | None]:
    """The performance of each window; None of one that cannot be fitted, or cannot predict."""

    def fitted(length: Window) -> Any:
        return fitting.fit(snapshot.model, snapshot.training(bounds.reaching_back(length)), params)

    return {name: _scored(snapshot, partial(fitted, length), rows) for name, length in lengths.items()}


def _scored(snapshot: Snapshot, estimator: Callable[[], Any], rows: pd.DataFrame) -> Realised | None:
    try:
        return performance.realised(snapshot.model, estimator(), rows)
    except EvergreenError:
        return None


def _compared(
    snapshot: Snapshot,
    names: tuple[str, str],
    own: Realised | None,
    its: Realised | None,
    until: pd.Timestamp,
    rows: pd.DataFrame,
) -> WindowComparison:
    """Two windows on the same rows; of an unknown gain if one of them has no performance."""
    gain = performance.gain(snapshot.model, [own], [its])
    scale = abs(its.value) if its and its.value else math.nan
    span = float((until - rows[snapshot.model.time].min()) / window.unit(snapshot.model)) if len(rows) else 0.0
    value, low, high = (bound / scale for bound in (gain.value, gain.low, gain.high))
    return WindowComparison(*names, value, low, high, len(rows), until.isoformat(), min(1.0, span))
