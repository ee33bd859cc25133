"""The drift of a model's columns, and the distributions of one beside its reference."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import pandas as pd

from evergreen.drift.bins import MISSING
from evergreen.drift.columns import Drift
from evergreen.drift.profile import Column, Profile
from evergreen.lake.lake import Bare
from evergreen.monitoring import observation, profile_store, reference
from evergreen.monitoring.observation import Observation
from evergreen.monitoring.reference import PREDICTION, Reference
from evergreen.stores import Stores
from ui.facts.model import defined

if TYPE_CHECKING:
    from evergreen.definition.model import Model

_HISTORY = 120  # checks of which a column's distance is shown
_RECENT = 60  # checks of which each column has a line
_SHOWN = 24  # categories; the rest are counted together


@dataclass(frozen=True)
class Bar:
    """One bin: its label, and the share of the rows in it then and now; NaN for no rows."""

    label: str
    reference: float
    current: float


@dataclass(frozen=True)
class ColumnDrift:
    """One column beside its reference.

    Attributes
    ----------
    drift : Drift
    history : list of (str, float, float)
        The end of a window, the distance and its threshold; oldest first.
    since, until : str
        The current window; ISO 8601.
    reference_since, reference_until : str
        Empty if the reference cannot be read.
    rows, reference_rows : int
        Counted now, and in the reference.
    bars : list of Bar
    kind : str
        Of its values, as the model file says: of a text the length is counted.
    missing : str
        Why there are no bars; empty if there are.
    """

    drift: Drift
    history: list[tuple[str, float, float]]
    since: str
    until: str
    reference_since: str = ""
    reference_until: str = ""
    rows: int = 0
    reference_rows: int = 0
    bars: list[Bar] = field(default_factory=list)
    kind: str = ""
    missing: str = ""


@dataclass(frozen=True)
class Checked:
    """The newest check of a model, and how its columns did in those before.

    Attributes
    ----------
    seen : Observation
        Of a monitor or a backtest.
    columns : list of Drift
        Prediction and label first, then the features, the most important first.
    times : dict of column to list of (str, float)
        The end of a window, and the distance as a multiple of its threshold; oldest first.
    """

    seen: Observation
    columns: list[Drift]
    times: dict[str, list[tuple[str, float]]]

    def first(self, most: int) -> list[Drift]:
        """The most important columns, and those that drifted."""
        return [drift for place, drift in enumerate(self.columns) if place < most or drift.drifted]


def checked(stores: Stores, name: str) -> Checked | None:
    """The newest check of a model; None before the first."""
    seen = observation.read(stores.lake, Bare(name), most=_RECENT)
    if not seen:
        return None
    times: dict[str, list[tuple[str, float]]] = {}
    for then in seen:
        for drift in then.drift:
            if math.isfinite(drift.times):
                times.setdefault(drift.column, []).append((then.until, drift.times))
    return Checked(seen[-1], ordered(seen[-1].drift), times)


def ordered(drifts: list[Drift]) -> list[Drift]:
    """Prediction and label first, then the features, the most important first."""
    return sorted(drifts, key=lambda drift: drift.rank, reverse=True)


def of_columns(stores: Stores, name: str) -> dict[str, ColumnDrift]:
    """Each column of a model's newest observation; what is read of the stores is read once for all of them."""
    seen = observation.read(stores.lake, Bare(name), most=_HISTORY)
    if not seen:
        return {}
    history: dict[str, list[tuple[str, float, float]]] = {}
    for then in seen:
        for drift in then.drift:
            history.setdefault(drift.column, []).append((then.until, drift.measures.jensen_shannon, drift.threshold))
    last = seen[-1]
    model, version = defined(name), stores.registry.find(name, last.version)
    base = reference.load(stores.registry, model, version) if model is not None and version is not None else None

    @cache
    def counted(until: pd.Timestamp) -> Profile:
        assert model is not None
        assert base is not None
        return profile_store.between(stores.lake, model, last.version, base, until - model.monitoring.window, until)

    return {
        drift.column: _with_bars(
            ColumnDrift(drift, history[drift.column], last.since, last.until), model, base, last, counted
        )
        for drift in last.drift
    }


def _with_bars(
    found: ColumnDrift,
    model: "Model | None",
    base: Reference | None,
    seen: Observation,
    counted: Callable[[pd.Timestamp], Profile],
) -> ColumnDrift:
    def without(why: str) -> ColumnDrift:
        return replace(found, missing=why)

    if model is None:
        return without("The distributions are read by the model file, which does not run.")
    column = _profiled(model, found.drift.column)
    if column in model.serving.private:
        return without("The column is private (serving.private), so no page shows its values.")
    if base is None or column not in base.profile.columns:
        return without("The version that was observed keeps no reference of this column.")
    return _compared(model, base, column, found, seen, counted)


def _profiled(model: "Model", shown: str) -> str:
    """The name of a column in a profile: the prediction has one that no column of a table can have."""
    return PREDICTION if shown == PREDICTION or (shown == "prediction" and shown not in model.columns) else shown


def _compared(
    model: "Model",
    base: Reference,
    column: str,
    found: ColumnDrift,
    seen: Observation,
    counted: Callable[[pd.Timestamp], Profile],
) -> ColumnDrift:
    until = pd.Timestamp(seen.ripened if column == model.target and seen.ripened else seen.until)
    since, window = until - model.monitoring.window, counted(until)
    then, now = base.profile.columns[column].total(), window.columns[column].total()
    units = base.profile.units[base.profile.columns[column].counts.sum(axis=1) > 0]
    kind = "number" if column == PREDICTION else reference.kinds(model)[column]
    return replace(
        found,
        since=since.isoformat(),
        until=until.isoformat(),
        reference_since=str(units[0])[:19] if len(units) else "",
        reference_until=str(units[-1])[:19] if len(units) else "",
        rows=now.rows,
        reference_rows=then.rows,
        bars=_bars(then, now, kind),
        kind=kind,
        missing="" if now.rows else "No row of the window has been counted.",
    )


def _bars(then: Column, now: Column, kind: str) -> list[Bar]:
    labels = _labels(then, kind)
    ours, theirs = _shares(now), _shares(then)
    bars = [Bar(label, *shares) for label, *shares in zip(labels, theirs, ours, strict=True)]
    if len(bars) <= _SHOWN + 2:
        return bars
    rest = bars[_SHOWN:-2]  # what is "other" and what is missing stand last
    summed = Bar(f"{len(rest)} more", sum(bar.reference for bar in rest), sum(bar.current for bar in rest))
    return [*bars[:_SHOWN], summed, *bars[-2:]]


def _labels(column: Column, kind: str) -> list[str]:
    """A label for each slot: of numbers the range, of times in minutes."""
    if column.bins.kind == "category" or not column.bins.edges:
        return column.bins.labels
    edges = [_edge(edge, kind) for edge in column.bins.edges]
    between = [f"{low} to {high}" for low, high in pairwise(edges)]
    return [f"up to {edges[0]}", *between, f"above {edges[-1]}", MISSING]


def _edge(edge: float, kind: str) -> str:
    return f"{pd.Timestamp(edge, unit='s'):%Y-%m-%d %H:%M}" if kind == "datetime" else f"{edge:.4g}"


def _shares(column: Column) -> list[float]:
    total = column.rows
    return [float(count) / total if total else math.nan for count in column.counts[0]]
