"""The gates: each is a pure function from the evidence to a check, and `GATES` lists them in order.

`verdict.py` turns the checks into a verdict. No passing verdict, no promotion.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from evergreen.definition.gates import Check, Gates, Outcome
from evergreen.definition.metrics import COUNT_CALIBRATION
from evergreen.evaluation.bootstrap import Interval
from evergreen.evaluation.fairness import Disparity

if TYPE_CHECKING:
    from evergreen.evaluation.evidence import Evidence
    from evergreen.evaluation.slices import Slice

HOLDOUT = "holdout"  # the check that there are enough rows


def finite_check(evidence: "Evidence", gates: Gates) -> Check:
    """Every prediction is a finite number."""
    share = evidence.finite
    outcome: Outcome = "passed" if share == 1 else "failed"
    return Check("finite predictions", outcome, share, 1.0, f"{share:.2%} of the predictions are finite")


def _enough(evidence: "Evidence", gates: Gates) -> Check:
    detail = f"{evidence.rows:,} rows in {evidence.blocks} blocks; at least {gates.min_rows:,} in {gates.min_blocks}"
    if evidence.rows == 0:
        detail += ": the champion was trained on all of them; train again when newer rows have labels"
    return Check(HOLDOUT, "passed" if evidence.enough(gates) else "unknown", evidence.rows, gates.min_rows, detail)


def _known(evidence: "Evidence", gates: Gates) -> Check:
    """Fail if a score is NaN; a missing interval bound gives the outcome unknown."""
    missing = [path for path, number in _numbers(evidence, gates) if math.isnan(number)]
    values = [path for path in missing if not path.endswith((".low", ".high"))]
    failed = values and evidence.rows > 0
    outcome: Outcome = "failed" if failed else "unknown" if missing else "passed"
    names = ", ".join((values or missing)[:5])
    return Check(
        "no number is missing", outcome, len(missing), 0, f"not a number: {names}" if names else "no number is missing"
    )


def _numbers(evidence: "Evidence", gates: Gates) -> Iterator[tuple[str, float]]:
    """Every number of the evidence with its path; of slices only what a fault of the challenger is."""
    judged = [slice_ for slice_ in evidence.slices if slice_.rows >= gates.slice_rows and _fails_alone(slice_)]
    parts = asdict(replace(evidence, slices=[])) | {
        f"slice {slice_.column} {slice_.value}": {"challenger": slice_.challenger} for slice_ in judged
    }
    open_parts = list(parts.items())
    while open_parts:
        path, part = open_parts.pop()
        if isinstance(part, dict):
            open_parts += [(f"{path}.{name}", inner) for name, inner in part.items()]
        elif isinstance(part, float):
            yield path, part


def _fails_alone(slice_: "Slice") -> bool:
    """Whether only the challenger has no metric on a slice.

    If nobody has one, the rows do not allow it, such as a rank metric of rows of one class.
    """
    return math.isnan(slice_.challenger) and slice_.champion is not None and math.isfinite(slice_.champion)


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
    """Passes if better than the champion, even if neither beats the dummy, as after a break in the data."""
    check = _compared("better than the dummy", evidence.over_dummy, 0.0, "the dummy", evidence)
    bounded = math.isfinite(evidence.over_dummy.low) and math.isfinite(evidence.over_dummy.high)
    undecided = check.outcome == "unknown" and _favoured(evidence, gates)
    if check.outcome != "passed" and bounded and (undecided or _better(evidence)):
        beside = "undecided" if check.outcome == "unknown" else "it is not"
        better = _better(evidence) or gates.undecided == "better"
        does = "does better" if better else "is not shown to do worse"
        detail = f"{check.detail}; {beside}, but it {does} than the champion, which would stay otherwise"
        return replace(check, outcome="passed", detail=detail)
    return check


def _better(evidence: "Evidence") -> bool:
    """Whether the challenger is better than the champion beyond chance."""
    own, carried = evidence.over_champion, evidence.carried
    return own is not None and (own.low > 0 or (carried is not None and carried.low > 0 and own.value > 0))


def _favoured(evidence: "Evidence", gates: Gates) -> bool:
    """Whether the challenger wins an undecided comparison with the champion.

    The one that did better wins in the first evaluation on these rows only: of several challengers, one has a positive
    estimate by chance.
    """
    own = evidence.over_champion
    if own is None or evidence.champion is None or not math.isfinite(own.low):
        return False
    if gates.undecided == "challenger":
        return own.high > _allowed(evidence.champion, gates)
    return gates.undecided == "better" and evidence.looks == 0 and own.value > 0


def _allowed(champion: Interval, gates: Gates) -> float:
    """The smallest gain that is not too great a loss."""
    return 0.0 - gates.margin * abs(champion.value)


def _champion(evidence: "Evidence", gates: Gates) -> Check:
    name = "not worse than the champion"
    if evidence.champion_error:
        return Check(name, "passed", None, None, f"the champion cannot predict these rows: {evidence.champion_error}")
    if evidence.champion is None or evidence.over_champion is None:
        return Check(name, "skipped", None, None, "the first model: there is no champion to compare with")
    threshold = _allowed(evidence.champion, gates)
    stand_in = f" (as version {evidence.stand_in}, its refit has seen these rows)" if evidence.stand_in else ""
    whom = f"the champion{stand_in}"
    check = _compared(name, evidence.over_champion, threshold, whom, evidence, evidence.champion_level, equal=True)
    if check.outcome != "passed" and evidence.carried is not None:
        count = evidence.carried_judgings
        beside = f"{check.detail}; with {count} earlier evaluation{'s' if count > 1 else ''} {span(evidence.carried)}"
        proven = check.outcome == "unknown" and evidence.over_champion.value > 0 and evidence.carried.low > threshold
        check = replace(check, outcome="passed" if proven else check.outcome, detail=beside)
    if check.outcome == "unknown" and _favoured(evidence, gates):
        newer = "it is not shown to be worse, and has seen newer rows"
        why = "it did better on these rows" if gates.undecided == "better" else newer
        return replace(check, outcome="passed", detail=f"{check.detail}; undecided, and {why}")
    return check


def _compared(
    name: str,
    gain: Interval,
    threshold: float,
    whom: str,
    evidence: "Evidence",
    level: float | None = None,
    *,
    equal: bool = False,
) -> Check:
    """Whether a gain is beyond a threshold; `equal`: or at it in every resample, as of two models without an error."""
    detail = f"gain over {whom} {span(gain)} {evidence.metric}; its low end above {threshold:.4g}"
    if evidence.looks:
        detail += f" (evaluation {evidence.looks + 1} on these rows, confidence {level or evidence.level:.2%})"
    if gain.low > threshold or (equal and gain.low == gain.high == threshold):
        outcome: Outcome = "passed"
    else:
        # A NaN score fails; missing bounds are unknown.
        outcome = "failed" if gain.high <= threshold or _broken(gain, evidence) else "unknown"
    return Check(name, outcome, _number(gain.low), threshold, detail)


def _broken(gain: Interval, evidence: "Evidence") -> bool:
    return evidence.rows > 0 and not math.isfinite(gain.value)


def _earlier(evidence: "Evidence", gates: Gates) -> Check:
    name = "no earlier champion is better"
    if not evidence.earlier_over_challenger:
        return Check(name, "skipped", None, None, "there is no earlier champion")
    version, gain = max(evidence.earlier_over_challenger.items(), key=lambda item: _order(item[1].low))
    detail = f"{version} over the challenger {span(gain)} {evidence.metric}"
    if not gain.low > 0:
        return Check(name, "passed", _number(gain.low), 0.0, detail)
    allowed = -_allowed(evidence.champion, gates) if evidence.champion else 0.0
    outcome: Outcome = "failed" if gain.low > allowed else "passed"
    return Check(name, outcome, _number(gain.low), allowed, f"{detail}; its low end at most {allowed:.4g}")


def _slices(evidence: "Evidence", gates: Gates) -> Check:
    name = "no slice is worse"
    large = [slice_ for slice_ in evidence.slices if slice_.rows >= gates.slice_rows and _comparable(slice_)]
    if evidence.champion is None or not large:
        return Check(name, "skipped", None, None, "no slice with a champion and enough rows")
    worse = [slice_ for slice_ in large if _slice_worse(slice_, gates)]
    worst = min(large, key=_slice_gain)
    detail = f"{len(large)} slices of at least {gates.slice_rows} rows; worst {_slice_detail(worst, evidence)}"
    if worse:
        detail = "; ".join(_slice_detail(slice_, evidence) for slice_ in worse[:5])
    return Check(name, "failed" if worse else "passed", _number(_slice_gain(worst)), -gates.slice_margin, detail)


def _comparable(slice_: "Slice") -> bool:
    """Whether its rows allow the metric, such as a rank metric of rows of both classes."""
    return slice_.gain is not None and slice_.champion is not None and math.isfinite(slice_.champion)


def _slice_worse(slice_: "Slice", gates: Gates) -> bool:
    assert slice_.gain is not None
    if not math.isfinite(slice_.gain.value):
        return True
    return slice_.gain.high < 0 and _slice_gain(slice_) < -gates.slice_margin


def _slice_gain(slice_: "Slice") -> float:
    """The gain as a share of the champion's metric, NaN as the worst."""
    assert slice_.gain is not None
    assert slice_.champion is not None
    if not math.isfinite(slice_.gain.value):
        return -math.inf
    return slice_.gain.value / abs(slice_.champion) if slice_.champion else math.copysign(math.inf, slice_.gain.value)


