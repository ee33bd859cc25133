"""`evergreen doctor`: a model's stores, settings and gates, and what of this installation is open to others."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from cli.output import say
from cli.parameters import Json, exits
from evergreen.exit_codes import Exit

if TYPE_CHECKING:
    import pandas as pd

    from evergreen.definition.feasibility.finding import Finding
    from evergreen.definition.model import Model
    from evergreen.stores import Stores

    Look = Callable[[Stores, Model, pd.Timestamp], "_Found"]


@exits(Exit.DONE, Exit.FAILED)
def doctor(
    model: Annotated[
        str | None, typer.Argument(metavar="MODEL", help="The name of a file in models/; all models by default.")
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
    stores: Annotated[
        bool, typer.Option("--stores", help="Use lake, registry, locks and Prefect's server once; takes no MODEL.")
    ] = False,
    json: Json = False,
) -> None:
    """Check a model's stores, settings or gates, or this installation: what is open, and what it can rely on.

    Without an option: that the stores are consistent; for a person, what can come to a judgement follows.
    With --judging: whether every gate and trigger can, with the rows that the lake has, from when on, and the line to
    change; it fails if one never can. With --gates: that its gates refuse known-bad challengers. With --security:
    processes, ports, keys and permissions of files of this home, and how to close what is open; it fails if something
    is open that should not be. With --stores: that lake, registry, locks and Prefect's server answer, that the lake's
    store lets one of many writers of the same file through, and for how many machines locks hold; what is written for
    that is removed. Nothing is recorded or changed.
    """
    if (gates, judging, security, stores).count(True) > 1:
        raise typer.BadParameter("Give one of --gates, --judging, --security and --stores.")
    if model and (security or stores):
        raise typer.BadParameter("Give either a MODEL, or --security or --stores, which are about the installation.")
    if security:
        _security(json)
    if stores:
        _installation(json)
    from evergreen.definition.loader import load, names
    from evergreen.stores import Stores

    look = _gates if gates else _judging if judging else _stores
    opened, now = Stores.open(), _now()
    if model:
        found = look(opened, load(model), now)
    else:
        from flows.runtime.progress import with_progress

        found = _together({name: _looked_at(look, opened, name, now) for name in with_progress(names())})
    say(json, found.value, None if json else found.shown(), then="evergreen status")
    raise typer.Exit(Exit.FAILED if found.failed else Exit.DONE)


@dataclass(frozen=True)
class _Found:
    """What was found of a model: for a program, for a person, and whether something does not hold."""

    value: Any
    shown: Callable[[], Any]
    failed: bool


def _looked_at(look: "Look", stores: "Stores", name: str, now: "pd.Timestamp") -> _Found:
    """What is found of one model; what is broken in it hides no other."""
    from rich.text import Text

    from evergreen.definition.loader import load
    from evergreen.errors import EvergreenError

    try:
        return look(stores, load(name), now)
    except EvergreenError as error:
        return _Found({"error": str(error)}, partial(Text, f"{name}: {error}", style="red"), failed=True)


def _together(found: dict[str, _Found]) -> _Found:
    """What was found of all models."""
    from rich.console import Group

    from cli.render.inspect import listed

    def shown() -> Any:
        return Group(*(check.shown() for check in found.values())) if found else listed([])

    value = {name: check.value for name, check in found.items()}
    return _Found(value, shown, any(check.failed for check in found.values()))


def _now() -> "pd.Timestamp":
    import pandas as pd

    return pd.Timestamp(datetime.now(UTC))


def _stores(stores: "Stores", definition: "Model", now: "pd.Timestamp") -> _Found:
    """Whether the stores of a model are consistent, and for a person what can come to a judgement."""
    from cli.render.governance import checked
    from evergreen.errors import EvergreenError
    from evergreen.governance.integrity import examine
    from evergreen.governance.outlook import examine as look_ahead

    examinations = examine(stores, definition)

    def shown() -> Any:
        findings: list[Finding] = []
        with suppress(EvergreenError):  # a store that cannot be read is among the problems above
            findings = look_ahead(stores, definition, now)
        return checked(definition.name, examinations, findings)

    return _Found(examinations, shown, any(examined.problems for examined in examinations))


def _gates(stores: "Stores", definition: "Model", now: "pd.Timestamp") -> _Found:
    """Whether the gates of a model refuse known-bad challengers."""
    from cli.render.governance import diagnoses
    from evergreen.gates.honest_model import HonestModel
    from evergreen.gates.known_bad import examine
    from evergreen.gates.power import power
    from evergreen.training.snapshot import Snapshot
    from flows.runtime.progress import doing

    snapshot = Snapshot.pin(stores.lake, definition, now)
    doing(f"training an honest model of {definition.name}")
    honest = HonestModel.fitted(snapshot)
    doing(f"judging challengers of {definition.name} that are known to be bad")
    diagnosed, powers = examine(snapshot, honest), power(snapshot, honest)
    value = [vars(diagnosis) | {"refused": diagnosis.refused} for diagnosis in diagnosed] + list(map(vars, powers))
    shown = partial(diagnoses, definition.name, diagnosed, powers)
    return _Found(value, shown, not all(diagnosis.refused for diagnosis in diagnosed))


def _judging(stores: "Stores", definition: "Model", now: "pd.Timestamp") -> _Found:
    """What of a model can come to a judgement."""
    from cli.render.governance import judged
    from evergreen.governance.outlook import examine

    findings = examine(stores, definition, now)
    value = [vars(finding) | {"problems": finding.problems} for finding in findings]
    return _Found(value, partial(judged, definition.name, findings), any(finding.problems for finding in findings))


def _security(json: bool) -> NoReturn:
    """Print what is open to others, and end with the exit code that says whether anything is."""
    import os
    from dataclasses import asdict
    from pathlib import Path

    from cli.render.security import exposure
    from evergreen.governance.exposure import examine
    from evergreen.settings import Settings
    from flows.runtime.connection import secret_file
    from serving.http.keys import keys_file, read_keys
    from ui.access import openid, rules

    settings, keys = Settings.read(), keys_file()
    secrets = {secret_file(): "the secret of Prefect's server"}
    secrets[settings.home / "serving" / "secret"] = "the key that hashes private columns"
    if keys:
        secrets[keys] = "API keys of the prediction service"
    named = {
        rules.KEYS_FILE: "keys of the web UI",
        openid.SECRET_FILE: "the client secret of the provider of identities",
    }
    secrets |= {Path(os.environ[name]): what for name, what in named.items() if os.environ.get(name)}
    found = examine(settings, secrets, len(read_keys()))
    say(json, asdict(found) | {"problems": found.problems}, exposure(found), then="evergreen status")
    raise typer.Exit(Exit.FAILED if found.problems else Exit.DONE)


def _installation(json: bool) -> NoReturn:
    """Use the stores once, and end with the exit code that says whether they can be relied on."""
    from dataclasses import asdict

    from cli.render.stores import store_checks
    from evergreen.governance.store_checks import checked, examine
    from evergreen.settings import Settings
    from flows.runtime import connection
    from flows.runtime.progress import doing

    doing("using Prefect's server, lake, registry and locks")
    connection.join()
    checks = [checked("Prefect", "none", connection.check), *examine(Settings.read())]
    problems = [problem for check in checks for problem in check.problems]
    say(json, list(map(asdict, checks)), None if json else store_checks(checks), then="evergreen status")
    raise typer.Exit(Exit.FAILED if problems else Exit.DONE)
