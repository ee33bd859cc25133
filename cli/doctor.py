"""`evergreen doctor`: a model's stores, settings and gates, and what of this installation is open to others."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from cli.output import say
from cli.parameters import Json, exits
from evergreen.exit_codes import Exit

if TYPE_CHECKING:
    import pandas as pd

    from evergreen.definition.model import Model
    from evergreen.stores import Stores


@exits(Exit.DONE, Exit.FAILED)
def doctor(
    model: Annotated[
        str | None, typer.Argument(metavar="MODEL", help="The name of a file in models/; needed unless --security.")
    ] = None,
    gates: Annotated[
        bool, typer.Option("--gates", help="Check the gates with known-bad challengers instead of the stores.")
    ] = False,
    judging: Annotated[
        bool, typer.Option("--judging", help="Show only whether every gate and trigger can come to a judgement.")
    ] = False,
    security: Annotated[
        bool, typer.Option("--security", help="Show what of this installation is open to others; takes no MODEL.")
    ] = False,
    json: Json = False,
) -> None:
    """Check a model's stores, settings or gates, or what of this installation is open to others.

    Without an option: that the stores of a model are consistent; for a person, what can come to a judgement follows.
    With --judging: whether every gate and trigger can, with the rows that the lake has, from when on, and the line to
    change; it fails if one never can. With --gates: that its gates refuse known-bad challengers. With --security:
    processes, ports, keys and permissions of files of this home, and how to close what is open; it fails if something
    is open that should not be. Nothing is recorded or changed.
    """
    if security == bool(model):
        raise typer.BadParameter("Give either a MODEL or --security, which is about the whole installation.")
    if security:
        _security(json)
    import pandas as pd

    from evergreen.definition.loader import load
    from evergreen.stores import Stores

    definition, stores, now = load(model or ""), Stores.open(), pd.Timestamp(datetime.now(UTC))
    if judging:
        _judging(stores, definition, now, json)
    if not gates:
        from cli.render.governance import checked
        from evergreen.errors import EvergreenError
        from evergreen.governance.integrity import examine as check
        from evergreen.governance.outlook import examine as look_ahead

        examinations, findings = check(stores, definition), []
        with suppress(EvergreenError):  # a store that cannot be read is among the problems above
            findings = [] if json else look_ahead(stores, definition, now)
        say(json, examinations, checked(definition.name, examinations, findings), then="evergreen status")
        raise typer.Exit(1 if any(examined.problems for examined in examinations) else 0)

    from cli.render.governance import diagnoses
    from evergreen.gates.known_bad import examine
    from evergreen.training.snapshot import Snapshot

    diagnosed = examine(Snapshot.pin(stores.lake, definition, now))
    say(
        json,
        [vars(diagnosis) | {"refused": diagnosis.refused} for diagnosis in diagnosed],
        diagnoses(definition.name, diagnosed),
        then=f"evergreen verdict {definition.name}",
    )
    raise typer.Exit(0 if all(diagnosis.refused for diagnosis in diagnosed) else 1)


def _judging(stores: "Stores", definition: "Model", now: "pd.Timestamp", json: bool) -> NoReturn:
    """Print what can come to a judgement, and end with the exit code that says whether anything never can."""
    from cli.render.governance import judged
    from evergreen.governance.outlook import examine

    findings = examine(stores, definition, now)
    say(json, [vars(finding) | {"problems": finding.problems} for finding in findings], judged(findings))
    raise typer.Exit(1 if any(finding.problems for finding in findings) else 0)


def _security(json: bool) -> NoReturn:
    """Print what is open to others, and end with the exit code that says whether anything is."""
    from dataclasses import asdict

    from cli.render.security import exposure
    from evergreen.governance.exposure import examine
    from evergreen.settings import Settings
    from flows.runtime.connection import secret_file
    from serving.http.keys import keys_file, read_keys

    settings, keys = Settings.read(), keys_file()
    secrets = {secret_file(): "the secret of Prefect's server"}
    secrets[settings.home / "serving" / "secret"] = "the key that hashes private columns"
    if keys:
        secrets[keys] = "API keys of the prediction service"
    found = examine(settings, secrets, len(read_keys()))
    say(json, asdict(found) | {"problems": found.problems}, exposure(found), then="evergreen status")
    raise typer.Exit(Exit.FAILED if found.problems else Exit.DONE)
