"""The evidence that gates judge: how challenger, champion, dummy and earlier champions do on the same rows."""

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
    """The requirements besides a better metric; fields as in `Evidence`."""

    finite: float
    signature_changes: list[str] | None
    reload_error: str


@dataclass(frozen=True)
class Evidence:
    """The input of the gates, stored as JSON.

    Attributes
    ----------
    metric, greater_is_better : str, bool
    rows, blocks : int
        The holdout rows that no compared model was trained on.
    since, until : str or None
        The period of those rows.
    level, looks : float, int
        The confidence of the intervals, and how many earlier evaluations used these rows.
    champion_level : float or None
        That of `over_champion`, if it is not `level`.
    challenger, champion, dummy : Interval
        The metric of each; the champion is None for a first model.
    stand_in : str
        The version that took the champion's place, if the champion had seen these rows: the one that it is a refit of.
    champion_error : str
        The error of the champion, if it cannot predict these rows.
    over_champion, over_dummy : Interval
        The challenger's gain, paired on the same rows; positive is better.
    carried, carried_judgings : Interval or None, int
        The mean gain of this challenger and of earlier challengers of the same champion, each on
        separate rows (None without earlier ones), and how many earlier ones there were.
    earlier_over_champion, earlier_over_challenger : dict of version to Interval
        The gains of earlier champions.
    earlier_over_answering : dict of version to Interval
        The same over the champion itself, where a version takes its place, on the newest of these rows, which it has
        not seen; of those for which there are enough.
    earlier : dict of version to Soundness
        Of the earlier champions that are better than the champion.
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
        Changes that break callers of the champion; None without a champion.
    reload_error : str
        Empty if the model, loaded in a fresh process, repeats its predictions.
    latency_ms, size_mb : float
    disparities : list of Disparity
        Between groups, if the model file requires fairness.
    own : list of Check
        Of the custom gates in the model file.
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
    champion_level: float | None = None
    stand_in: str = ""
    earlier_over_answering: dict[str, Interval] = field(default_factory=dict)

    def metrics(self) -> dict[str, float]:
        """The finite scores, for charts over many trainings."""
        named = {"challenger": self.challenger, "champion": self.champion, "dummy": self.dummy}
        scores = {f"{self.metric}/{name}": interval.value for name, interval in named.items() if interval is not None}
        return {name: value for name, value in scores.items() if math.isfinite(value)}

    @property
    def gain(self) -> Gain | None:
        """The challenger's gain over the champion, with its level and blocks; None without a champion."""
        if self.over_champion is None:
            return None
        return Gain(self.over_champion, self.champion_level or self.level, self.blocks)

    def enough(self, gates: "Gates") -> bool:
        """Whether there are enough rows and blocks to judge."""
        return self.rows >= gates.min_rows and self.blocks >= gates.min_blocks


def compare(
    model: "Model",
    holdout: pd.DataFrame,
    target: NDArray[Any],
    predictions: dict[str, Floats],
    *,
    looks: int = 0,
) -> Evidence:
    """Score models on the same rows, overall and by slice, with paired intervals.

    Fields that do not follow from the predictions alone (latency, size, leakage and so on) keep their defaults.

    Parameters
    ----------
    model : Model
        Its metric, slices, gates and seed.
    holdout : DataFrame
        Rows that no compared model was trained on, with time and slice columns.
    target : array (n,)
        Numbers, or the position of each row's class.
    predictions : dict of name to array
        ``"challenger"`` and ``"dummy"`` always, ``"champion"`` if there is one; any other name
        is an earlier champion.
    looks : int
        How many earlier evaluations used these rows.
    """
    gates, metric = model.gates, model.metric
    blocks = Blocks.of(model, holdout[model.time])
    level, champion_level = gates.level(looks), gates.champion_level(looks)
    sums = {name: blocks.sums(metric, target, prediction) for name, prediction in predictions.items()}
    earlier = [name for name in predictions if name not in ("challenger", "champion", "dummy")]
    earlier_level = gates.level(looks, max(len(earlier), 1))
    # An earlier champion's gain over the challenger only refuses. Repeated evaluations raise the chance of a wrong
    # promotion, and a refusal promotes nothing: it needs no more confidence than in a first evaluation.
    refusing = gates.level(0, max(len(earlier), 1))
    unknown = Interval.unknown()

    def gain(ours: str, theirs: str, at: float = level) -> Interval:
        return bootstrap.paired_gain(metric, sums[ours], sums[theirs], blocks.drawn, at) if blocks.count else unknown

    def score(name: str) -> Interval:
        return bootstrap.score_interval(metric, sums[name], blocks.drawn, level) if blocks.count else unknown

    has_champion = "champion" in predictions
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
        champion=score("champion") if has_champion else None,
        dummy=score("dummy"),
        over_champion=gain("challenger", "champion", champion_level) if has_champion else None,
        champion_level=None if champion_level == level else champion_level,
        over_dummy=gain("challenger", "dummy"),
        earlier_over_champion={name: gain(name, "champion", earlier_level) for name in earlier if has_champion},
        earlier_over_challenger={name: gain(name, "challenger", refusing) for name in earlier},
        slices=list(sliced(model, holdout, target, predictions)),
        finite=finite_share(predictions["challenger"]),
        calibration=calibration_error(model, target, predictions["challenger"]),
        calibration_low=calibration_low(model, target, predictions["challenger"], blocks),
        champion_calibration=calibration_error(model, target, predictions["champion"]) if has_champion else None,
    )


def carry(evidence: Evidence, before: Sequence[Gain], gates: "Gates") -> Evidence:
    """Pool the gain with those of earlier challengers of the same champion, each on separate rows.

    Models of one model file are similar: several weeks together can show a gain that one week is too short
    to show. Losses are pooled as well as gains. The pooled gain is one more way to pass, so it has an error budget
    of its own, half of `alpha`. Each evaluation of a challenger of this champion spends a part of it
    (`evergreen.definition.gates.Gates.level`): the chance that any of them errs stays within the budget.
    """
    if evidence.gain is None or not before:
        return evidence
    pooled = bootstrap.pooled([evidence.gain, *before], gates.level(evidence.looks + len(before), 2))
    carried = pooled if math.isfinite(pooled.low) else None
    return replace(evidence, carried=carried, carried_judgings=len(before))


def finite_share(prediction: Floats) -> float:
    """The share of rows whose prediction is finite; 1 for no rows."""
    return float(np.isfinite(prediction.reshape(len(prediction), -1)).all(axis=1).mean()) if len(prediction) else 1.0


def latency(work: Callable[[], Any], repeats: int = 11) -> float:
    """The minimum time of a call in milliseconds, after a warm-up: other load on the machine only adds to it."""
    from time import perf_counter

    work()
    seconds = []
    for _ in range(repeats):
        start = perf_counter()
        work()
        seconds.append(perf_counter() - start)
    return 1000 * min(seconds)
