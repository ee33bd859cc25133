"""`evergreen quarantine`: list, show, release and drop batches that broke their contract."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from cli.output import say
from cli.parameters import Json, exit_help, exits
from evergreen.exit_codes import Exit

if TYPE_CHECKING:
    import pandas as pd

app = typer.Typer(help="List, show, release, retry or drop batches that broke their contract.", no_args_is_help=True)

F = TypeVar("F", bound=Callable[..., None])
Name = Annotated[str, typer.Argument(metavar="MODEL")]
Batch = Annotated[str, typer.Argument(metavar="BATCH", help="A batch id, from `quarantine list`.")]
Note = Annotated[str, typer.Option(help="Why; kept with the batch.")]


def _command(*codes: Exit, name: str | None = None) -> Callable[[F], F]:
    """Add a command of this group, with the exit codes that it can end with."""

    def added(command: F) -> F:
        noted = exits(*codes)(command)
        return app.command(name, epilog=exit_help(noted))(noted)

    return added


@_command(Exit.DONE, Exit.FAILED, name="list")
def list_(
    model: Annotated[str | None, typer.Argument(metavar="MODEL", help="All models by default.")] = None,
    all: Annotated[bool, typer.Option("--all", help="Include released and dropped batches.")] = False,
    json: Json = False,
) -> None:
    """List the batches in quarantine."""
    from cli.render.quarantine import entries
    from evergreen.definition.loader import existing, names
    from evergreen.stores import Stores

    if model:
        existing(model)
    quarantine = Stores.open().quarantine
    entries_of_all = [entry for name in ([model] if model else names()) for entry in quarantine.entries(name)]
    shown = [entry for entry in entries_of_all if all or entry.state == "held"]
    first = f"evergreen quarantine show {shown[0].model} {shown[0].batch}" if shown else "evergreen status"
    say(json, shown, entries(shown), then=first)


@_command(Exit.DONE, Exit.FAILED)
def show(model: Name, batch: Batch, json: Json = False) -> None:
    """Show why a batch is in quarantine, and where its rows and report are."""
    from cli.render.quarantine import entry
    from evergreen.stores import Stores

    quarantine = Stores.open().quarantine
    shown = quarantine.entry(model, batch)
    then = f"retry {model} {batch}" if shown.state == "held" else f"list {model} --all"
    say(json, shown, entry(shown, quarantine.folder(model, batch)), then=f"evergreen quarantine {then}")


@_command(Exit.DONE, Exit.FAILED, Exit.BUSY)
def release(model: Name, batch: Batch, note: Note = "", json: Json = False) -> None:
    """Add a batch to the lake although it broke its contract; its columns and keys must still be valid."""
    from evergreen.definition.loader import load
    from evergreen.ingestion.release import release as land
    from evergreen.lake.audit_log import person
    from evergreen.stores import Stores

    stores = Stores.open()
    done = land(stores.lake, stores.quarantine, load(model), batch, note, _now(), person())
    say(
        json,
        done,
        f"{model}: {batch} was released: {done.new:,} rows new, {done.corrected:,} corrected.",
        then=f"evergreen refresh {model}",
    )


@_command(Exit.DONE, Exit.FAILED, Exit.BUSY)
def retry(model: Name, batch: Batch, note: Note = "", json: Json = False) -> None:
    """Read a batch from its source again, and add it to the lake if it meets the contract now."""
    from evergreen.definition.loader import load
    from evergreen.ingestion.release import retry as ask_again
    from evergreen.lake.audit_log import person
    from evergreen.stores import Stores

    stores = Stores.open()
    done = ask_again(stores.lake, stores.quarantine, load(model), batch, note, _now(), person())
    say(
        json,
        done,
        f"{model}: {batch} was read again: {done.new:,} rows new, {done.corrected:,} corrected.",
        then=f"evergreen refresh {model}",
    )


@_command(Exit.DONE, Exit.FAILED, Exit.BUSY)
def drop(model: Name, batch: Batch, note: Note = "", json: Json = False) -> None:
    """Discard a batch; its report is kept."""
    from evergreen.ingestion.release import drop as give_up
    from evergreen.lake.audit_log import person
    from evergreen.stores import Stores

    stores = Stores.open()
    done = give_up(stores.lake, stores.quarantine, model, batch, note, _now(), person())
    say(json, done, f"{model}: {batch} was dropped.", then=f"evergreen ingest {model}")


def _now() -> "pd.Timestamp":
    from datetime import UTC, datetime

    import pandas as pd

    return pd.Timestamp(datetime.now(UTC)).as_unit("us")
