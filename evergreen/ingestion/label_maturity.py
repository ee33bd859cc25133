"""From which age on labels are used: the only place that says so, for training, evaluation and monitoring.

Labels that come early are a biased sample: a default is known sooner than a repaid loan. So a row takes part once it is
so old that nearly all labels of every outcome are in, as far as the past shows, and never before the declared label
delay.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen.durations import as_text, in_words
from evergreen.ingestion.early_labels import EarlyLabels, compared
from evergreen.ingestion.label_arrival import LONGEST_HISTORY, SLACK, monitored_span
from evergreen.ingestion.label_times import FEWEST, LabelTimes, still_coming
from evergreen.json_record import JsonRecord
from evergreen.lake.lake import ROWS, Lake
from evergreen.sql import column, columns

if TYPE_CHECKING:
    from evergreen.definition.model import Model

SIGNIFICANT = 0.01  # the error probability of a comparison of outcomes
_TICK = 1e-6  # seconds


@dataclass(frozen=True)
class LabelMaturity(JsonRecord):
    """From which age on the labels of a model are used, as known at a point in time.

    Attributes
    ----------
    after : float
        The age of a row in seconds from which on it takes part, if it has a label.
    learned : float or None
        The age at which nearly all labels are known of the outcome whose labels take longest; None if nothing was
        learned.
    followed : bool
        Whether rows were followed for twice as long, so that later labels would have been seen.
    rows : int
        How many rows there were in the period that it was learned from.
    early : EarlyLabels or None
        How early labels differ from late ones; None if rows were not followed for long enough.
    untimed, preceding : int
        How many of the labels have no time, so that they are not used, and how many have one before that of their row.
    held_after : str
        The time after which rows take no part, since labels of some of them are held up; ISO 8601. Empty if none are.
    """

    after: float
    learned: float | None = None
    followed: bool = False
    rows: int = 0
    early: EarlyLabels | None = None
    untimed: int = 0
    preceding: int = 0
    held_after: str = ""

    @property
    def delay(self) -> timedelta:
        """The age from which on a row takes part."""
        return timedelta(seconds=self.after)

    @property
    def judged_after(self) -> timedelta | None:
        """The age from which on labels should be in; None if rows were not followed for long enough to say so."""
        return self.delay if self.followed else None

    def notes(self, model: "Model") -> list[str]:
        """What a person should know of the labels of a model, a sentence each."""
        column, age = repr(model.label_time), in_words(self.delay)
        found = []
        if self.learned is not None and not self.followed:
            found.append(
                f"How long labels take is not known yet: at least {age}, by {column}. Rows have to be followed for "
                "twice as long as labels take; until then, state label_delay if you know it."
            )
        if self.early and self.early.biased:
            found.append(
                f"Early labels are a biased sample: {self.early.sentence(model.task)}. Rows take part once they are "
                f"{age} old."
            )
        if self.held_after:
            found.append(
                f"Labels of some outcomes are held up: fewer rows after {self.held_after[:10]} have one than should by "
                "now. These rows are left out until their labels come."
            )
        if self.untimed:
            found.append(f"{self.untimed:,} labels of the last year have no {column}, and are not used.")
        if 2 * self.preceding > self.rows:
            found.append(f"Most labels have a {column} before the time of their row: is it the right column?")
        return found


def learned_at(lake: Lake, model: "Model", as_of: pd.Timestamp, version: int) -> LabelMaturity:
    """From which age on labels are used at a point in time.

    Parameters
    ----------
    lake : Lake
    model : Model
        With a `label_time`.
    as_of : Timestamp
        Labels that became known later are not used, and nothing is learned from them.
    version : int
        Of the table of rows.
    """
    return learn(model, _read(lake, model, as_of, version), as_of)


def learn(model: "Model", rows: pd.DataFrame, as_of: pd.Timestamp) -> LabelMaturity:
    """Learn it from past rows, of at most a year.

    How far back follows from the longest delay in it: the newest rows, for twice as long and some windows more, so that
    a delay of long ago does not count for ever. Where they were not followed for long enough, the age is only a lower
    bound, and is used as one.

    Parameters
    ----------
    model : Model
    rows : DataFrame
        The time, the target and `label_time`.
    as_of : Timestamp
    """
    declared, seen = model.label_delay.total_seconds(), LabelTimes.of(model, rows, as_of)
    label_time = model.label_time or model.time
    rows = rows[rows[model.time] <= as_of]
    untimed = int((rows[model.target].notna() & rows[label_time].isna()).sum())
    ages = seen.mature_ages()
    if not ages:
        return LabelMaturity(declared, rows=len(seen.age), untimed=untimed)
    near = seen.newest(monitored_span(model) + 2 * timedelta(seconds=max(ages.values())))
    watched = near.watched
    ages |= {name: age for name, age in near.mature_ages().items() if 2 * age <= watched}
    learned = max(ages.values())
    after = max(declared, min(learned, _complete(seen, learned)))
    held_up = _held_up(seen, after)
    followed = 2 * learned <= seen.watched
    early = compared(seen, learned) if followed else None
    preceding = int((rows[label_time] < rows[model.time]).sum())
    held_after = "" if held_up is None else (as_of - timedelta(seconds=held_up)).isoformat()
    return LabelMaturity(after, learned, followed, len(near.age), early, untimed, preceding, held_after)


def unlabelled(lake: Lake, model: "Model", as_of: pd.Timestamp, version: int) -> list[str]:
    """What a person should know where no `label_time` tells when labels became known: that newer ones are lacking."""
    if model.label_time:
        return []
    rows = _read(lake, model, as_of, version)
    rows = rows[rows[model.time] <= as_of - model.label_delay]
    coming = still_coming(rows[model.time], rows[model.target].notna())
    if not coming:
        return []
    newest = rows[model.time].max()
    late = (
        f"The source has no rows after {newest:%Y-%m-%d}: these labels may never come."
        if as_of - newest > model.label_delay + model.monitoring.window
        else f'If they come late, state it: label_delay="{as_text(as_of - newest + coming)}", or the column with their '
        "time as label_time."
    )
    return [
        f"Rows of the newest {in_words(coming)} have fewer labels than older ones. The labels that are there may be a "
        f"biased sample. {late}"
    ]


def _complete(seen: LabelTimes, learned: float) -> float:
    """The age from which on all rows have their label, of those that are younger than this one.

    Labels that come in one lump are complete at once, whatever their age.
    """
    waiting = seen.followed[~seen.arrived & (seen.followed < learned)]
    return float(waiting.max()) + _TICK if len(waiting) else float(seen.followed.min())


def _held_up(seen: LabelTimes, after: float) -> float | None:
    """The age of the youngest row behind those whose labels are held up, of some outcomes only; None if none are.

    The rows are taken from the youngest on: the sum of what their labels lack of the expected share is largest where
    it ends that labels are held up. Fewer than `FEWEST` can be lacking by chance. Where fewer have a label and the
    outcomes are what they were, none is waited for.
    """
    old = np.flatnonzero(seen.followed >= after)
    old = old[np.argsort(seen.followed[old], kind="stable")]
    lacking = np.cumsum(SLACK * float(seen.weights.sum()) - seen.arrived[old])
    if lacking.max(initial=0.0) < FEWEST:
        return None
    end = int(lacking.argmax()) + 1
    recent, before = (seen.outcome[part][seen.arrived[part]] for part in (old[:end], old[end:]))
    alike = len(recent) and len(before) and _p_value(recent, before) >= SIGNIFICANT
    return None if alike else float(seen.followed[old[min(end, len(old) - 1)]])


def _p_value(outcomes: NDArray[np.int64], others: NDArray[np.int64]) -> float:
    """The probability that outcomes of two samples differ as much by chance: the chi-squared test of independence."""
    from scipy.stats import chi2_contingency

    names = np.unique(np.concatenate([outcomes, others]))
    counts = np.array([[(sample == name).sum() for name in names] for sample in (outcomes, others)])
    return float(chi2_contingency(counts).pvalue) if len(names) > 1 else 1.0


def _read(lake: Lake, model: "Model", as_of: pd.Timestamp, version: int) -> pd.DataFrame:
    """The times of the rows of the last year up to a point in time, and when their labels became known."""
    time, days = column(model.time), LONGEST_HISTORY // timedelta(days=1)
    wanted = columns(name for name in (model.time, model.target, model.label_time) if name)
    sql = f"""
        SELECT {wanted} FROM {ROWS} WHERE {time} <= $as_of
        AND {time} > (SELECT max({time}) FROM {ROWS} WHERE {time} <= $as_of) - to_days({days})
    """
    return lake.query(model, sql, {"as_of": as_of.to_pydatetime()}, version=version)
