"""Governance: lineage, reproduction, the audit log, model cards, erasure."""

import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from cli import checks
from cli.output import browse, comma_separated, say
from cli.parameters import Json, Open, exits
from evergreen.errors import ErasureError
from evergreen.exit_codes import Exit


@exits(Exit.DONE, Exit.FAILED)
def lineage(
    model: Annotated[
        str, typer.Argument(metavar="MODEL[@VERSION]", help="By number or alias; the champion otherwise.")
    ],
    prediction: Annotated[
        str, typer.Option(help="Start at a prediction, given by its row's key or by the id that was returned with it.")
    ] = "",
    batch: Annotated[
        str, typer.Option(help="Start at a batch: show the versions and predictions that it led to.")
    ] = "",
    json: Json = False,
) -> None:
    """Show what a version or a prediction was made from, or what a batch led to."""
    from cli.render.governance import followed_tree, origin_tree
    from evergreen.governance import lineage as traces
    from evergreen.registry.version import CHAMPION
    from evergreen.stores import Stores

    name, _, number = model.partition("@")
    checks.known(name)
    stores = Stores.open()
    if prediction and batch:
        raise typer.BadParameter("--prediction and --batch exclude each other; give one of them.")
    if number:
        checks.version(name, number)
    if batch:
        batch_lineage = traces.of_batch(stores, name, batch)
        say(json, batch_lineage, followed_tree(batch_lineage), then=f"evergreen audit {name}")
        return
    prediction_lineage = traces.of_prediction(stores, name, prediction) if prediction else None
    version_origin = (
        prediction_lineage.origin if prediction_lineage else traces.origin(stores, name, number or CHAMPION)
    )
    say(
        json,
        prediction_lineage or version_origin,
        origin_tree(version_origin, prediction_lineage),
        then=f"evergreen reproduce {name}@{version_origin.version}",
    )


@exits(Exit.DONE, Exit.FAILED, Exit.DIFFERS)
def reproduce(
    versions: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL[@VERSION]...", help="By number or alias, such as airtime@7; the champion otherwise."
        ),
    ],
    promoted: Annotated[
        bool, typer.Option("--promoted", help="Every version of the models that was ever champion.")
    ] = False,
    exact: Annotated[
        bool, typer.Option("--exact", help="Use the recorded environment, built from the recorded commit and its lock.")
    ] = False,
    json: Json = False,
) -> None:
    """Train a version again from its record, and compare the two.

    The training runs in a clean process. Compared are the model file, the rows, the fitted parameters, the
    predictions on the holdout, and the verdict. Nothing is registered.
    """
    from cli.render.governance import reproduced
    from evergreen.exit_codes import Exit
    from evergreen.governance.reproduction import named
    from evergreen.governance.reproduction import promoted as once_champion
    from evergreen.governance.reproduction import reproduce as again
    from evergreen.stores import Stores
    from flows.runtime.progress import doing

    registry, pairs, results = Stores.open().registry, named(versions), []
    if promoted:
        pairs = once_champion(registry, [name for name, _ in pairs])
    for place, (name, number) in enumerate(pairs, 1):
        doing(f"training {name}@{number} again, {place} of {len(pairs)}")
        reproduced_version = again(registry, name, number, exact)
        results.append(reproduced_version)
        if not json:
            say(False, reproduced_version, reproduced(reproduced_version), then=f"evergreen lineage {name}@{number}")
    if json:
        say(True, results, None)
    raise typer.Exit(Exit.DONE if all(version.same for version in results) else Exit.DIFFERS)


@exits(Exit.DONE, Exit.FAILED, Exit.DIFFERS)
def audit(
    model: Annotated[str | None, typer.Argument(metavar="MODEL", help="All models by default.")] = None,
    since: Annotated[
        datetime | None, typer.Option(help="Show acts from this day on, in UTC.", formats=["%Y-%m-%d"], metavar="DAY")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Verify that no line was changed, removed or added.")
    ] = False,
    head: Annotated[
        str, typer.Option(metavar='"N HASH"', help="Verify against a last line that --verify printed before.")
    ] = "",
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV for a spreadsheet.")] = False,
    json: Json = False,
) -> None:
    """Show the audit log of every act on the models, or verify that it is unchanged."""
    import pandas as pd

    from cli.render.governance import acts, proofs
    from evergreen.definition.loader import names
    from evergreen.exit_codes import Exit
    from evergreen.governance import audit as audits
    from evergreen.lake import audit_log as log
    from evergreen.lake import state_format
    from evergreen.settings import Settings
    from evergreen.stores import Stores

    if model:
        checks.known(model)
    seal = log.seal_of(head)
    if head and not (model and seal):
        raise typer.BadParameter(
            "name the model, and give number and hash as --verify printed them, in quotes.", param_hint="--head"
        )
    if csv and (json or verify or head):
        raise typer.BadParameter("it goes with neither --json nor --verify nor --head.", param_hint="--csv")
    stores = Stores.open()
    names_shown = [model] if model else sorted({*names(), *state_format.models(Settings.read().lake)})
    if verify or head:
        from flows.runtime.progress import with_progress

        verified = [audits.verify(stores.lake, stores.registry, name, seal) for name in with_progress(names_shown)]
        say(json, verified, proofs(verified), then="evergreen audit")
        raise typer.Exit(Exit.DIFFERS if any(log_of_model.problems for log_of_model in verified) else Exit.DONE)
    moment = pd.Timestamp(since, tz="UTC") if since else None
    lines = [line for name in names_shown for line in log.read(stores.lake, name, moment)]
    if csv:
        from flows.runtime.progress import pause

        pause()
        print(comma_separated(lines), end="")
    else:
        say(json, lines, acts(lines), then="evergreen audit --verify")


