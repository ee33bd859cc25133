"""`evergreen migrate`: bring the stored state to the format that this release writes."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.output import say
from cli.parameters import Json, exits
from evergreen.exit_codes import Exit

if TYPE_CHECKING:
    from evergreen.migrations.run import Step


@exits(Exit.DONE, Exit.FAILED, Exit.BUSY, Exit.DIFFERS)
def migrate(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit code 7 if something is pending.")
    ] = False,
    json: Json = False,
) -> None:
    """Bring the stored state to the format that this release writes, and say of each model what was changed.

    It may be stopped at any time; run again, it goes on where it was. With --check it says what it would change, which
    needs no more than reading.
    """
    import pandas as pd

    from cli.render.migrate import shown
    from evergreen.lake import state_format
    from evergreen.lake.audit_log import person
    from evergreen.migrations import run
    from evergreen.settings import Settings
    from flows.runtime.progress import doing

    settings, now = Settings.read(), pd.Timestamp(datetime.now(UTC))
    steps = run.pending(settings) if check else run.migrate(settings, now, person(), doing)
    stored = state_format.current(settings.lake)
    value = {
        "lake": settings.lake,
        "format": stored.format,
        "opens_from": stored.opens_from,
        "writes": state_format.WRITES,
        "migrations": list(map(_plain, steps)),
    }
    then = "evergreen migrate" if check and steps else ""
    say(json, value, None if json else shown(steps, settings.lake, stored.format, check), then)
    raise typer.Exit(Exit.DIFFERS if check and steps else Exit.DONE)


def _plain(step: "Step") -> dict[str, Any]:
    migration = step.migration
    about = {name: getattr(migration, name) for name in ("to", "title", "why", "opens_from", "alongside")}
    return about | {"changes": list(map(asdict, step.changes))}
