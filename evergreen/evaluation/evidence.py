"""Evaluation: challenger, champion, dummy and earlier champions on the same rows, as evidence."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen.definition.gates import Check
from evergreen.definition.metrics import Floats
from evergreen.evaluation import bootstrap
from evergreen.evaluation.bootstrap import Blocks, Gain, Interval
from evergreen.evaluation.calibration import calibration_error, calibration_low
from evergreen.evaluation.fairness import Disparity
from evergreen.evaluation.slices import Slice, sliced

if TYPE_CHECKING:
    from evergreen.definition.gates import Gates
    from evergreen.definition.model import Model


@dataclass(frozen=True)
class Soundness:
    """What is asked of a model besides being better, each as in `Evidence`."""

    finite: float
    signature_changes: list[str] | None
    reload_error: str


@dataclass(frozen=True)
class Evidence:
    """All that the gates look at, small enough to keep as JSON.

    Attributes
    ----------
    metric, greater_is_better : str, bool
    rows, blocks : int
        Of the holdout that every contender may be judged on.
    since, until : str or None
        The period of those rows.
    level, looks : float, int
        The confidence of the intervals, and how often these rows were judged on before.
    challenger, champion, dummy : Interval
        The metric of each; the champion is None for a first model.
    champion_error : str
        Why the champion cannot answer these rows, if it raises on them.
    over_champion, over_dummy : Interval
        The challenger's gain, paired on the same rows; positive is better.
    carried, carried_judgings : Interval or None, int
        The mean gain of this challenger and of those that met the same champion before, each on
        rows of its own; None where there were none. How many there were.
    earlier_over_champion, earlier_over_challenger : dict of version to Interval
        The gains of earlier champions.
    earlier : dict of version to Soundness
        Of those that beat the champion.
    slices : list of Slice
    finite : float
        The share of the challenger's predictions that are finite.
    calibration, champion_calibration, calibration_low : float
        See `calibration_error`; the challenger's with the low end of its interval.
    overlap : int
        Rows of the holdout that are no later than the newest row that the challenger was fitted on.
    separation : dict of feature to float
        How far each feature alone explains the target, 0 to 1.
    signature_changes : list of str or None
        What callers of the champion would trip over; None without a champion.
    reload_error : str
        Empty if the model, loaded in a fresh process, repeats its predictions.
    latency_ms, size_mb : float
    disparities : list of Disparity
        Between groups, where the model file asks for them.
    own : list of Check
        Of the model file's own gates.
    """

    metric: str
    greater_is_better: bool
    rows: int
    blocks: int
    since: str | None
    until: str | None
    level: float
    looks: int
    challenger: Interval
    champion: Interval | None
    dummy: Interval
    over_champion: Interval | None
    over_dummy: Interval
    carried: Interval | None = None
    carried_judgings: int = 0
    earlier_over_champion: dict[str, Interval] = field(default_factory=dict)
    earlier_over_challenger: dict[str, Interval] = field(default_factory=dict)
    earlier: dict[str, Soundness] = field(default_factory=dict)
    slices: list[Slice] = field(default_factory=list)
    champion_error: str = ""
    finite: float = 1.0
    calibration: float = 0.0
    champion_calibration: float | None = None
    calibration_low: float | None = None
    overlap: int = 0
    separation: dict[str, float] = field(default_factory=dict)
    signature_changes: list[str] | None = None
    reload_error: str = ""
    latency_ms: float = 0.0
    size_mb: float = 0.0
    disparities: list[Disparity] = field(default_factory=list)
    own: list[Check] = field(default_factory=list)

    def metrics(self) -> dict[str, float]:
        """The numbers that are worth a chart over many trainings."""
        named = {"challenger": self.challenger, "champion": self.champion, "dummy": self.dummy}
        scores = {f"{self.metric}/{name}": one.value for name, one in named.items() if one is not None}
        return {name: value for name, value in scores.items() if math.isfinite(value)}

    @property
    def gain(self) -> Gain | None:
        """The challenger's gain over the champion, with what it rests on; None without a champion."""
        return None if self.over_champion is None else Gain(self.over_champion, self.level, self.blocks)

    def enough(self, gates: "Gates") -> bool:
        """Whether there are rows and blocks enough to judge on at all."""
        return self.rows >= gates.min_rows and self.blocks >= gates.min_blocks


