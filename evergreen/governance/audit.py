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
    """What is wrong with a whole log, a sentence each, the first line first; none if it is as it was written.

    Parameters
    ----------
    lines : list of Line
        From the first to the last.
    known : list of str
        `Line.seal` of lines, as they were kept elsewhere.
    """
    found = []
    for place, line in enumerate(lines):
        before = lines[place - 1] if place else None
        if not line.sealed:
            found.append(f"Line {line.number} ({line.act} of {line.subject}) is not what was written: it was changed.")
        if line.number != (before.number if before else 0) + 1:
            missing = f"after line {before.number}" if before else "at the start"
            found.append(f"Lines are missing or doubled {missing}: the next is line {line.number}.")
        elif line.before != (before.hash if before else ""):
            found.append(f"Line {line.number} does not follow the line before it: one of the two was written anew.")
    there = {one.seal for one in lines}
    lost = sorted({int(one.split()[0]) for one in known if one not in there})
    return found + [
        f"Line {number} is not the one that the model registry knows: the log was cut or written anew."
        for number in lost
    ]


@dataclass(frozen=True)
class Verified:
    """What came of looking through a whole log.

    Attributes
    ----------
    model : str
    lines, seals : int
        How many there are, and how many of them the model registry knows by their hashes.
    head : str
        The last line's seal: who keeps it elsewhere can tell later whether anything up to it was changed.
    problems : list of str
        Empty if it is as it was written.
    """

    model: str
    lines: int
    seals: int
    head: str
    problems: list[str]


def verify(lake: Lake, registry: "Registry", model: str) -> Verified:
    """Look whether a model's log is as it was written, also beside what the model registry knows of it."""
    lines, known = read(lake, model), seals(registry.versions(model))
    return Verified(model, len(lines), len(known), lines[-1].seal if lines else "", problems(lines, known))


def seals(versions: "Iterable[Version]") -> list[str]:
    """The lines that versions bear the seals of: those of their promotions."""
    return [version.promotion_seal for version in versions if version.promotion_seal]
