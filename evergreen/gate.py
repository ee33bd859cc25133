"""Gates: from evidence to a verdict, by a pure function. No passing verdict, no promotion."""

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from evergreen.bootstrap import Interval
from evergreen.duration import Length
from evergreen.fairness import Disparity, Fairness

if TYPE_CHECKING:
    from evergreen.evaluation import Evidence, Slice

Outcome = Literal["passed", "failed", "unknown", "skipped"]
Decision = Literal["promote", "reject", "not enough evidence"]


class Gates(BaseModel):
    """What a challenger must meet. All are on by default but `floor`, `fairness` and `own`, which are yours to set.

    Attributes
    ----------
    floor : float or None
        The worst value of the metric that is good enough at all; until it is set, the dummy is the floor.
    margin : float
        How much worse than the champion's a challenger may be at the interval's worse end, as a
        share of the champion's metric.
    alpha : float
        The chance, over all looks at the same rows, to call a challenger proven that is worse than
        the margin allows.
    slice_rows, slice_margin : int, float
        A slice of at least so many rows may not be worse than the champion's by more than this
        share of the metric, and beyond chance.
    calibration : float
        The largest calibration error (see `evergreen.evaluation.calibration_error`), unless the
        champion's own is larger still, or chance may explain what is above.
    latency_ms, size_mb : float
        Of predicting a single row, and of the stored model.
    separation : float
        A single feature that explains the target to this degree (R squared, or area under the
        ROC curve scaled to 0..1) is suspected of leakage.
    same_signature : bool
        Whether callers of the champion must be able to call the challenger unchanged.
    min_rows, min_blocks : int
        Fewer rows or blocks than this in the holdout are not enough evidence.
    block : timedelta
        The blocks of the bootstrap: rows within one are not independent.
    resamples : int
        Of the bootstrap.
    undecided : {"better", "champion"}
        Who answers where the rows cannot tell whether the challenger is worse than `margin` allows:
        whoever did better on them at the first look, or the champion in any case.
    fairness : list of Fairness
        How far the groups of a column may lie apart.
    own : list of callable
        Gates of one's own: from the fitted challenger, the champion (None for a first model) and the
        rows of the judging (every declared column, the label among them) to a `Check` or a list of
        them. One that raises has failed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    floor: float | None = None
    margin: float = Field(0.01, ge=0)
    alpha: float = Field(0.05, gt=0, lt=1)
    slice_rows: int = Field(200, ge=1)
    slice_margin: float = Field(0.1, ge=0)
    calibration: float = Field(0.1, ge=0)
    latency_ms: float = Field(100.0, gt=0)
    size_mb: float = Field(500.0, gt=0)
    separation: float = Field(0.999, gt=0, le=1)
    same_signature: bool = True
    min_rows: int = Field(100, ge=1)
    min_blocks: int = Field(5, ge=2)
    block: Length = timedelta(days=1)
    resamples: int = Field(1000, ge=100)
    fairness: list[Fairness] = []
    own: list[Callable[..., Any]] = []
    undecided: Literal["better", "champion"] = "better"

    def level(self, looks: int, comparisons: int = 1) -> float:
        """Two-sided confidence for the next look at a holdout that was looked at before.

        The k-th look spends ``alpha / (k (k + 1))``, which sums to `alpha` over any number of
        looks (alpha spending; Lan and DeMets, Biometrika 70, 1983), shared over comparisons.

        Examples
        --------
        >>> [round(Gates().level(looks), 4) for looks in (0, 1, 2)]
        [0.95, 0.9833, 0.9917]
        """
        spent = self.alpha / ((looks + 1) * (looks + 2)) / comparisons
        return 1 - 2 * spent


@dataclass(frozen=True)
class Check:
    """One gate's answer: what was found, what was asked for, what follows."""

    name: str
    outcome: Outcome
    value: float | None
    threshold: float | None
    detail: str


