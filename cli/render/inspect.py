"""What the commands of `cli/inspect.py` print: state, versions, verdicts, decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from cli.render.advice import advised
from cli.render.parts import table_of

if TYPE_CHECKING:
    from evergreen.gates.advice import Advice
    from evergreen.gates.judgement import Judgement
    from evergreen.lifecycle.decision_log import Entry as Decided
    from evergreen.lifecycle.status import Status
    from evergreen.registry.version import Version

_COLOURS = {"passed": "green", "failed": "red", "unknown": "yellow", "skipped": "dim"}


def statuses(rows: list[Status]) -> Any:
    """Every model in a line."""
    table = table_of("", "model", "champion", "since", "data until", "last training", "quarantine", "last decision")
    for status in rows:
        table.add_row(
            status.model,
            status.champion or "none yet",
            status.since[:10],
            status.newest[:16].replace("T", " "),
            status.decision or "none yet",
            str(status.quarantined or ""),
            Text("; ".join(filter(None, [status.note, status.decided]))),
        )
    return table if rows else "There is no model yet. `evergreen new NAME --from FILE` writes one."


def listed(names: list[str]) -> str:
    """The model files."""
    return "\n".join(names) or "There is no model yet. `evergreen new NAME --from FILE` writes one."


def versions(model: str, registered: list[Version]) -> Any:
    """The versions of a model, newest first."""
    table = table_of(model, "version", "aliases", "decision", "reason", "trained until", "rows")
    for version in registered:
        decision = version.decision or "not judged"
        decision += f" (refit of {version.refit_of})" if version.refit_of else ""
        table.add_row(
            version.number,
            ", ".join(version.aliases),
            f"{decision}; online: {version.trial_decision}" if version.trial_decision else decision,
            version.reason,
            f"{version.train_until:%Y-%m-%d}" if version.train_until else "",
            str(version.rows or ""),
        )
    return table if registered else f"{model} has no version yet. `evergreen train {model}` makes one."


def judged(judgement: Judgement, advice: Advice | None = None) -> Any:
    """Every gate of a verdict, and the advice that followed it."""
    table = table_of(
        f"{judgement.model} version {judgement.version}: {judgement.verdict.decision}", "gate", "outcome", "found"
    )
    for check in judgement.verdict.checks:
        table.add_row(check.name, Text(check.outcome, style=_COLOURS[check.outcome]), Text(check.detail))
    back = [Text(f"Version {judgement.reinstated} is reinstated instead.")] if judgement.reinstated else []
    return Group(table, Text(judgement.verdict.reason), *back, *([advised(advice)] if advice else []))


def decisions(model: str, entries: list[Decided], advice: Advice | None = None) -> Any:
    """Decisions, in a line each, and the advice on a first model that was not promoted."""
    beside = [advised(advice)] if advice else []
    if not entries:
        return Group(f"Nothing was decided on {model} yet. `evergreen monitor {model}` runs the monitor.", *beside)
    table = table_of(f"{model}: decisions", "as of", "asked by", "decision", "champion", "new rows", "why")
    for entry in entries:
        champion, rows = entry.state["champion"], f"{entry.state['new_rows']:,}"
        table.add_row(entry.as_of[:16], entry.asked, entry.action, champion, rows, entry.reason)
    return Group(table, *beside)
