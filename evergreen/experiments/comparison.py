"""What an experiment came to: each variant against the model's own recipe, with intervals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from evergreen.durations import as_text
from evergreen.evaluation import performance
from evergreen.evaluation.bootstrap import Interval
from evergreen.evaluation.performance import Realised
from evergreen.experiments.rolling import Experiment, Scored
from evergreen.json_record import JsonRecord

if TYPE_CHECKING:
    from evergreen.definition.model import Model

_EMPTY = "There are no labelled rows in any of the periods."
Found = Literal["better", "worse", "no difference shown", "failed"]


@dataclass(frozen=True)
class Period:
    """One period: what the variant came to, and its gain over the model's own recipe."""

    since: str
    rows: int
    value: float
    gain: Interval


@dataclass(frozen=True)
class SliceGain:
    """One value of a slice column."""

    column: str
    value: str
    rows: int
    metric: float
    gain: Interval


@dataclass(frozen=True)
class Result:
    """What one variant came to.

    Attributes
    ----------
    name : str
    value : Interval
        The metric over all periods.
    gain : Interval
        Over the model's own recipe on the same rows; positive is better. Unknown for that recipe itself.
    found : str
        ``"better"`` or ``"worse"`` beyond chance, ``"no difference shown"`` or ``"failed"``.
    worst : SliceGain or None
        The slice with the lowest gain of those that are worse beyond chance.
    slices, periods : list
    seconds : float
        CPU seconds of all fits and predictions.
    problems : list of str
        Why periods are missing.
    diff : str
        What to change in the model file.
    """

    name: str
    value: Interval
    gain: Interval
    found: Found
    worst: SliceGain | None
    slices: list[SliceGain] = field(default_factory=list)
    periods: list[Period] = field(default_factory=list)
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)
    diff: str = ""


@dataclass(frozen=True)
class Compared(JsonRecord):
    """The result of an experiment.

    Attributes
    ----------
    model, metric : str
    since, until : str
        Of the periods; ISO 8601. The rows from `until` on were not read.
    step : str
        The length of a period.
    count : int
        Of periods.
    version : int
        Of the table of rows.
    rows : int
    level : float
        The confidence of each gain, shared over the variants.
    own : Result
    variants : list of Result
    note : str
        What a reader should know of the history; empty for nothing.
    """

    model: str
    metric: str
    since: str
    until: str
    step: str
    count: int
    version: int
    rows: int
    level: float
    own: Result
    variants: list[Result]
    note: str = ""

    @property
    def results(self) -> list[Result]:
        """All variants, the model's own first."""
        return [self.own, *self.variants]

    @property
    def best(self) -> Result | None:
        """The variant with the highest gain of those that are better beyond chance."""
        better = [result for result in self.variants if result.found == "better"]
        return max(better, key=lambda result: result.gain.value, default=None)

    @property
    def sentence(self) -> str:
        """The result in words."""
        span = f"over {self.count} periods of {self.step} from {self.since[:10]} to {self.until[:10]}"
        if self.best:
            return f"{self.best.name} is better than the {self.own.name} {span}, beyond chance."
        if all(result.found == "failed" for result in self.variants):
            return f"No variant could be compared: {self.variants[0].problems[0]}"
        worse = [result.name for result in self.variants if result.found == "worse"]
        if len(worse) == len(self.variants):
            return f"{' and '.join(worse)} {'is' if len(worse) == 1 else 'are'} worse {span}, beyond chance."
        return f"No variant is better than the {self.own.name} {span} beyond chance."