@exits(Exit.DONE, Exit.FAILED)
def model_card(
    version: Annotated[
        str, typer.Argument(metavar="MODEL[@VERSION]", help="By number or alias; the champion otherwise.")
    ],
    json: Json = False,
    open: Open = None,
) -> None:
    """Write the model card of a version, for people outside the team.

    The card says what the version is for, how good it is and for whom, its limits, and what it was made from.
    """
    from cli.render.parts import whole
    from evergreen.definition.loader import existing
    from evergreen.registry.version import CHAMPION
    from evergreen.reports.model_card import write
    from evergreen.stores import Stores

    name, _, number = version.partition("@")
    existing(name)
    path = write(Stores.open(), name, number or CHAMPION)
    say(json, {"model": name, "page": str(path)}, whole(str(path)), then=f"evergreen lineage {version}")
    browse(path, open, json)


@exits(Exit.DONE, Exit.FAILED, Exit.BUSY)
def erase(
    model: Annotated[str, typer.Option(help="The name of a file in models/.")],
    key: Annotated[
        list[str],
        typer.Option(
            help="A value of the key, or column=value for any declared column; rows that match all of them are erased."
        ),
    ],
    reason: Annotated[str, typer.Option(help="Why, for the record, such as the number of the request.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Erase all rows with given values from every store, for good.

    Rows are erased from the lake and its history, with their predictions and labels, from quarantine, and from
    what is stored with versions. Pages that showed them are deleted or replaced. The command names the versions
    that were trained on them, and what is out of reach; the audit log keeps counts, no values. Rows that the source
    still has come back with the next ingest: erase them there first. Table versions that held the rows can no
    longer be read, so versions trained on them can no longer be reproduced.
    """
    import pandas as pd

    from cli.render.governance import erased
    from evergreen.definition.loader import load
    from evergreen.governance.erasure import erase, parsed
    from evergreen.lake.audit_log import person
    from evergreen.locks import model_lock
    from evergreen.reports.html import quarantined
    from evergreen.settings import Settings
    from evergreen.stores import Stores
    from flows.runtime.progress import doing
    from serving.process.shipper import ship_all

    definition = load(model)
    values = parsed(definition, key)
    if not yes:
        _confirm(f"Erase every row of {model} with {' and '.join(key)}, for ever?")
    stores, now = Stores.open(), pd.Timestamp(datetime.now(UTC))
    doing("waiting for what works on the model")
    with model_lock(model, "ingest"), model_lock(model, "train"), model_lock(model, "monitor"):
        doing("moving what the service has logged into the lake")
        unshipped = ship_all(Settings.read().home, stores.lake)
        doing("erasing rows from tables, quarantine and versions")
        erased_rows = erase(stores, definition, values, reason, now, person(), quarantined)
    erased_rows.left.extend(unshipped)
    say(json, erased_rows, erased(erased_rows), then=f"evergreen audit {model}")


def _confirm(question: str) -> None:
    """Ask a person on stderr, and end the command if the answer is no.

    Raises
    ------
    ErasureError
        Nobody can answer, since standard input has ended.
    """
    from flows.runtime.progress import pause

    pause()
    typer.echo(f"{question} [y/N]: ", nl=False, err=True)
    answer = sys.stdin.readline()
    if not answer:
        typer.echo(err=True)
        raise ErasureError("Nothing was erased: nobody could confirm it. Add --yes where no person can answer.")
    if answer.strip().lower() not in ("y", "yes"):
        typer.echo("Nothing was erased.", err=True)
        raise typer.Exit(Exit.FAILED)
