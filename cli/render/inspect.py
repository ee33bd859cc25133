"""State, versions, verdicts and decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from cli.render.parts import table_of

if TYPE_CHECKING:
    from evergreen.gates.judgement import Judgement
    from evergreen.lifecycle.decision_log import Entry as Decided
    from evergreen.lifecycle.status import Status
    from evergreen.registry.version import Version

_COLOURS = {"passed": "green", "failed": "red", "unknown": "yellow", "skipped": "dim"}


def statuses(found: list[Status]) -> Any:
    """Every model in a line."""
    table = table_of("", "model", "champion", "since", "data until", "last training", "quarantine", "last decision")
    for one in found:
        table.add_row(
            one.model,
            one.champion or "none yet",
            one.since[:10],
            one.newest[:16].replace("T", " "),
            one.decision or "none yet",
            str(one.quarantined or ""),
            Text(one.note or one.decided),
        )
    return table if found else "There is no model yet. `evergreen new NAME --from FILE` writes one."


def listed(names: list[str]) -> str:
    """The model files."""
    return "\n".join(names) or "There is no model yet. `evergreen new NAME --from FILE` writes one."


def versions(model: str, found: list[Version]) -> Any:
    """The versions of a model, newest first."""
    table = table_of(model, "version", "aliases", "decision", "reason", "trained until", "rows")
    for version in found:
        decision = version.decision or "not judged"
        decision += f" (refit of {version.refit_of})" if version.refit_of else ""
        table.add_row(
            version.number,
            ", ".join(version.aliases),
            f"{decision}; on trial: {version.trial_decision}" if version.trial_decision else decision,
            version.reason,
            f"{version.train_until:%Y-%m-%d}" if version.train_until else "",
            str(version.rows or ""),
        )
    return table if found else f"{model} has no version yet. `evergreen train {model}` makes one."


def judged(found: Judgement) -> Any:
    """Every gate of a verdict."""
    table = table_of(f"{found.model} version {found.version}: {found.verdict.decision}", "gate", "outcome", "found")
    for check in found.verdict.checks:
        table.add_row(check.name, Text(check.outcome, style=_COLOURS[check.outcome]), Text(check.detail))
    back = f"Version {found.comeback} comes back instead." if found.comeback else ""
    return Group(table, Text(found.verdict.reason), Text(back)) if back else Group(table, Text(found.verdict.reason))


def decisions(model: str, found: list[Decided]) -> Any:
    """Decisions, in a line each."""
    if not found:
        return f"Nothing was decided on {model} yet. `evergreen monitor {model}` looks at it."
    table = table_of(f"{model}: decisions", "as of", "asked by", "decision", "why", "champion", "new rows")
    for one in found:
        champion, rows = one.state["champion"], f"{one.state['new_rows']:,}"
        table.add_row(one.as_of[:16], one.asked, one.action, Text(one.reason), champion, rows)
    return table
