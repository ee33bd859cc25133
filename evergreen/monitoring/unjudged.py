"""What a monitor cannot judge for longer than it should need, with the arithmetic: an alert of its own."""

import math
from collections.abc import Sequence
from datetime import timedelta
from itertools import takewhile
from typing import TYPE_CHECKING

import pandas as pd

from evergreen.definition.feasibility.assess import time_to_judge
from evergreen.definition.options import REFERENCE_WINDOWS
from evergreen.definition.setting_lines import line
from evergreen.drift.distances import FARTHEST
from evergreen.durations import in_words
from evergreen.monitoring import observation
from evergreen.monitoring.observation import OVERDUE, STOPPED, Observation
from evergreen.monitoring.realised import window_needed

if TYPE_CHECKING:
    from evergreen.definition.model import Model
    from evergreen.evaluation.performance import Observed
    from evergreen.lake.lake import Lake


def unjudged(lake: "Lake", model: "Model", observed: Observation) -> list[str]:
    """What was judged at no check for longer than it should need: performance of any version, drift of this one.

    Parameters
    ----------
    lake : Lake
        With the earlier observations.
    model : Model
    observed : Observation
        The newest, stored or not.

    Returns
    -------
    list of str
        A phrase each: what, a comma, since when, what it should need, what is missing and the line to change.
    """
    if not (_unknown(observed) or _without_threshold(observed)):
        return []
    earlier = observation.read(lake, model, until=pd.Timestamp(observed.as_of))
    seen = [observed, *(check for check in reversed(earlier) if not check.backtested)]
    return [phrase for phrase in (_performance(model, seen), _drift(model, seen)) if phrase]


def _performance(model: "Model", seen: Sequence[Observation]) -> str:
    """Of all champions of that time: where each is replaced before it can be judged, none ever is."""
    run = list(takewhile(_unknown, seen))
    lasted, since = _long(run)
    last = seen[0]
    delay, window = max(_delay(last), model.label_delay), _window(model, last.realised)
    needed = time_to_judge(model, delay)
    needed += timedelta(0) if last.ripened else delay  # it is learned from rows that are twice as old
    if lasted <= needed:
        return ""
    parts = f"label delay {in_words(delay)}, window {in_words(model.performance_window)} and a margin"
    phrase = f"performance, unknown for {since}. {in_words(needed)} should do ({parts}). Found: "
    phrase += last.reason.replace("; ", ", ")
    if window > model.performance_window:
        phrase += f", and at this rate enough come in {in_words(window)}"
    versions, every = {check.version for check in run}, model.policy.every
    if len(versions) == 1:
        return phrase
    phrase += f". {len(versions)} champions have answered in that time, each replaced before it could be judged"
    slower = every is not None and every < window
    return f"{phrase}. To change: {line('policy', model.policy, every=window)}" if slower else phrase


def _window(model: "Model", realised: "Observed | None") -> timedelta:
    """What performance has to be judged over for enough rows and blocks, at the rate of those that there are."""
    if realised is None or realised.since is None or realised.until is None:
        return model.performance_window
    span = (pd.Timestamp(realised.until) - pd.Timestamp(realised.since)).to_pytimedelta()
    needed = window_needed(model, realised, max(span, model.gates.block))
    return max(needed or timedelta(0), model.performance_window)


def _drift(model: "Model", seen: Sequence[Observation]) -> str:
    version = seen[0].version
    run = list(takewhile(lambda check: check.version == version and _without_threshold(check), seen))
    lasted, since = _long(run)
    needed = model.reference_span + (model.policy.every or timedelta(0)) + model.monitoring.window
    if lasted <= needed:
        return ""
    whole = f"{REFERENCE_WINDOWS} windows of {in_words(model.monitoring.window)}"
    why = f"its reference gives no column a threshold that a distance can exceed. It takes {whole}, or more for so few "
    why += f"false alarms. To change: evergreen train {model.name}, or a shorter monitoring window"
    return f"drift, unknown for {since}: {why}"


def _long(run: Sequence[Observation]) -> tuple[timedelta, str]:
    """How long a run of observations lasted, newest first, and in words since when."""
    if not run:
        return timedelta(0), ""
    lasted = (pd.Timestamp(run[0].as_of) - pd.Timestamp(run[-1].as_of)).to_pytimedelta()
    return lasted, f"{in_words(lasted)} since {run[-1].as_of[:10]}"


def _unknown(seen: Observation) -> bool:
    """Whether performance is unknown and no other alert says why: rows come, and no labels are overdue."""
    explained = any(phrase.startswith((OVERDUE, STOPPED)) for phrase in seen.quality)
    return seen.state == "unknown" and seen.rows > 0 and not explained


def _without_threshold(seen: Observation) -> bool:
    """Whether there are rows, no distance of any column can exceed its threshold, and none is judged for slow drift."""
    if any(column.slide for column in seen.drift):
        return False
    thresholds = [column.threshold for column in seen.drift if column.measures.rows]
    return bool(thresholds) and all(math.isnan(limit) or limit >= FARTHEST for limit in thresholds)


def _delay(seen: Observation) -> timedelta:
    """The learned label delay; 0 if it is not known."""
    return (pd.Timestamp(seen.as_of) - pd.Timestamp(seen.ripened)).to_pytimedelta() if seen.ripened else timedelta(0)
