"""Degradation: whether a served model is worse than its baseline, beyond chance and the tolerated margin."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Literal

from evergreen.evaluation.performance import Observed, Score

if TYPE_CHECKING:
    from evergreen.definition.gates import Gates
    from evergreen.definition.metrics import Metric
    from evergreen.definition.options import Monitoring
    from evergreen.monitoring.estimation import PastError

State = Literal["degraded", "holds", "unknown"]
_CHECKS_A_YEAR = 365
NEIGHBOURS = 0.4  # the correlation of the scores of neighbouring blocks; of days of flights 0.42 and 0.57 were measured


@dataclass(frozen=True)
class Decline:
    """How much worse the metric is than the baseline, on all rows or one slice.

    Attributes
    ----------
    column, value : str
        Of the slice; empty for all rows.
    then, now : float
        The metric of the baseline and in the window.
    worse : float
        Their difference; positive is worse, whatever the metric.
    error, freedom : float, int
        The standard error of `worse`, and its degrees of freedom.
    """

    column: str
    value: str
    then: float
    now: float
    worse: float
    error: float
    freedom: int

    @property
    def name(self) -> str:
        """The slice, or all rows, in words."""
        return f"{self.column} {self.value}".strip() or "all rows"

    def least(self, chance: float) -> float:
        """The one-sided lower bound of the decline at this error probability; NaN if it is unknown."""
        if not math.isfinite(self.worse) or not math.isfinite(self.error):
            return math.nan  # NaN exceeds no threshold
        return self.worse - _quantile(1 - chance, self.freedom) * self.error


@dataclass(frozen=True)
class Degradation:
    """The result of a performance check.

    Attributes
    ----------
    state : {"degraded", "holds", "unknown"}
        For all rows.
    reason : str
    slices : list of str
        The degraded slices; they do not affect `state`.
    suspected : str
        Why a training is worthwhile although the decline may be chance; empty if it is not.
    """

    state: State
    reason: str
    slices: list[str] = field(default_factory=list)
    suspected: str = ""


def declines(metric: "Metric", now: Observed, then: Observed, neighbours: float = NEIGHBOURS) -> list[Decline]:
    """Measure how much worse a window is than the baseline, for all rows and then by slice.

    If nothing changed, the blocks of both periods have the same distribution: so this is Student's
    comparison of two means of blocks with a common variance, from the bootstrap of both periods.
    A paired gain can treat days as independent; here a spell of bad weather falls into one of the
    periods only, so the error is widened by `widening`.

    Parameters
    ----------
    metric : Metric
    now, then : Observed
        The window, and the baseline: the same model on its holdout.
    neighbours : float
        The correlation of the scores of neighbouring blocks.

    Returns
    -------
    list of Decline
        A slice with too few rows in either period is left out.
    """
    before = {(part.column, part.value): part.score for part in then.slices}
    parts = [(part, before[part.column, part.value]) for part in now.slices if (part.column, part.value) in before]
    whole = [_decline(metric, "", "", now.whole, then.whole, neighbours)]
    return whole + [_decline(metric, part.column, part.value, part.score, score, neighbours) for part, score in parts]


@cache
def widening(blocks: int, neighbours: float) -> float:
    """By what factor the variance of a mean of blocks exceeds what independent blocks would have.

    For blocks whose correlation falls by the factor `neighbours` with each step of distance; both
    the variance of the mean and the low bias of the blocks' own variance are corrected (Zwiers
    and von Storch, "Taking Serial Correlation into Account in Tests of the Mean", Journal of
    Climate 8, 1995).

    Examples
    --------
    >>> [round(widening(7, correlation), 2) for correlation in (0.0, 0.4)]
    [1.0, 2.43]
    """
    if blocks < 2:
        return math.nan
    spread = 1 + 2 * sum((1 - step / blocks) * neighbours**step for step in range(1, blocks))
    return spread / (1 - (spread - 1) / (blocks - 1))


def degraded(
    now: Observed,
    declines: list[Decline],
    gates: "Gates",
    monitoring: "Monitoring",
    windows: int = 1,
    suspicion: float | None = None,
) -> Degradation:
    """Judge whether the decline is beyond chance and beyond the tolerated margin.

    It is if its one-sided lower bound exceeds the share of the metric that the gates tolerate:
    `margin` for all rows, `slice_margin` for a slice. A check has the chance
    ``false_alarms / 365`` to be wrong about all rows, and the same once more to be wrong about
    any slice (Bonferroni); slices are listed separately and do not affect the state. Checks of
    neighbouring days share most of their rows and all share the baseline, so false alarms come
    in runs, and most years have none; the mean number of false alarms holds, since means add up
    for dependent checks too.

    Parameters
    ----------
    now : Observed
        The window.
    declines : list of Decline
        From `declines`, all rows first.
    gates : Gates
    monitoring : Monitoring
    windows : int
        How many windows of different length are judged at each check; they share the chance.
    suspicion : float, optional
        A decline of all rows by at least this share of the metric is suspected, even if chance may explain it.
    """
    chance = monitoring.false_alarms / _CHECKS_A_YEAR / windows
    whole, slices = declines[0], declines[1:]
    worse = [decline for decline in slices if _beyond(decline, chance / len(slices), gates.slice_margin)]
    state, reason = _whole(now, whole, chance, gates)
    suspected = _suspected(whole, suspicion) if state == "holds" else ""
    return Degradation(state, reason, [decline.name for decline in worse], suspected)


def estimated_degradation(metric: "Metric", estimated: float, then: Score, past: "PastError", gates: "Gates") -> str:
    """The estimated degradation of a window against the baseline, before its labels arrive, in words.

    The window counts as worse if the difference exceeds the gates' `margin`, and twice the combined
    error of both: the standard error of the baseline, and the mean error of past estimates.

    Parameters
    ----------
    metric : Metric
    estimated : float
        The metric in the window.
    then : Score
        The baseline.
    past : PastError
    gates : Gates

    Returns
    -------
    str
        Empty if there is none.

    Examples
    --------
    >>> from evergreen import Gates
    >>> from evergreen.monitoring.estimation import past_error
    >>> from evergreen.definition.metrics import METRICS
    >>> judging, past = Score(700, 7, 6.0, error=0.3), past_error([(6.2, 6.6)] * 3)
    >>> estimated_degradation(METRICS["mean_absolute_error"], 7.2, judging, past, Gates())
    'estimated 7.2 against a baseline of 6; a difference of up to 1 is normal'
    >>> estimated_degradation(METRICS["mean_absolute_error"], 6.9, judging, past, Gates())
    ''
    """
    worse = then.value - estimated if metric.greater_is_better else estimated - then.value
    chance = 2 * math.hypot(then.error, past.error if past.periods else 0.0)
    if not (worse > chance and worse > gates.margin * abs(then.value)):  # NaN exceeds nothing
        return ""
    return (
        f"estimated {estimated:.4g} against a baseline of {then.value:.4g}; "
        f"a difference of up to {chance:.4g} is normal"
    )


@cache
def _quantile(level: float, freedom: int) -> float:
    from scipy.stats import t as student

    return float(student.ppf(level, freedom))


def _whole(now: Observed, whole: Decline, chance: float, gates: "Gates") -> tuple[State, str]:
    if now.rows and now.finite < 1:
        return "degraded", f"{1 - now.finite:.2%} of the predictions are not finite numbers"
    lacking = next(_lacking(now, whole, gates), None)
    if lacking:
        return "unknown", lacking
    least, allowed = whole.least(chance), gates.margin * abs(whole.then)
    state: State = "degraded" if least > allowed else "holds"
    reason = f"{whole.now:.4g} against a baseline of {whole.then:.4g}; worse by {whole.worse:.4g}, at least {least:.4g}"
    return state, f"{reason} beyond chance, {allowed:.4g} tolerated"


def _suspected(whole: Decline, suspicion: float | None) -> str:
    """A suspicion suffices for a training, since its gates decide; an alert to a person needs significance."""
    if suspicion is None or not whole.worse > suspicion * abs(whole.then):
        return ""
    share = whole.worse / abs(whole.then) if whole.then else math.inf
    return (
        f"{whole.now:.4g} against a baseline of {whole.then:.4g}; worse by {share:.0%}, which chance may "
        f"explain; from {suspicion:.0%} on a training is triggered"
    )


def _lacking(now: Observed, whole: Decline, gates: "Gates") -> Iterator[str]:
    """Yield what is missing to judge the performance."""
    score = now.whole
    if not now.rows:
        yield "no predictions in the window"
    elif not now.mature:
        yield f"labels are not mature: {now.labelled:.1%} of {now.rows:,} rows are labelled"
    elif score.rows < gates.min_rows or score.blocks < gates.min_blocks:
        required = f"at least {gates.min_rows} and {gates.min_blocks} are required"
        yield f"{score.rows:,} labelled rows in {score.blocks} blocks; {required}"
    elif not math.isfinite(whole.worse) or not math.isfinite(whole.error):
        yield f"no comparison: {whole.now:.4g} now, {whole.then:.4g} at the baseline"


def _beyond(decline: Decline, chance: float, margin: float) -> bool:
    return decline.least(chance) > margin * abs(decline.then)


def _decline(metric: "Metric", column: str, value: str, now: Score, then: Score, neighbours: float) -> Decline:
    worse = then.value - now.value if metric.greater_is_better else now.value - then.value
    scores, freedom = (now, then), now.blocks + then.blocks - 2
    # The pooled variance of a block; each period weighs by its degrees of freedom.
    squares = sum(score.error**2 * score.blocks * (score.blocks - 1) for score in scores)
    variance = squares / freedom if freedom > 0 else math.nan
    wide = sum(widening(score.blocks, neighbours) / score.blocks if score.blocks > 1 else math.nan for score in scores)
    return Decline(column, value, then.value, now.value, worse, math.sqrt(variance * wide), freedom)