@dataclass(frozen=True)
class Verdict:
    """Every check of one judging, and the decision that follows from them.

    Attributes
    ----------
    decision : {"promote", "reject", "not enough evidence"}
    reason : str
        In one sentence.
    checks : list of Check
    """

    decision: Decision
    reason: str
    checks: list[Check] = field(default_factory=list)

    @property
    def passing(self) -> bool:
        """Whether a promotion may follow."""
        return self.decision == "promote"

    @classmethod
    def of(cls, checks: list[Check]) -> "Verdict":
        """Weigh checks: any failure rejects, anything unknown waits, else promote.

        Examples
        --------
        >>> Verdict.of([Check("floor", "passed", 3.0, 5.0, "3.0 of at most 5.0")]).decision
        'promote'
        >>> Verdict.of([]).decision
        'reject'
        """
        failed = [check for check in checks if check.outcome == "failed"]
        unknown = [check for check in checks if check.outcome == "unknown"]
        if failed or not checks:
            return cls("reject", _sentence(failed) or "No gate was evaluated.", checks)
        if unknown:
            return cls("not enough evidence", _sentence(unknown), checks)
        skipped = [check for check in checks if check.outcome == "skipped"]
        beside = f"; nothing to hold against: {', '.join(check.name for check in skipped)}" if skipped else ""
        return cls("promote", f"All {len(checks) - len(skipped)} gates passed{beside}.", checks)


def judge(evidence: "Evidence", gates: Gates) -> Verdict:
    """Evaluate every gate, also after one has failed, and weigh them.

    Parameters
    ----------
    evidence : Evidence
    gates : Gates

    Returns
    -------
    Verdict
        A NaN anywhere fails or is unknown; it never passes.
    """
    return Verdict.of(
        [gate(evidence, gates) for gate in GATES] + [_fair(one) for one in evidence.disparities] + evidence.own
    )


def comeback(evidence: "Evidence", gates: Gates, verdict: Verdict) -> tuple[str, Verdict] | None:
    """Whether an earlier champion should stand again, and which.

    It must be better than the champion, at the level that pays for choosing the best of several,
    answer every row, be called as the champion is, and repeat itself in a fresh process.

    Returns
    -------
    version, verdict : str, Verdict
        None if the champion or the challenger stays; else the best of those that meet all of it.
    """
    if verdict.passing or not evidence.enough(gates):
        return None
    over = {name: gain for name, gain in evidence.earlier_over_champion.items() if gain.low > 0}
    for name in sorted(over, key=lambda one: -over[one].value):
        detail = f"better than the champion by {_span(over[name])} {evidence.metric} on {evidence.rows:,} rows"
        better = Check("earlier champion", "passed", over[name].low, 0.0, detail)
        its_own = replace(evidence, **vars(evidence.earlier[name]))
        checks = [better, *(gate(its_own, gates) for gate in (_finite, _signature, _reload))]
        if Verdict.of(checks).passing:
            return name, Verdict("promote", f"{name.capitalize()} comes back: {detail}.", checks)
    return None


def _finite(evidence: "Evidence", gates: Gates) -> Check:
    share = evidence.finite
    outcome: Outcome = "passed" if share == 1 else "failed"
    return Check("finite predictions", outcome, share, 1.0, f"{share:.2%} of the predictions are finite")


def _enough(evidence: "Evidence", gates: Gates) -> Check:
    detail = f"{evidence.rows:,} rows in {evidence.blocks} blocks; at least {gates.min_rows:,} in {gates.min_blocks}"
    if evidence.rows == 0:
        detail += ": the champion was trained on all of them, so that a training on newer rows has to be waited for"
    return Check("holdout", "passed" if evidence.enough(gates) else "unknown", evidence.rows, gates.min_rows, detail)


def _known(evidence: "Evidence", gates: Gates) -> Check:
    """Fail on a NaN among the numbers that are judged by; a bound that cannot be had yet is unknown."""
    missing = [path for path, number in _numbers(evidence, gates) if math.isnan(number)]
    values = [path for path in missing if not path.endswith((".low", ".high"))]
    failed = values and evidence.rows > 0
    outcome: Outcome = "failed" if failed else "unknown" if missing else "passed"
    found = ", ".join((values or missing)[:5])
    return Check(
        "no number is missing", outcome, len(missing), 0, f"not a number: {found}" if found else "all are there"
    )


