"""Verification of the audit log: its hash chain, and the seals that are kept outside the table."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evergreen.lake import audit_log
from evergreen.lake.audit_log import Line, read
from evergreen.lake.lake import Lake

if TYPE_CHECKING:
    from evergreen.registry.registry import Registry
    from evergreen.registry.version import Version


def problems(lines: list[Line], known: list[str]) -> list[str]:
    """The problems of a whole log, a sentence each, in the order of the lines; empty if it is unchanged.

    Parameters
    ----------
    lines : list of Line
        From the first to the last.
    known : list of str
        `Line.seal` of lines, as recorded elsewhere.
    """
    found = []
    for place, line in enumerate(lines):
        before = lines[place - 1] if place else None
        if not line.sealed:
            found.append(f"Line {line.number} ({line.act} of {line.subject}) was changed after it was written.")
        if line.number != (before.number if before else 0) + 1:
            missing = f"after line {before.number}" if before else "at the start"
            found.append(f"Lines are missing or duplicated {missing}: the next is line {line.number}.")
        elif line.before != (before.hash if before else ""):
            found.append(f"Line {line.number} does not follow the line before it: one of the two was rewritten.")
    there = {line.seal for line in lines}
    lost = sorted({int(seal.split()[0]) for seal in known if seal not in there})
    return found + ([_sentence(lost)] if lost else [])


def _sentence(lost: list[int]) -> str:
    """The sentence about sealed lines that are not in the log."""
    place = f"Line {lost[0]} is" if len(lost) == 1 else f"{len(lost)} of the lines {lost[0]} to {lost[-1]} are"
    return f"{place} not as sealed outside the table: the log was truncated, restored or rewritten."


@dataclass(frozen=True)
class Verified:
    """The result of verifying a whole log.

    Attributes
    ----------
    model : str
    lines, seals : int
        How many lines there are, and how many seals are kept in the home and in the model registry.
    unsealed : int
        How many lines at the end no seal covers yet: a process died before it sealed them, another home
        wrote them, or a release without seals did. The seal of the next line covers them.
    head : str
        The last line's seal: keep it elsewhere to verify later that nothing up to it was changed.
    problems : list of str
        Empty if the log is unchanged.
    """

    model: str
    lines: int
    seals: int
    unsealed: int
    head: str
    problems: list[str]

    @property
    def whole(self) -> bool:
        """Whether the log is unchanged."""
        return not self.problems


def verify(lake: Lake, registry: "Registry", model: str, head: str = "") -> Verified:
    """Verify a model's log: its hash chain, and the seals that were kept outside the table.

    Parameters
    ----------
    lake : Lake
    registry : Registry
    model : str
    head : str, optional
        The seal of a line that somebody kept, as an earlier verification gave it.
    """
    known = seals(lake, model, registry.versions(model))  # before the lines: others may write meanwhile
    lines = read(lake, model)
    covered = max((line.number for line in lines if line.seal in known), default=0)
    found = problems(lines, [*known, head] if head else known)
    end = lines[-1].seal if lines else ""
    return Verified(model, len(lines), len(known), sum(line.number > covered for line in lines), end, found)


def seals(lake: Lake, model: str, versions: "Iterable[Version]") -> list[str]:
    """The seals of a model's log that are kept outside its table, each once: in the home, and with the versions."""
    with_versions = [seal for version in versions for seal in _kept_with(version)]
    return list(dict.fromkeys(filter(None, [*audit_log.seals(lake, model), *with_versions])))


def _kept_with(version: "Version") -> tuple[str, ...]:
    return (
        version.verdict_seal,
        version.approval_seal,
        version.promotion_seal,
        version.rollback_seal,
        version.retirement_seal,
    )
