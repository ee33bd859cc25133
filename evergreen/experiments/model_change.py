"""What a change does to one model: what was found of it before it is merged."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evergreen.exit_codes import Exit
from evergreen.experiments.comparison import Compared
from evergreen.experiments.revision import Kind
from evergreen.json_record import JsonRecord

if TYPE_CHECKING:
    from evergreen.definition.model import Model


@dataclass(frozen=True)
class Judged(JsonRecord):
    """The verdict of production's gates on a challenger that was trained with one side of a change.

    Attributes
    ----------
    decision, reason : str
        As of a training; the decision ``"failed"`` if nothing could be trained.
    against : str
        The number of the champion; empty if there is none.
    kept_out_by : list of str
        The gates that it did not pass.
    seconds : float
        CPU seconds.
    """

    decision: str
    reason: str
    against: str = ""
    kept_out_by: list[str] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True)
class ModelChange(JsonRecord):
    """What a change does to one model.

    Attributes
    ----------
    model, kind, reason : str
        Which model, how it is affected (`evergreen.experiments.revision.Kind`), and why.
    problems : list of str
        Why it must not be merged as it is.
    notes : list of str
        What its callers, and those who bring its data, should know.
    compared : Compared or None
        Base against head on production's history.
    base, head : Judged or None
        The challengers of both, judged against production's champion.
    unread : str
        Why production could not be read; empty if it could.
    """

    model: str
    kind: Kind
    reason: str
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    compared: Compared | None = None
    base: Judged | None = None
    head: Judged | None = None
    unread: str = ""

    @property
    def worse(self) -> bool:
        """Whether it makes the model worse beyond chance, on production's history."""
        return self.compared is not None and self.compared.variants[0].found == "worse"

    @property
    def rejected(self) -> bool:
        """Whether the gates reject what it trains, and not what the base trains."""
        return self.head is not None and self.head.decision == "reject" and not _rejects(self.base)

    @property
    def code(self) -> Exit:
        """The exit code, as of a training."""
        if self.problems or (self.head is not None and self.head.decision == "failed" and not _failed(self.base)):
            return Exit.FAILED
        if self.worse or self.rejected:
            return Exit.REJECTED
        unknown = self.kind == "changed" and (self.compared is None or self.compared.variants[0].found == "failed")
        undecided = self.head is not None and self.head.decision == "not enough evidence" and not self.better
        return Exit.UNDECIDED if unknown or undecided or self.unread else Exit.DONE

    @property
    def better(self) -> bool:
        """Whether it makes the model better beyond chance, on production's history."""
        return self.compared is not None and self.compared.variants[0].found == "better"

    @property
    def verdict(self) -> str:
        """The result in a sentence."""
        return self._objection() or self._finding()

    def _objection(self) -> str:
        """Why it should not be merged, or cannot be told; empty if nothing is against it."""
        if self.problems:
            return f"Must not be merged as it is: {self.problems[0]}"
        if self.code is Exit.FAILED:
            return f"Cannot be trained: {self.head.reason if self.head else self.reason}"
        if self.unread:
            return f"Cannot be told, as production could not be read: {self.unread}"
        if self.worse:
            return "Worse than the base on production's history, beyond chance."
        if self.rejected and self.head:
            return f"Production's gates would reject it: {self.head.reason}"
        return ""

    def _finding(self) -> str:
        if self.kind in _WORDS:
            return _WORDS[self.kind]
        if self.better:
            return "Better than the base on production's history, beyond chance."
        if self.code is Exit.UNDECIDED:
            return "Not enough evidence to tell whether it is better or worse."
        if self.compared is None:
            passed = " What it trains passes production's gates." if self.head else ""
            return f"Not compared with the base.{passed}"
        return "No difference to the base shown on production's history."


_WORDS = {
    "added": "New: there are no production rows to compare it on. Its first training is judged by its gates.",
    "removed": "Removed: its champion, if it has one, goes on answering until a person retires it.",
}


def _rejects(judged: Judged | None) -> bool:
    return judged is not None and judged.decision == "reject"


def _failed(judged: Judged | None) -> bool:
    return judged is not None and judged.decision == "failed"


def code_of(changes: "list[ModelChange]") -> Exit:
    """The exit code of all changes together: the gravest.

    Examples
    --------
    >>> code_of([])
    <Exit.DONE: 0>
    """
    order = (Exit.FAILED, Exit.REJECTED, Exit.UNDECIDED)
    codes = {change.code for change in changes}
    return next((code for code in order if code in codes), Exit.DONE)


def signature_notes(before: "Model", now: "Model") -> list[str]:
    """What the callers of the service, and those who bring the data, should know, a sentence each."""
    notes = []
    new = [name for name in now.features if name not in before.features]
    gone = [name for name in before.features if name not in now.features]
    other = [name for name, kind in now.features.items() if before.features.get(name, kind) != kind]
    if new:
        notes.append(f"Callers must send {_quoted(new)}: requests without it are refused once this is the champion.")
    if gone:
        notes.append(f"Callers need not send {_quoted(gone)} any more.")
    if other:
        notes.append(f"Callers must send {_quoted(other)} as another kind of value.")
    if before.contract != now.contract:
        notes.append("The contract of the data changed.")
    if before.gates != now.gates:
        notes.append("The gates changed: the base is judged by the base's gates, and the head by the head's.")
    return notes


def _quoted(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
