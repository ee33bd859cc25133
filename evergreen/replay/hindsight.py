"""What the training window alone could have reached: every window at every step of a replay, compared in hindsight.

The oracle trains at every step with the window of the model file, and so flatters a model whose window is chosen badly.
Beside it stand two that know the future: the one window that was best over all steps, and the best one of each step.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd

from evergreen.durations import parse
from evergreen.errors import EvergreenError
from evergreen.evaluation import performance
from evergreen.evaluation.performance import Realised
from evergreen.json_record import JsonRecord
from evergreen.replay.run import Plan, PolicyRun, PolicyTraining, Step
from evergreen.training import fitting, recipe, window
from evergreen.training.search import search
from evergreen.training.snapshot import Snapshot
from evergreen.training.split import Split, refit
from evergreen.training.window import Window

if TYPE_CHECKING:
    from evergreen.definition.model import Model
    from evergreen.lake.lake import Lake

RunOf = Callable[["Model", Plan, Sequence["WindowScores"]], PolicyRun]
BEST_WINDOW, EACH_WINDOW = "best-window", "each-window"


@dataclass(frozen=True)
class WindowScores(JsonRecord):
    """The training windows at one step of a replay.

    Attributes
    ----------
    scored : dict of name to Realised
        Of `evergreen.training.window`, longest first: what each, trained then and promoted without gates, came to in
        the step. A window that cannot be fitted is left out.
    seconds : float
        CPU seconds.
    """

    scored: dict[str, Realised]
    seconds: float

    def of(self, name: str) -> Realised | None:
        """The score of a window; of the next longer one where it holds too few rows, or the history is shorter."""
        longer = [scored for known, scored in self.scored.items() if _days(known) >= _days(name)]
        return longer[-1] if longer else next(iter(self.scored.values()), None)


def scores(model: "Model", lake: "Lake", at: pd.Timestamp, truth: pd.DataFrame) -> dict[str, Realised]:
    """Train every window on what is known at a moment, and score it on other rows.

    Parameters
    ----------
    model : Model
    lake : Lake
        As it was known then.
    at : Timestamp
    truth : DataFrame
        The rows to score on, with their labels.
    """
    snapshot, scored = Snapshot.pin(lake, model, at), {}
    try:
        bounds = recipe.whole(snapshot)
        lengths = _lengths(snapshot, bounds.train_until)
    except EvergreenError:  # too few rows yet
        return {}
    for length in lengths:
        try:
            estimator = fitted(snapshot, bounds.reaching_back(length))
            scored[window.name_of(length)] = performance.realised(model, estimator, truth)
        except EvergreenError:
            continue
    return {name: realised for name, realised in scored.items() if math.isfinite(realised.value) or not realised.rows}


def fitted(snapshot: Snapshot, split: Split) -> Any:
    """The estimator that a training with these bounds would promote if its challenger passed the gates.

    Raises
    ------
    EvergreenError
        It cannot be fitted.
    """
    model = snapshot.model
    params = search(model, snapshot.training(split), snapshot.label_delay)
    return fitting.fit(model, snapshot.training(refit(split) if model.training.refit else split), params)


def _lengths(snapshot: Snapshot, cutoff: pd.Timestamp) -> list[Window]:
    """Those that ``window="auto"`` compares, and the model file's own, longest first."""
    compared, own = window.lengths(snapshot, cutoff), snapshot.model.training.fixed_window
    shorter = {length for length in (*compared, own) if length is not None}
    return [None, *sorted(shorter, reverse=True)]


def by_window(model: "Model", plan: Plan, steps: Sequence[WindowScores]) -> dict[str, PolicyRun]:
    """The run of each window through all steps, longest first."""
    names = sorted({name for step in steps for name in step.scored}, key=_days, reverse=True)
    return {name: _run(plan, name, steps, [name] * len(steps)) for name in names}


def best_window(model: "Model", plan: Plan, steps: Sequence[WindowScores]) -> PolicyRun:
    """The run of the window whose metric over all steps was best."""
    runs = by_window(model, plan, steps)
    losses = {name: _loss(model, performance.total(model, run.scored)) for name, run in runs.items() if run.scored}
    best = min(losses, key=losses.__getitem__, default=window.ALL)
    return _run(plan, BEST_WINDOW, steps, [best] * len(steps))


def each_window(model: "Model", plan: Plan, steps: Sequence[WindowScores]) -> PolicyRun:
    """The run that takes the best window of each step."""
    values = [{name: _loss(model, realised.value) for name, realised in step.scored.items()} for step in steps]
    best = [min(losses, key=losses.__getitem__, default=window.ALL) for losses in values]
    return _run(plan, EACH_WINDOW, steps, best)


def _run(plan: Plan, name: str, steps: Sequence[WindowScores], windows: Sequence[str]) -> PolicyRun:
    """The run that trains with a given window at each step."""
    taken, trainings = [], []
    for place, (at, found, chosen) in enumerate(zip(plan.step_starts, steps, windows, strict=True)):
        taken.append(Step(at.isoformat(), chosen, "train", f"window {chosen}", found.of(chosen)))
        trainings.append(PolicyTraining(place, "every step", chosen, chosen, "ungated", moved=True))
    return PolicyRun(name, taken, trainings[1:], seconds=sum(found.seconds for found in steps))


def _loss(model: "Model", value: float) -> float:
    """Lower is better; infinite where it is not known."""
    return math.inf if math.isnan(value) else -value if model.metric.greater_is_better else value


def _days(name: str) -> float:
    return math.inf if name == window.ALL else parse(name) / timedelta(days=1)


# The policies that know the future, by their names: their runs, from the scores of all windows at all steps.
KNOWING: dict[str, RunOf] = {BEST_WINDOW: best_window, EACH_WINDOW: each_window}