def _numbers(evidence: "Evidence", gates: Gates) -> Iterator[tuple[str, float]]:
    """Every number of the evidence with its path; slices too small to judge by are left out."""
    judged = [one for one in evidence.slices if one.rows >= gates.slice_rows]
    parts = asdict(replace(evidence, slices=[])) | {f"slice {one.column} {one.value}": asdict(one) for one in judged}
    open_parts = list(parts.items())
    while open_parts:
        path, part = open_parts.pop()
        if isinstance(part, dict):
            open_parts += [(f"{path}.{name}", inner) for name, inner in part.items()]
        elif isinstance(part, float):
            yield path, part


def _floor(evidence: "Evidence", gates: Gates) -> Check:
    score = evidence.challenger.value
    if gates.floor is None:
        return Check("floor", "skipped", score, None, "no floor is set")
    if evidence.rows == 0:
        return Check("floor", "unknown", None, gates.floor, "no rows to score")
    good = score >= gates.floor if evidence.greater_is_better else score <= gates.floor
    word = "at least" if evidence.greater_is_better else "at most"
    detail = f"{evidence.metric} {score:.4g}; {word} {gates.floor:.4g}"
    return Check("floor", "passed" if good else "failed", score, gates.floor, detail)


def _dummy(evidence: "Evidence", gates: Gates) -> Check:
    """A champion that does worse still is no reason to keep a challenger out: after a break nobody beats the dummy."""
    found = _compared("better than the dummy", evidence.over_dummy, 0.0, "the dummy", evidence)
    known = math.isfinite(evidence.over_dummy.low) and math.isfinite(evidence.over_dummy.high)
    undecided = found.outcome == "unknown" and _favoured(evidence, gates)
    if found.outcome != "passed" and known and (undecided or _better(evidence)):
        beside = "undecided" if found.outcome == "unknown" else "it is not"
        detail = f"{found.detail}; {beside}, but it does better than the champion, which answers otherwise"
        return replace(found, outcome="passed", detail=detail)
    return found


def _better(evidence: "Evidence") -> bool:
    """Whether the challenger is better than the champion beyond chance."""
    own, carried = evidence.over_champion, evidence.carried
    return own is not None and (own.low > 0 or (carried is not None and carried.low > 0 and own.value > 0))


def _favoured(evidence: "Evidence", gates: Gates) -> bool:
    """Whether it decides that the challenger did better on these rows; the best of several looks does so by chance."""
    own = evidence.over_champion
    decides = gates.undecided == "better" and evidence.looks == 0
    return decides and own is not None and own.value > 0 and math.isfinite(own.low)


def _champion(evidence: "Evidence", gates: Gates) -> Check:
    name = "not worse than the champion"
    if evidence.champion_error:
        return Check(name, "passed", None, None, f"the champion cannot answer these rows: {evidence.champion_error}")
    if evidence.champion is None or evidence.over_champion is None:
        return Check(name, "skipped", None, None, "the first model: there is no champion to compare with")
    threshold = -gates.margin * abs(evidence.champion.value)
    found = _compared(name, evidence.over_champion, threshold, "the champion", evidence)
    if found.outcome != "passed" and evidence.carried is not None:
        count = evidence.carried_judgings
        beside = f"{found.detail}; with {count} judging{'s' if count > 1 else ''} before it {_span(evidence.carried)}"
        proven = found.outcome == "unknown" and evidence.over_champion.value > 0 and evidence.carried.low > threshold
        found = replace(found, outcome="passed" if proven else found.outcome, detail=beside)
    if found.outcome == "unknown" and _favoured(evidence, gates):
        return replace(found, outcome="passed", detail=f"{found.detail}; undecided, and it did better on these rows")
    return found


def _compared(name: str, gain: Interval, threshold: float, whom: str, evidence: "Evidence") -> Check:
    detail = f"gain over {whom} {_span(gain)} {evidence.metric}; its low end above {threshold:.4g}"
    if evidence.looks:
        detail += f" (look {evidence.looks + 1} at these rows, confidence {evidence.level:.2%})"
    if gain.low > threshold:
        outcome: Outcome = "passed"
    else:
        # A NaN in the scores themselves fails; bounds that cannot be had yet are unknown.
        outcome = "failed" if gain.high <= threshold or _broken(gain, evidence) else "unknown"
    return Check(name, outcome, _number(gain.low), threshold, detail)


