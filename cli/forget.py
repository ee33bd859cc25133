"""`evergreen forget`: take a person's rows out of everything that keeps rows."""

from typing import Annotated

import typer

from cli.printing import Json, say


def forget(
    model: Annotated[str, typer.Option(help="The name of a file in models/.")],
    key: Annotated[
        list[str], typer.Option(help="A value of the key, or column=value of any declared column; all must hold.")
    ],
    reason: Annotated[str, typer.Option(help="For the record, such as the number of the request.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Erase a person's rows from the lake with its history, from the log and from quarantine, for ever.

    Says which versions were trained on them. The record in the audit log holds counts, not values. What
    the rows' own source keeps comes again with the next ingest: erase it there first. Table versions
    that held the rows can be read no more, so that what was trained on them cannot be reproduced.
    Exit code: 0; 1 a column is not declared; 6 busy.
    """
    from datetime import UTC, datetime

    import pandas as pd

    from cli.showing import erased
    from evergreen.definition.loader import load
    from evergreen.governance.erasure import erase, parsed
    from evergreen.lake.audit_log import person
    from evergreen.locks import alone

    definition = load(model)
    given = parsed(definition, key)
    if not yes:
        typer.confirm(f"Erase every row of {model} with {' and '.join(key)}, for ever?", abort=True)
    with alone(model, "ingest"), alone(model, "train"), alone(model, "monitor"):
        found = erase(definition, given, reason, pd.Timestamp(datetime.now(UTC)), person())
    say(json, found, erased(found))