def compare(experiment: Experiment, scores: Sequence[Sequence[Scored]], diffs: Sequence[str]) -> Compared:
    """Compare the variants of an experiment.

    Parameters
    ----------
    experiment : Experiment
    scores : list of list of Scored
        Of each variant in each period, the model's own first.
    diffs : list of str
        What each variant changes in the model file.
    """
    model, edges = experiment.model, experiment.edges
    level = model.gates.level(0, max(len(experiment.variants), 1))
    own, *others = scores
    results = [
        _result(experiment, variant.name, own, its, level, diff)
        for variant, its, diff in zip(experiment.variants, others, diffs, strict=True)
    ]
    return Compared(
        model=model.name,
        metric=model.metric.name,
        since=edges[0].isoformat(),
        until=edges[-1].isoformat(),
        step=as_text(edges[1] - edges[0]),
        count=len(edges) - 1,
        version=experiment.version,
        rows=sum(period.whole.rows for period in own if period.whole),
        level=level,
        own=_result(experiment, experiment.own.name, own, own, level, ""),
        variants=results,
        note=experiment.note,
    )


def _result(
    experiment: Experiment, name: str, own: Sequence[Scored], its: Sequence[Scored], level: float, diff: str
) -> Result:
    model, itself = experiment.model, own is its
    there = [scored.whole for scored in its if scored.whole and scored.whole.rows]
    gain = Interval.unknown() if itself else _gain(model, own, its, level)
    parts = [] if itself else _slices(model, own, its)
    worse = [part for part in parts if part.gain.high < 0]
    found: Found = "no difference shown" if itself and there else _found(gain)
    return Result(
        name=name,
        value=performance.interval(model, there) if there else Interval.unknown(),
        gain=gain,
        found=found,
        worst=min(worse, key=lambda part: part.gain.value, default=None),
        slices=parts,
        periods=_periods(experiment, own, its),
        seconds=sum(scored.seconds for scored in its),
        problems=_problems(its) or (_problems(own) or [_EMPTY] if found == "failed" else []),
        diff=diff,
    )


def _problems(scores: Sequence[Scored]) -> list[str]:
    """Why periods are missing, each reason once."""
    return list(dict.fromkeys(scored.problem for scored in scores if scored.problem))


def _found(gain: Interval) -> Found:
    """What a gain shows; one that is no number shows that there is no period in which both have a score."""
    if math.isnan(gain.value):
        return "failed"
    if gain.low > 0:
        return "better"
    return "worse" if gain.high < 0 else "no difference shown"


def _gain(model: "Model", own: Sequence[Scored], its: Sequence[Scored], level: float) -> Interval:
    return performance.gain(model, [scored.whole for scored in its], [scored.whole for scored in own], level)


def _periods(experiment: Experiment, own: Sequence[Scored], its: Sequence[Scored]) -> list[Period]:
    found = []
    for at, mine, theirs in zip(experiment.edges[:-1], own, its, strict=True):
        whole = theirs.whole or Realised(0, math.nan, [], [])
        gain = (
            Interval.unknown()
            if own is its
            else _gain(experiment.model, [mine], [theirs], 1 - experiment.model.gates.alpha)
        )
        found.append(Period(at.isoformat(), whole.rows, whole.value, gain))
    return found


def _slices(model: "Model", own: Sequence[Scored], its: Sequence[Scored]) -> list[SliceGain]:
    """The gain on each slice that has enough rows for the gates, at a level that is shared over them."""
    names = dict.fromkeys(
        (column, value) for scored in its for column, values in scored.slices.items() for value in values
    )
    pairs = {name: _paired(own, its, *name) for name in names}
    enough = {
        name: pair for name, pair in pairs.items() if sum(part.rows for part, _ in pair) >= model.gates.slice_rows
    }
    level = model.gates.level(0, max(len(enough), 1))
    found = []
    for (column, value), pair in enough.items():
        ours, theirs = ([part[side] for part in pair] for side in (0, 1))
        gain = performance.gain(model, ours, theirs, level)
        rows = sum(part.rows for part in ours)
        found.append(SliceGain(column, value, rows, performance.total(model, ours), gain))
    return found


def _paired(own: Sequence[Scored], its: Sequence[Scored], column: str, value: str) -> list[tuple[Realised, Realised]]:
    """A slice of both, in the periods in which both have a score."""
    sides = [[scored.slices.get(column, {}).get(value) for scored in side] for side in (its, own)]
    return [(one, other) for one, other in zip(*sides, strict=True) if one and other]