def _broken(gain: Interval, evidence: "Evidence") -> bool:
    return evidence.rows > 0 and not math.isfinite(gain.value)


def _earlier(evidence: "Evidence", gates: Gates) -> Check:
    name = "no earlier champion is better"
    if not evidence.earlier_over_challenger:
        return Check(name, "skipped", None, None, "there is no earlier champion")
    version, gain = max(evidence.earlier_over_challenger.items(), key=lambda item: _order(item[1].low))
    detail = f"{version} over the challenger {_span(gain)} {evidence.metric}"
    return Check(name, "failed" if gain.low > 0 else "passed", _number(gain.low), 0.0, detail)


def _slices(evidence: "Evidence", gates: Gates) -> Check:
    name = "no slice is worse"
    large = [one for one in evidence.slices if one.rows >= gates.slice_rows and one.gain is not None]
    if evidence.champion is None or not large:
        return Check(name, "skipped", None, None, "no slice with a champion and enough rows")
    worse = [one for one in large if _slice_worse(one, gates)]
    worst = min(large, key=_slice_gain)
    detail = f"{len(large)} slices of at least {gates.slice_rows} rows; worst {_slice_detail(worst, evidence)}"
    if worse:
        detail = "; ".join(_slice_detail(one, evidence) for one in worse[:5])
    return Check(name, "failed" if worse else "passed", _number(_slice_gain(worst)), -gates.slice_margin, detail)


def _slice_worse(one: "Slice", gates: Gates) -> bool:
    assert one.gain is not None
    if not math.isfinite(one.gain.value):
        return True
    return one.gain.high < 0 and _slice_gain(one) < -gates.slice_margin


def _slice_gain(one: "Slice") -> float:
    """The gain as a share of the champion's metric, NaN as the worst."""
    assert one.gain is not None
    assert one.champion is not None
    if not math.isfinite(one.gain.value):
        return -math.inf
    return one.gain.value / abs(one.champion) if one.champion else math.copysign(math.inf, one.gain.value)


def _slice_detail(one: "Slice", evidence: "Evidence") -> str:
    assert one.gain is not None
    return f"{one.column} {one.value} ({one.rows:,} rows) {_span(one.gain)} {evidence.metric}"


def _calibration(evidence: "Evidence", gates: Gates) -> Check:
    allowed = max(gates.calibration, evidence.champion_calibration or 0.0)
    error = evidence.calibration
    if not evidence.enough(gates):
        return Check("calibration", "unknown", _number(error), allowed, "too few rows to tell")
    detail = f"calibration error {error:.4g}; at most {allowed:.4g}"
    low = evidence.calibration_low
    if error > allowed and low is not None and low <= allowed:
        return Check("calibration", "passed", _number(error), allowed, f"{detail}, which chance may explain")
    return Check("calibration", "passed" if error <= allowed else "failed", _number(error), allowed, detail)


def _latency(evidence: "Evidence", gates: Gates) -> Check:
    return _at_most("latency", evidence.latency_ms, gates.latency_ms, "ms for one row")


def _size(evidence: "Evidence", gates: Gates) -> Check:
    return _at_most("size", evidence.size_mb, gates.size_mb, "MB on disk")


def _at_most(name: str, value: float, threshold: float, unit: str) -> Check:
    detail = f"{value:.4g} {unit}; at most {threshold:.4g}"
    return Check(name, "passed" if value <= threshold else "failed", _number(value), threshold, detail)


def _reload(evidence: "Evidence", gates: Gates) -> Check:
    return Check(
        "repeats in a fresh process",
        "passed" if evidence.reload_error == "" else "failed",
        None,
        None,
        evidence.reload_error or "loaded from the registry, it repeats its predictions on the input example",
    )


