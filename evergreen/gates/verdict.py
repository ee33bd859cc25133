"""The verdict: all checks of one evaluation, and the decision that follows."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from evergreen.definition.gates import Check, Gates
from evergreen.gates.checks import GATES, HOLDOUT, fairness_check, finite_check, reload_check, signature_check, span

if TYPE_CHECKING:
    from evergreen.evaluation.evidence import Evidence

Decision = Literal["promote", "reject", "not enough evidence"]


@dataclass(frozen=True)
class Verdict:
    """All checks of one evaluation, and the decision that follows from them.

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
        """Decide: any failed check rejects, any unknown one is not enough evidence, else promote.

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
            without_rows = [check for check in unknown if check.name == HOLDOUT and not check.value]
            return cls("not enough evidence", _sentence(without_rows or unknown), checks)  # the rest follows from it
        skipped = [check for check in checks if check.outcome == "skipped"]
        beside = f"; skipped: {', '.join(check.name for check in skipped)}" if skipped else ""
        return cls("promote", f"All {len(checks) - len(skipped)} gates passed{beside}.", checks)


def judge(evidence: "Evidence", gates: Gates) -> Verdict:
    """Evaluate every gate, also after one has failed, and decide.

    Parameters
    ----------
    evidence : Evidence
    gates : Gates

    Returns
    -------
    Verdict
        A NaN anywhere fails or is unknown; it never passes.
    """
    fairness = [fairness_check(disparity) for disparity in evidence.disparities]
    return Verdict.of([gate(evidence, gates) for gate in GATES] + fairness + evidence.own)


def reinstatement(evidence: "Evidence", gates: Gates, verdict: Verdict) -> tuple[str, Verdict] | None:
    """Whether to reinstate an earlier champion, and which.

    It must be better than the champion at the level corrected for choosing the best of several,
    predict every row, have the champion's signature, and repeat its predictions in a fresh process.
    Where the champion has seen these rows and a version takes its place, it must be better than the
    champion itself as well, on the rows that have come since.

    Returns
    -------
    version, verdict : str, Verdict
        The best version that meets all conditions; None if there is none, or the challenger passes.
    """
    if verdict.passing or not evidence.enough(gates):
        return None
    over = {name: gain for name, gain in evidence.earlier_over_champion.items() if gain.low > 0}
    if evidence.stand_in:
        itself = evidence.earlier_over_answering
        over = {name: gain for name, gain in over.items() if name in itself and itself[name].low > 0}
    for name in sorted(over, key=lambda version: -over[version].value):
        detail = f"better than the champion by {span(over[name])} {evidence.metric} on {evidence.rows:,} rows"
        better = Check("earlier champion", "passed", over[name].low, 0.0, detail)
        its_own = replace(evidence, **vars(evidence.earlier[name]))
        checks = [better, *(gate(its_own, gates) for gate in (finite_check, signature_check, reload_check))]
        if Verdict.of(checks).passing:
            return name, Verdict("promote", f"{name.capitalize()} is reinstated: {detail}.", checks)
    return None


def _sentence(checks: list[Check]) -> str:
    return "; ".join(f"{check.name}: {check.detail}" for check in checks) + ("." if checks else "")