def _slice_detail(slice_: "Slice", evidence: "Evidence") -> str:
    assert slice_.gain is not None
    return f"{slice_.column} {slice_.value} ({slice_.rows:,} rows) {span(slice_.gain)} {evidence.metric}"


def _calibration(evidence: "Evidence", gates: Gates) -> Check:
    allowed = max(gates.calibration, evidence.champion_calibration or 0.0)
    error = evidence.calibration
    if not evidence.enough(gates):
        return Check("calibration", "unknown", _number(error), allowed, "too few rows to tell")
    detail = f"calibration error {error:.4g}; at most {allowed:.4g}"
    low = evidence.calibration_low
    if error > allowed and low is not None and low <= allowed:
        return Check("calibration", "passed", _number(error), allowed, f"{detail}, which chance may explain")
    if error > allowed and evidence.metric in COUNT_CALIBRATION and _better(evidence):
        beside = f"it does better than the champion by {evidence.metric}, which counts this"
        return Check("calibration", "passed", _number(error), allowed, f"{detail}; {beside}")
    return Check("calibration", "passed" if error <= allowed else "failed", _number(error), allowed, detail)


def _latency(evidence: "Evidence", gates: Gates) -> Check:
    return _at_most("latency", evidence.latency_ms, gates.latency_ms, "ms for one row")


