"""What a monitor cannot judge for longer than it should need, with the arithmetic: an alert of its own."""

import math
from collections.abc import Callable, Sequence
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

if TYPE_CHECKING:
    from evergreen.definition.model import Model
    from evergreen.lake.lake import Lake


def unjudged(lake: "Lake", model: "Model", observed: Observation) -> list[str]:
    """What was judged at no check of this version for longer than it should need.

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
    earlier = observation.read(lake, model, observed.version, until=pd.Timestamp(observed.as_of))
    seen = [observed, *reversed(earlier)]
    return [phrase for phrase in (_performance(model, seen), _drift(model, seen)) if phrase]


def _performance(model: "Model", seen: Sequence[Observation]) -> str:
    lasted, since = _run(seen, _unknown)
    last = seen[0]
    delay = max(_delay(last), model.label_delay)
    needed = time_to_judge(model, delay)
    needed += timedelta(0) if last.ripened else delay  # it is learned from rows that are twice as old
    if lasted <= needed:
        return ""
    parts = f"label delay {in_words(delay)}, window {in_words(model.performance_window)} and a margin"
    reason = last.reason.replace("; ", ", ")
    return (
        f"performance, unknown for {_long(lasted, since)}. {in_words(needed)} should do ({parts}). Found: {reason}"
        + (f". To change: {change}" if (change := _wider(model, last)) else "")
    )


def _drift(model: "Model", seen: Sequence[Observation]) -> str:
    lasted, since = _run(seen, _without_threshold)
    needed = model.reference_span + (model.policy.every or timedelta(0)) + model.monitoring.window
    if lasted <= needed:
        return ""
    whole = f"{REFERENCE_WINDOWS} windows of {in_words(model.monitoring.window)}"
    why = f"its reference gives no column a threshold that a distance can exceed. It takes {whole}, or more for so few "
    why += f"false alarms. To change: evergreen train {model.name}, or a shorter monitoring window"
    return f"drift, unknown for {_long(lasted, since)}: {why}"


def _run(seen: Sequence[Observation], of: Callable[[Observation], bool]) -> tuple[timedelta, str]:
    """For how long, up to the newest observation, all were of this kind; and since which day."""
    run = list(takewhile(of, seen))
    if not run:
        return timedelta(0), ""
    return (pd.Timestamp(run[0].as_of) - pd.Timestamp(run[-1].as_of)).to_pytimedelta(), run[-1].as_of[:10]


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


def _wider(model: "Model", seen: Observation) -> str:
    """The line with a window in which there were enough rows and blocks; empty if that is not what is missing."""
    if seen.realised is None or not seen.realised.mature or not seen.realised.whole.rows:
        return ""
    score, gates, unit = seen.realised.whole, model.gates, model.monitoring.unit
    times = max(gates.min_rows / score.rows, gates.min_blocks / max(score.blocks, 1))
    if times <= 1:
        return ""
    window = math.ceil(model.performance_window * times / unit) * unit
    return line("monitoring", model.monitoring, performance=window)


def _long(lasted: timedelta, since: str) -> str:
    return f"{in_words(lasted)} since {since}"
