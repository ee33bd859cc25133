"""Verification of the audit log: hash chain and the anchors in the model registry."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
    return found + [
        f"Line {number} differs from the one that the model registry recorded: the log was truncated or rewritten."
        for number in lost
    ]


@dataclass(frozen=True)
class Verified:
    """The result of verifying a whole log.

    Attributes
    ----------
    model : str
    lines, seals : int
        How many lines there are, and how many of their hashes the model registry has recorded.
    head : str
        The last line's seal: keep it elsewhere to verify later that nothing up to it was changed.
    problems : list of str
        Empty if the log is unchanged.
    """

    model: str
    lines: int
    seals: int
    head: str
    problems: list[str]


def verify(lake: Lake, registry: "Registry", model: str) -> Verified:
    """Verify a model's log: its hash chain, and the hashes that the model registry recorded."""
    lines, known = read(lake, model), seals(registry.versions(model))
    return Verified(model, len(lines), len(known), lines[-1].seal if lines else "", problems(lines, known))


def seals(versions: "Iterable[Version]") -> list[str]:
    """The seals of the lines of promotions, as recorded with the versions."""
    return [version.promotion_seal for version in versions if version.promotion_seal]