def _size(evidence: "Evidence", gates: Gates) -> Check:
    return _at_most("size", evidence.size_mb, gates.size_mb, "MB on disk")


def _at_most(name: str, value: float, threshold: float, unit: str) -> Check:
    detail = f"{value:.4g} {unit}; at most {threshold:.4g}"
    return Check(name, "passed" if value <= threshold else "failed", _number(value), threshold, detail)


def reload_check(evidence: "Evidence", gates: Gates) -> Check:
    """The stored model repeats its predictions in a fresh process."""
    return Check(
        "repeats in a fresh process",
        "passed" if evidence.reload_error == "" else "failed",
        None,
        None,
        evidence.reload_error or "loaded from the registry, it repeats its predictions on the input example",
    )


def signature_check(evidence: "Evidence", gates: Gates) -> Check:
    """Callers of the champion can call the challenger unchanged."""
    name = "signature"
    if evidence.signature_changes is None:
        return Check(name, "skipped", None, None, "there is no champion whose callers could break")
    changes = evidence.signature_changes
    good = not changes or not gates.same_signature
    detail = "; ".join(changes) or "callers of the champion can call it unchanged"
    return Check(name, "passed" if good else "failed", len(changes), 0, detail)


def _leakage(evidence: "Evidence", gates: Gates) -> Check:
    if not evidence.separation:
        return Check("leakage", "skipped", None, gates.separation, "too few rows of each class to test features alone")
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
    finite_check,
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
    signature_check,
    reload_check,
    _latency,
    _size,
)


def fairness_check(disparity: Disparity) -> Check:
    """Pass if the groups differ by no more than allowed; fail if they differ by more, beyond chance."""
    name = f"fairness of {disparity.rate.replace('_', ' ')} by {disparity.column}"
    if disparity.present < 2:
        return Check(name, "skipped", None, disparity.allowed, "there are no two groups to compare")
    if disparity.groups < 2:
        too_few = f"{disparity.groups} of {disparity.present} groups have enough rows (group_rows)"
        return Check(name, "unknown", None, disparity.allowed, too_few)
    detail = f"{disparity.highest} {disparity.high:.4g}, {disparity.lowest} {disparity.low:.4g}"
    detail += f": {span(disparity.apart)} apart"
    if disparity.apart.value <= disparity.allowed:
        outcome: Outcome = "passed"
    else:
        outcome = (
            "failed" if disparity.apart.low > disparity.allowed or math.isnan(disparity.apart.value) else "unknown"
        )
    return Check(
        name, outcome, _number(disparity.apart.value), disparity.allowed, f"{detail}; at most {disparity.allowed:.4g}"
    )


def span(gain: Interval) -> str:
    """A gain with its interval, as text."""
    return f"{gain.value:+.4g} [{gain.low:+.4g}, {gain.high:+.4g}]"


def _number(value: float) -> float | None:
    """The value if it is finite, else None: JSON has no NaN."""
    return value if math.isfinite(value) else None


def _order(value: Any) -> float:
    return -math.inf if math.isnan(value) else float(value)
