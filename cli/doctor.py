"""`evergreen doctor`: whether a model's stores are in order, and whether its gates refuse what they must."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from cli.printing import Json, say


def doctor(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The name of a file in models/.")],
    gates: Annotated[bool, typer.Option("--gates", help="Put known-bad challengers before the gates instead.")] = False,
    json: Json = False,
) -> None:
    """Look whether all holds that must, whatever died: verdicts, lineage, batches, quarantine, audit log, runs.

    With --gates: whether known-bad challengers are refused, and each for the right reason. Nothing is
    recorded and nothing moves. Exit code: 0 all is well, 1 something is not.
    """
    from evergreen.definition.loader import load

    definition = load(model)
    if not gates:
        from cli.showing import checked
        from evergreen.governance.integrity import examine as check

        held = check(definition)
        say(json, held, checked(model, held))
        raise typer.Exit(1 if any(one.problems for one in held) else 0)
    import pandas as pd

    from cli.showing import diagnoses
    from evergreen.gates.known_bad import examine
    from evergreen.lake.lake import Lake
    from evergreen.training.snapshot import Snapshot

    found = examine(Snapshot.pin(Lake.open(), definition, pd.Timestamp(datetime.now(UTC))))
    say(json, [vars(one) | {"refused": one.refused} for one in found], diagnoses(model, found))
    raise typer.Exit(0 if all(one.refused for one in found) else 1)
