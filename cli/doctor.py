"""`evergreen doctor`: proof that a model's gates refuse what they must."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from cli.printing import Json, say


def doctor(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The name of a file in models/.")],
    gates: Annotated[bool, typer.Option("--gates", help="Put known-bad challengers before the gates.")] = False,
    json: Json = False,
) -> None:
    """Show whether known-bad challengers are refused, and each for the right reason.

    Nothing is recorded and no alias moves. Exit code: 0 all were refused, 1 one was not.
    """
    if not gates:
        raise typer.BadParameter("say what to examine: --gates")
    import pandas as pd

    from cli.showing import diagnoses
    from evergreen.doctor import examine
    from evergreen.lake import Lake
    from evergreen.model import load
    from evergreen.snapshot import Snapshot

    found = examine(Snapshot.pin(Lake.open(), load(model), pd.Timestamp(datetime.now(UTC))))
    say(json, [vars(one) | {"refused": one.refused} for one in found], diagnoses(model, found))
    raise typer.Exit(0 if all(one.refused for one in found) else 1)
