"""Evaluation: challenger, champion, dummy and earlier champions on the same rows, as evidence."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from evergreen import bootstrap
from evergreen.bootstrap import Gain, Interval
from evergreen.fairness import Disparity
from evergreen.gate import Check
from evergreen.metric import Floats

if TYPE_CHECKING:
    from evergreen.gate import Gates
    from evergreen.model import Model


@dataclass(frozen=True)
class Slice:
    """One value of one slice column: how the challenger does there, and against the champion."""

    column: str
    value: str
    rows: int
    challenger: float
    champion: float | None
    gain: Interval | None


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
    **facts: Any,
) -> Evidence:
    """Score contenders on the same rows, overall and by slice, with paired intervals.

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
    **facts
        What else `Evidence` holds: latency, size, leakage and so on.
    """
    gates, metric = model.gates, model.metric
    times = holdout[model.time].dt.tz_localize(None).to_numpy()
    block, blocks = bootstrap.numbered(times, np.timedelta64(gates.block))
    drawn = bootstrap.weights(max(blocks, 1), gates.resamples, model.seed)
    level = gates.level(looks)
    sums = {name: metric.sums(target, made, block, blocks) for name, made in predictions.items()}
    earlier = [name for name in predictions if name not in ("challenger", "champion", "dummy")]
    earlier_level = gates.level(looks, max(len(earlier), 1))
    refusing = gates.level(0, max(len(earlier), 1))  # what keeps a challenger out asks for no more with every look

    def gain(ours: str, theirs: str, at: float = level) -> Interval:
        return bootstrap.gained(metric, sums[ours], sums[theirs], drawn, at) if blocks else Interval.unknown()

    def score(name: str) -> Interval:
        return bootstrap.scored(metric, sums[name], drawn, level) if blocks else Interval.unknown()

    standing = "champion" in predictions
    return Evidence(
        metric=metric.name,
        greater_is_better=metric.greater_is_better,
        rows=len(holdout),
        blocks=blocks,
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
        slices=list(_sliced(model, holdout, target, predictions)),
        finite=finite_share(predictions["challenger"]),
        calibration=calibration_error(model, target, predictions["challenger"]),
        calibration_low=_calibration_low(model, target, predictions["challenger"], block, drawn),
        champion_calibration=calibration_error(model, target, predictions["champion"]) if standing else None,
        **facts,
    )


def carry(evidence: Evidence, before: Sequence[Gain], gates: "Gates") -> Evidence:
    """Add what challengers that met the same champion before had gained, each on rows of its own.

    Fresh models of one recipe are much alike: what one week is too short to tell, several together
    do. The k-th look spends a part of half the error, as looks at the same rows do
    (`evergreen.gate.Gates.level`); what was a loss counts as what was a gain.
    """
    if evidence.gain is None or not before:
        return evidence
    found = bootstrap.pooled([evidence.gain, *before], gates.level(evidence.looks + len(before), 2))
    known = found if math.isfinite(found.low) else None
    return replace(evidence, carried=known, carried_judgings=len(before))


def finite_share(prediction: Floats) -> float:
    """The share of rows whose prediction is finite; 1 for no rows."""
    return float(np.isfinite(prediction.reshape(len(prediction), -1)).all(axis=1).mean()) if len(prediction) else 1.0


def _sliced(
    model: "Model", holdout: pd.DataFrame, target: NDArray[Any], predictions: dict[str, Floats]
) -> Iterator[Slice]:
    parts = [(column, value, rows) for column in model.slices for value, rows in cells(holdout[column])]
    # Significance keeps a challenger out here: to ask for more of it with every look would let more in.
    judged = sum(len(rows) >= model.gates.slice_rows for _, _, rows in parts)
    level = model.gates.level(0, max(judged, 1))
    times = holdout[model.time].dt.tz_localize(None).to_numpy()
    for column, value, rows in parts:
        block, blocks = bootstrap.numbered(times[rows], np.timedelta64(model.gates.block))
        drawn = bootstrap.weights(blocks, model.gates.resamples, model.seed)
        sums = {
            name: model.metric.sums(target[rows], predictions[name][rows], block, blocks)
            for name in ("challenger", "champion")
            if name in predictions
        }
        scores = {name: float(model.metric.finish(part.sum(axis=0))) for name, part in sums.items()}
        paired = "champion" in sums
        gain = bootstrap.gained(model.metric, sums["challenger"], sums["champion"], drawn, level) if paired else None
        yield Slice(column, value, len(rows), scores["challenger"], scores.get("champion"), gain)


def cells(values: pd.Series) -> Iterator[tuple[str, NDArray[np.intp]]]:
    """The row positions of each value, missing among them."""
    groups: Mapping[Any, ArrayLike] = values.reset_index(drop=True).groupby(values.to_numpy(), dropna=False).indices
    for value, rows in groups.items():
        yield ("missing" if pd.isna(value) else str(value)), np.asarray(rows, dtype=np.intp)


def calibration_error(model: "Model", target: NDArray[Any], prediction: Floats) -> float:
    """How far predictions lie from what came, on average over groups of alike predictions.

    For classes: the expected calibration error of the last class in ten groups of equal size
    (Naeini, Cooper and Hauskrecht, AAAI 2015). For numbers: the distance of the mean prediction
    from the mean target, in standard deviations of the target.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> numbers = SimpleNamespace(task="regression")
    >>> round(calibration_error(numbers, np.array([0.0, 2.0]), np.array([1.0, 2.0])), 3)
    0.5
    """
    if not len(target):
        return math.nan
    off, group, spread = _off(model, target, prediction)
    return float(np.abs(np.bincount(group, off)).sum() / len(target) / spread)


def _off(model: "Model", target: NDArray[Any], prediction: Floats) -> tuple[Floats, NDArray[np.intp], float]:
    """By row how far the prediction lies from what came, its group of alike predictions, and the unit."""
    if model.task == "regression":
        return prediction.reshape(-1) - target, np.zeros(len(target), dtype=np.intp), float(np.std(target)) or 1.0
    probability = prediction[:, -1]
    truth = (target == prediction.shape[1] - 1).astype(np.float64)
    group = np.empty(len(target), dtype=np.intp)
    for place, rows in enumerate(np.array_split(np.argsort(probability, kind="stable"), min(10, len(target)))):
        group[rows] = place
    return probability - truth, group, 1.0


def _calibration_low(
    model: "Model", target: NDArray[Any], prediction: Floats, block: NDArray[np.intp], drawn: Floats
) -> float | None:
    """The low end of the calibration error, its groups as they are; None for too few blocks.

    It keeps a challenger out, so that its level is the same at every look.
    """
    blocks = drawn.shape[1]
    if not len(target) or blocks < 2:
        return None
    off, group, spread = _off(model, target, prediction)
    cells, count = block * (group.max() + 1) + group, blocks * (group.max() + 1)
    sums = np.bincount(cells, off, minlength=count).reshape(blocks, -1)
    rows = np.bincount(block, minlength=blocks).astype(np.float64)

    def error(sums: Floats, rows: Floats) -> Floats:
        return np.asarray(np.abs(sums).sum(axis=-1) / rows / spread)

    value = float(error(sums.sum(axis=0), rows.sum(axis=0)))
    return bootstrap.interval(value, error(drawn @ sums, drawn @ rows), blocks, model.gates.level(0)).low


def separation(model: "Model", rows: pd.DataFrame, target: NDArray[Any], sample: int = 5000) -> dict[str, float]:
    """How far each feature alone explains the target, by a small tree on the other half of rows.

    Returns
    -------
    dict of feature to float
        For numbers R squared, for classes ``2 * AUC - 1`` of the last class, at least 0; a
        feature near 1 is likely to hold the label itself.
    """
    from sklearn.metrics import r2_score, roc_auc_score
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    chosen = _sampled(model, target, sample)
    half = len(chosen) // 2
    answer = target[chosen] if model.task == "regression" else (target[chosen] == np.max(target, initial=0)).astype(int)
    if half < 20 or len(np.unique(answer[:half])) < 2 or len(np.unique(answer[half:])) < 2:
        return {}
    kind = DecisionTreeRegressor if model.task == "regression" else DecisionTreeClassifier
    found = {}
    for name in model.features:
        column = _as_numbers(rows[name].iloc[chosen], answer[:half])
        tree = kind(max_leaf_nodes=256, random_state=model.seed).fit(column[:half], answer[:half])
        if model.task == "regression":
            found[name] = max(0.0, float(r2_score(answer[half:], tree.predict(column[half:]))))
        else:
            found[name] = max(0.0, 2 * float(roc_auc_score(answer[half:], tree.predict_proba(column[half:])[:, 1])) - 1)
    return found


def _sampled(model: "Model", target: NDArray[Any], sample: int) -> NDArray[np.intp]:
    """Row positions; of classes half are of the last, however rare, and each half of them alike."""
    shuffled = np.random.default_rng(model.seed).permutation(len(target))
    if model.task == "regression":
        return shuffled[:sample]
    last = target[shuffled] == np.max(target, initial=0)
    parts = [shuffled[last][: sample // 2], shuffled[~last][: sample // 2]]
    return np.concatenate([part[half::2] for half in (0, 1) for part in parts])


def _as_numbers(values: pd.Series, answer: NDArray[Any]) -> Floats:
    """Numbers as they are, all else by the mean answer of its value in the first half."""
    if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return values.to_numpy(dtype=np.float64, na_value=np.nan)[:, None]
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return np.asarray(values.astype("int64"), dtype=np.float64)[:, None]
    means = pd.Series(answer).groupby(values.to_numpy()[: len(answer)]).mean()
    return values.map(means).to_numpy(dtype=np.float64)[:, None]


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
