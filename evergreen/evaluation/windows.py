"""Two training windows on the same holdout, for the record by which `Training(window="auto")` chooses."""

import math
import warnings
from typing import Any

from evergreen.errors import EvergreenError
from evergreen.evaluation import performance
from evergreen.evaluation.bootstrap import Interval
from evergreen.training import fitting
from evergreen.training.recipe import Recipe
from evergreen.training.split import Split
from evergreen.training.window import WindowComparison, name_of


def compared(planned: Recipe, estimator: Any, params: dict[str, Any]) -> str:
    """The record of a training's two windows, as JSON; empty where there is no second one.

    Parameters
    ----------
    planned : Recipe
    estimator
        Fitted with the window that was chosen.
    params : dict
        Of the estimator, from a search.
    """
    if planned.beside is None:
        return ""
    used, other = name_of(planned.split.window), name_of(planned.beside.window)
    try:
        with warnings.catch_warnings(action="ignore"):  # of a model that nobody keeps
            gain, rows = _gain(planned, planned.beside, estimator, params)
    except EvergreenError:
        gain, rows = Interval.unknown(), 0
    return WindowComparison(used, other, gain.value, gain.low, gain.high, rows).dump()


def _gain(planned: Recipe, beside: Split, estimator: Any, params: dict[str, Any]) -> tuple[Interval, int]:
    """The gain of the chosen window over the other one, as a share of the other's metric, and the rows of both."""
    model, snapshot = planned.definition, planned.snapshot
    other = fitting.fit(model, snapshot.training(beside), params)
    holdout = snapshot.labelled(planned.split.holdout_from, planned.split.holdout_until)
    own, its = (performance.realised(model, fitted, holdout) for fitted in (estimator, other))
    gain = performance.gain(model, [own], [its])
    scale = abs(its.value) or math.nan
    return Interval(gain.value / scale, gain.low / scale, gain.high / scale), own.rows
