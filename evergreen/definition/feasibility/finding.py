"""Whether one gate or trigger can come to a judgement, and the arithmetic that all of them share."""

from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING, Literal

from evergreen.definition.figures import Figures
from evergreen.durations import as_text

if TYPE_CHECKING:
    from evergreen.definition.model import Model

State = Literal["judges", "not yet", "partly", "never", "skipped"]


@dataclass(frozen=True)
class Finding:
    """Whether one gate or trigger can come to a judgement.

    Attributes
    ----------
    what : str
        The gate or trigger.
    state : {"judges", "not yet", "partly", "never", "skipped"}
        "Partly" judges, but later or less often than the settings say; "skipped" takes no part by its settings.
    why : str
        The arithmetic, as a sentence.
    change : str
        The line of the model file that would help; empty if none is needed.
    since : str
        The day from which on it can judge, if rows come as they do today; empty if that is now or unknown.
    """

    what: str
    state: State
    why: str
    change: str = ""
    since: str = ""

    @property
    def problems(self) -> list[str]:
        """What is wrong and the line to change, if it can never judge."""
        change = f" Change it to: {self.change}" if self.change else ""
        return [f"{self.what} can never judge: {self.why}.{change}"] if self.state == "never" else []


def blocks(model: "Model", figures: Figures | None, length: timedelta) -> tuple[int, int]:
    """How many blocks a period holds: usually, and at most. Its ends may lie within blocks."""
    if figures and len(figures.last):
        return figures.blocks_in(length)
    whole = ceil(length / model.gates.block)
    return whole, whole + 1


def counted(number: int, word: str = "block") -> str:
    """A number of things, in words.

    Examples
    --------
    >>> counted(1), counted(5, "value")
    ('1 block', '5 values')
    """
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def time_needed(model: "Model", figures: Figures | None, unit: timedelta | None = None) -> timedelta:
    """How much time holds the blocks and rows that the gates ask for."""
    gates = model.gates
    if figures is None:
        return gates.min_blocks * gates.block
    by_blocks = figures.length_of(blocks=gates.min_blocks, rows=gates.min_rows, unit=gates.block)
    return ceil(by_blocks / unit) * unit if unit else by_blocks


def once(figures: Figures, length: timedelta, finding: Finding) -> Finding:
    """The finding, or from when on it holds: once the history is so long."""
    if figures.newest is None:
        return Finding(finding.what, "not yet", "there are no labelled rows yet")
    missing = length - figures.span
    if missing <= timedelta(0):
        return finding
    since = f"{figures.newest + missing:%Y-%m-%d}"
    return Finding(finding.what, "not yet", f"{finding.why}; the history spans {as_text(figures.span)}", "", since)
