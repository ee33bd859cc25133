"""`evergreen audit`: every act on the models, and whether the record of them is as it was written."""

from datetime import datetime
from typing import Annotated

import typer

from cli.printing import Json, comma_separated, say


def audit(
    model: Annotated[str | None, typer.Argument(metavar="MODEL", help="All models by default.")] = None,
    since: Annotated[
        datetime | None, typer.Option(help="Leave out acts of before this day, in UTC.", formats=["%Y-%m-%d"])
    ] = None,
    verify: Annotated[bool, typer.Option("--verify", help="See whether every line is as it was written.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV for a spreadsheet.")] = False,
    json: Json = False,
) -> None:
    """Show every act on the models: what came in, decisions, verdicts, promotions, rollbacks, and who asked.

    Exit code: 0; with --verify 7 if a log was changed, cut or written anew.
    """
    import pandas as pd

    from cli.showing import acts, proofs
    from evergreen.definition.loader import existing, names
    from evergreen.exit_codes import Exit
    from evergreen.governance import audit as audits
    from evergreen.lake import audit_log as log
    from evergreen.lake.lake import Lake
    from evergreen.registry.registry import Registry

    if model:
        existing(model)
    lake, which = Lake.open(), [model] if model else names()
    if verify:
        found = [audits.verify(lake, Registry.open(), one) for one in which]
        say(json, found, proofs(found))
        raise typer.Exit(Exit.DIFFERS if any(one.problems for one in found) else Exit.DONE)
    moment = pd.Timestamp(since, tz="UTC") if since else None
    lines = [line for one in which for line in log.read(lake, one, moment)]
    if csv:
        print(comma_separated(lines), end="")
    else:
        say(json, lines, acts(lines))