def _signature(evidence: "Evidence", gates: Gates) -> Check:
    name = "signature"
    if evidence.signature_changes is None:
        return Check(name, "skipped", None, None, "there is no champion whose callers could break")
    changes = evidence.signature_changes
    good = not changes or not gates.same_signature
    detail = "; ".join(changes) or "callers of the champion can call it unchanged"
    return Check(name, "passed" if good else "failed", len(changes), 0, detail)


def _leakage(evidence: "Evidence", gates: Gates) -> Check:
    if not evidence.separation:
        return Check(
            "leakage", "skipped", None, gates.separation, "too few rows of each class to look at features alone"
        )
    worst, value = max(evidence.separation.items(), key=lambda item: _order(item[1]))
    detail = f"{worst} alone explains the target to {value:.4f}; below {gates.separation:.4g}"
    return Check(
        "leakage", "passed" if value < gates.separation else "failed", _number(value), gates.separation, detail
    )


def _overlap(evidence: "Evidence", gates: Gates) -> Check:
    count = evidence.overlap
    detail = f"{count:,} rows of the holdout are no later than the newest row that was trained on"
    return Check("holdout unseen", "passed" if count == 0 else "failed", count, 0, detail)


GATES: tuple[Callable[["Evidence", Gates], Check], ...] = (
    _finite,
    _known,
    _enough,
    _overlap,
    _leakage,
    _floor,
    _dummy,
    _champion,
    _earlier,
    _slices,
    _calibration,
    _signature,
    _reload,
    _latency,
    _size,
)


def _fair(found: Disparity) -> Check:
    """Pass where the groups lie no farther apart than is allowed, and fail where they do beyond chance."""
    name = f"fairness of {found.rate.replace('_', ' ')} by {found.column}"
    if found.present < 2:
        return Check(name, "skipped", None, found.allowed, "there are no two groups to compare")
    if found.groups < 2:
        told = f"{found.groups} of {found.present} groups have rows enough (group_rows) to be looked at"
        return Check(name, "unknown", None, found.allowed, told)
    detail = f"{found.highest} {found.high:.4g}, {found.lowest} {found.low:.4g}: {_span(found.apart)} apart"
    if found.apart.value <= found.allowed:
        outcome: Outcome = "passed"
    else:
        outcome = "failed" if found.apart.low > found.allowed or math.isnan(found.apart.value) else "unknown"
    return Check(name, outcome, _number(found.apart.value), found.allowed, f"{detail}; at most {found.allowed:.4g}")


def asked_of(own: Callable[..., Any], *given: Any) -> list[Check]:
    """The checks of a gate of the model file's own; one that raises, or gives anything else, has failed."""
    name = getattr(own, "__name__", type(own).__name__).replace("_", " ")
    try:
        found = own(*given)
    except Exception as error:
        return [Check(name, "failed", None, None, f"the gate raised {type(error).__name__}: {error}")]
    checks = found if isinstance(found, list) else [found]
    wrong = next((type(one).__name__ for one in checks if not isinstance(one, Check)), "")
    if wrong or not checks:
        told = wrong or "an empty list"
        return [Check(name, "failed", None, None, f"the gate gave {told}, not a Check or a list of them")]
    return [_sound(one) for one in checks]


def _sound(check: Check) -> Check:
    """A check of one's own, failed where its outcome is none or its value is no number."""
    if check.outcome not in get_args(Outcome):
        told = f"the gate gave the outcome {check.outcome!r}, which is none of {', '.join(get_args(Outcome))}"
        return replace(check, outcome="failed", detail=told)
    if check.value is not None and math.isnan(check.value):
        return replace(check, outcome="failed", detail=f"the value is not a number; {check.detail}")
    return check


def _sentence(checks: list[Check]) -> str:
    return "; ".join(f"{check.name}: {check.detail}" for check in checks) + ("." if checks else "")


def _span(gain: Interval) -> str:
    return f"{gain.value:+.4g} [{gain.low:+.4g}, {gain.high:+.4g}]"


def _number(value: float) -> float | None:
    """A number that JSON can hold."""
    return value if math.isfinite(value) else None


def _order(value: Any) -> float:
    return -math.inf if math.isnan(value) else float(value)
