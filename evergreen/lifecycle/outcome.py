"""The outcome of a run of the loop, as exit code and JSON for other programs."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from evergreen.exit_codes import Exit

if TYPE_CHECKING:
    from evergreen.gates.advice import Advice
    from evergreen.gates.judgement import Judgement
    from evergreen.ingestion.batch import Ingested
    from evergreen.lifecycle.approval import Approval
    from evergreen.registry.version import Version

REINSTATED = "comeback"  # the decision, as files, events and `--json` of all releases have it


def code_of(decision: str) -> Exit:
    """The exit code of a verdict's decision.

    Examples
    --------
    >>> code_of("reject")
    <Exit.REJECTED: 3>
    """
    codes = {"reject": Exit.REJECTED, "not enough evidence": Exit.UNDECIDED, "waiting": Exit.WAITING}
    return codes.get(decision, Exit.DONE)


def code_after(batches: "list[Ingested]") -> Exit:
    """The exit code of an ingest."""
    return Exit.QUARANTINED if any(batch.fate == "quarantined" for batch in batches) else Exit.DONE


@dataclass(frozen=True)
class Outcome:
    """The outcome of a training, or why there was none.

    Attributes
    ----------
    model : str
    decision : str
        ``"promote"``, ``"reject"``, ``"not enough evidence"``, ``"comeback"``, ``"rollback"``, ``"waiting"``,
        ``"refused"`` or ``"none"``.
    reason : str
    challenger, champion : str or None
        Version numbers; `champion` is the version chosen as champion by this run.
    moved : bool
        Whether the champion changed.
    quarantined : list of str
        Batches that this run quarantined.
    advice : Advice or None
        What to do after a training that promoted nothing.
    notes : list of str
        What to know of the labels that it was trained on.
    """

    model: str
    decision: str
    reason: str
    challenger: str | None = None
    champion: str | None = None
    moved: bool = False
    quarantined: list[str] = field(default_factory=list)
    advice: "Advice | None" = None
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        judged: "Judgement",
        chosen: "Version | None",
        moved: bool,
        *,
        again: bool = False,
        approval: "Approval | None" = None,
        advice: "Advice | None" = None,
    ) -> "Outcome":
        """The outcome of a judgement; with `again`, of one whose promotion or rejection was already carried out."""
        number = chosen.number if chosen else None
        if approval and approval.state == "waiting":
            reason = f"{approval.sentence}. {judged.verdict.reason}"
            return cls(judged.model, "waiting", reason, judged.version, number)
        if approval and approval.state == "refused":
            return cls(judged.model, "none", f"{approval.sentence}.", judged.version)
        if again and not moved:
            reason = (
                f"Nothing was trained: version {judged.version} was already trained on this data. "
                f"Its verdict is unchanged: {judged.verdict.decision}."
            )
            return cls(judged.model, "none", reason, judged.version, number, advice=advice)
        decision = REINSTATED if judged.reinstated else judged.verdict.decision
        return cls(judged.model, decision, judged.followed.reason, judged.version, number, moved, advice=advice)

    @classmethod
    def of_rollback(cls, champion: "Version", target: "Version", reason: str, moved: bool) -> "Outcome":
        """The outcome of a rollback."""
        detail = f"instead of version {champion.number}: {reason}" if moved else "it was the champion already"
        return cls(target.model, "rollback", detail, champion=target.number, moved=moved)

    @classmethod
    def not_judged_yet(cls, version: "Version", wait: str) -> "Outcome":
        """The version in shadow or canary has too few predictions to evaluate; no evaluation was spent."""
        return cls(version.model, "not enough evidence", f"Version {version.number} is not judged yet: {wait}.")

    @classmethod
    def of_answer(cls, approval: "Approval", moved: bool) -> "Outcome":
        """The outcome of a person's answer to an approval request."""
        decision = "promote" if approval.state == "approved" else "refused"
        number = approval.version.number
        return cls(approval.version.model, decision, f"{approval.sentence}.", approval.judged or None, number, moved)

    @classmethod
    def without_training(cls, model: str, reason: str, batches: "list[Ingested]") -> "Outcome":
        """The outcome where no training was due."""
        return cls(model, "none", reason).after(batches)

    def after(self, batches: "list[Ingested]") -> "Outcome":
        """The outcome with the batches that were quarantined."""
        return replace(self, quarantined=[ingested.batch for ingested in batches if ingested.fate == "quarantined"])

    @property
    def code(self) -> Exit:
        """The exit code of this outcome."""
        code = code_of(self.decision)
        return Exit.QUARANTINED if code is Exit.DONE and self.quarantined else code
