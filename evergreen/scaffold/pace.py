"""How often a drafted model trains and how much its gates ask for: such that every gate and trigger can judge."""

from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING, Any

import pandas as pd

from evergreen.definition.feasibility.assess import findings
from evergreen.definition.feasibility.finding import Finding
from evergreen.definition.figures import Figures
from evergreen.definition.model import Model
from evergreen.definition.options import Monitoring, Policy
from evergreen.durations import as_text, parse

if TYPE_CHECKING:
    from evergreen.scaffold.durations import Rhythm

_BLOCKS = 4  # that a window of the monitor holds, where they are longer than a week
_TOLD = ("never", "not yet", "partly")


@dataclass(frozen=True)
class Pace:
    """Settings that follow from how many rows and blocks come in how much time.

    Attributes
    ----------
    every : str
        How often to train again.
    min_blocks : int
        Of the gates.
    monitoring : Monitoring
    probation : timedelta
    """

    every: str
    min_blocks: int
    monitoring: Monitoring
    probation: timedelta


def figures_of(rhythm: "Rhythm", times: "pd.Series[pd.Timestamp]", rows: int) -> Figures:
    """The figures of a table with so many labelled rows, from a sample of their times."""
    return Figures.of(times, parse(rhythm.block), _monitoring(parse(rhythm.block)).unit, rows)


def pace(rhythm: "Rhythm", figures: Figures) -> Pace:
    """Propose the settings for a table.

    Performance and probation are judged over `min_blocks` blocks, so these are as many as hold the rows that a verdict
    asks for; where blocks without rows lie between them, over more time. A training is due once so many rows have come,
    and one block later.

    Examples
    --------
    >>> from evergreen.scaffold.durations import rhythm
    >>> days = pd.Series(pd.date_range("2013-01-01", periods=400, freq="D"))
    >>> drafted = rhythm(days, 400, 400)
    >>> proposed = pace(drafted, figures_of(drafted, days, 400))
    >>> drafted.block, drafted.min_rows, proposed.every, proposed.min_blocks
    ('7d', 80, '91d', 12)
    """
    block, held_out = parse(rhythm.block), figures.blocks_in(parse(rhythm.holdout))[0]
    for_rows = ceil(figures.length_of(rows=rhythm.min_rows, unit=block) / max(block, figures.spacing))
    min_blocks = max(2, min(max(5, for_rows), rhythm.blocks, held_out))
    usual = _monitoring(block)
    needed = figures.length_of(blocks=min_blocks, rows=rhythm.min_rows, unit=usual.unit)
    every = _rounded(max(parse(rhythm.every), needed + block))
    enough = needed <= -(-min_blocks * block // usual.unit) * usual.unit  # as performance and probation are widened
    watched = usual if enough or needed <= usual.window else usual.model_copy(update={"performance": needed})
    return Pace(as_text(every), min_blocks, watched, Policy().probation if enough else max(Policy().probation, needed))


def _monitoring(block: timedelta) -> Monitoring:
    """A window of several blocks where a block is longer than a week: then the default week may hold no row."""
    if block <= Monitoring().window:
        return Monitoring()
    return Monitoring.model_validate({"window": _BLOCKS * block, "unit": block})


def shortfalls(declared: dict[str, Any], rhythm: "Rhythm", proposed: Pace, figures: Figures) -> list[Finding]:
    """What of a draft cannot judge, not yet or not always.

    Parameters
    ----------
    declared : dict
        The parts of the model file that do not follow from its rhythm, beside the estimator.
    rhythm : Rhythm
    proposed : Pace
    figures : Figures
    """
    gates = {"block": rhythm.block, "min_blocks": proposed.min_blocks, "min_rows": rhythm.min_rows}
    settings = {"training": {"holdout": rhythm.holdout}, "gates": gates, "monitoring": proposed.monitoring}
    settings |= {"policy": {"every": proposed.every, "probation": proposed.probation}, "estimator": dict}
    model = Model.model_validate(declared | settings)
    found = findings(model, figures)  # the lookback of the file covers the label delay
    return [finding for finding in found if finding.state in _TOLD and finding.what != "labels"]


def _rounded(length: timedelta) -> timedelta:
    """Up to whole days, or to whole weeks if it is half a week or longer."""
    week, day = timedelta(days=7), timedelta(days=1)
    step = week if length >= week / 2 else day if length > day else length
    return ceil(length / step) * step
