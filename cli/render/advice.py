"""What the commands print of the advice after a training that promoted nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group

from cli.render.parts import as_it_is
from evergreen.definition.model_files import edited

if TYPE_CHECKING:
    from evergreen.gates.advice import Advice


def advised(advice: Advice) -> Any:
    """What moved, what was tried, what is missing, and what to write and run next."""
    lines = [advice.missing] if advice.missing else []
    if advice.moved:
        lines += [
            "Between the training rows and the holdout moved:",
            *(f"  {column.phrase}" for column in advice.moved),
        ]
    if advice.tried:
        lines += ["Tried by the same gates, and not recorded:"]
        lines += [
            f"  {setting.phrase}: {'passes' if setting.passes else setting.decision}; "
            f"{setting.value:.4g}, the dummy {setting.dummy:.4g}"
            for setting in advice.tried
        ]
    written: list[Any] = []
    if advice.lines:
        written = [f"Write into {edited(advice.model)}:\n", as_it_is(f"{advice.lines.rstrip()}\n")]
    return Group(*lines, *written, _next(advice))


def _next(advice: Advice) -> str:
    if advice.lines:
        return f"Then: {advice.command}"
    if any(setting.passes for setting in advice.tried):
        return f"Only earlier rows pass. To begin with them: {advice.command}"
    if advice.missing:
        return f"Then train again: evergreen train {advice.model}"
    return f"Nothing that was tried passes. See whether a column explains the target: {advice.command}"