def compare(
    model: "Model",
    holdout: pd.DataFrame,
    target: NDArray[Any],
    predictions: dict[str, Floats],
    *,
    looks: int = 0,
) -> Evidence:
    """Score contenders on the same rows, overall and by slice, with paired intervals.

    What does not follow from the predictions alone (latency, size, leakage and so on) keeps its default.

    Parameters
    ----------
    model : Model
        Its metric, slices, gates and seed.
    holdout : DataFrame
        The rows that no contender has seen, with time and slice columns.
    target : array (n,)
        Numbers, or the position of each row's class.
    predictions : dict of name to array
        ``"challenger"`` and ``"dummy"`` always, ``"champion"`` if there is one; any other name
        is an earlier champion.
    looks : int
        How often these rows were judged on before.
    """
    gates, metric = model.gates, model.metric
    blocks = Blocks.of(model, holdout[model.time])
    level = gates.level(looks)
    sums = {name: blocks.sums(metric, target, made) for name, made in predictions.items()}
    earlier = [name for name in predictions if name not in ("challenger", "champion", "dummy")]
    earlier_level = gates.level(looks, max(len(earlier), 1))
    refusing = gates.level(0, max(len(earlier), 1))  # rejections always use the first look's level
    unknown = Interval.unknown()

    def gain(ours: str, theirs: str, at: float = level) -> Interval:
        return bootstrap.gained(metric, sums[ours], sums[theirs], blocks.drawn, at) if blocks.count else unknown

    def score(name: str) -> Interval:
        return bootstrap.scored(metric, sums[name], blocks.drawn, level) if blocks.count else unknown

    standing = "champion" in predictions
    return Evidence(
        metric=metric.name,
        greater_is_better=metric.greater_is_better,
        rows=len(holdout),
        blocks=blocks.count,
        since=holdout[model.time].min().isoformat() if len(holdout) else None,
        until=holdout[model.time].max().isoformat() if len(holdout) else None,
        level=level,
        looks=looks,
        challenger=score("challenger"),
        champion=score("champion") if standing else None,
        dummy=score("dummy"),
        over_champion=gain("challenger", "champion") if standing else None,
        over_dummy=gain("challenger", "dummy"),
        earlier_over_champion={name: gain(name, "champion", earlier_level) for name in earlier if standing},
        earlier_over_challenger={name: gain(name, "challenger", refusing) for name in earlier},
        slices=list(sliced(model, holdout, target, predictions)),
        finite=finite_share(predictions["challenger"]),
        calibration=calibration_error(model, target, predictions["challenger"]),
        calibration_low=calibration_low(model, target, predictions["challenger"], blocks),
        champion_calibration=calibration_error(model, target, predictions["champion"]) if standing else None,
    )


def carry(evidence: Evidence, before: Sequence[Gain], gates: "Gates") -> Evidence:
    """Add what challengers that met the same champion before had gained, each on rows of its own.

    Fresh models of one recipe are much alike: what one week is too short to tell, several together
    do. The k-th look spends a part of half the error, as looks at the same rows do
    (`evergreen.definition.gates.Gates.level`); what was a loss counts as what was a gain.
    """
    if evidence.gain is None or not before:
        return evidence
    found = bootstrap.pooled([evidence.gain, *before], gates.level(evidence.looks + len(before), 2))
    known = found if math.isfinite(found.low) else None
    return replace(evidence, carried=known, carried_judgings=len(before))


def finite_share(prediction: Floats) -> float:
    """The share of rows whose prediction is finite; 1 for no rows."""
    return float(np.isfinite(prediction.reshape(len(prediction), -1)).all(axis=1).mean()) if len(prediction) else 1.0


def latency(work: Callable[[], Any], repeats: int = 11) -> float:
    """Measure the least milliseconds of a call, the first one left out: what else the machine does adds to the rest."""
    from time import perf_counter

    work()
    taken = []
    for _ in range(repeats):
        start = perf_counter()
        work()
        taken.append(perf_counter() - start)
    return 1000 * min(taken)
