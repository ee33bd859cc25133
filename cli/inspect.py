"""Inspect models: state, versions, verdicts, decisions, pages."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli import checks
from cli.output import browse, say
from cli.parameters import Json, ModelName, Open, exits
from evergreen.exit_codes import Exit

if TYPE_CHECKING:
    from evergreen.lifecycle.status import Status


@exits(Exit.DONE, Exit.FAILED, Exit.STOPPED)
def status(
    watch: Annotated[bool, typer.Option("--watch", help="Look again and again, until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(metavar="SECONDS", help="How often --watch looks.", min=0.1)] = 5.0,
    json: Json = False,
) -> None:
    """Show every model: champion, data, last verdict, quarantine.

    With --watch and --json each look is one line: the same document as without --watch.
    """
    from cli.render.inspect import statuses
    from evergreen.lifecycle.status import status as look_up
    from evergreen.stores import Stores

    def now() -> "list[Status]":
        import pandas as pd

        return look_up(Stores.open(), pd.Timestamp.now("UTC"))

    if watch:
        from cli.watching import watch as show
        from evergreen.settings import follow_releases

        def look() -> "list[Status]":
            follow_releases()
            return now()

        show(look, statuses, every, as_json=json)
        return
    rows = now()
    say(json, rows, statuses(rows), then=f"evergreen report {rows[0].model}" if rows else "")


@exits(Exit.DONE, Exit.FAILED)
def models(
    model: Annotated[str | None, typer.Argument(help="One model's versions.")] = None, json: Json = False
) -> None:
    """List the models, or the versions of one model."""
    from cli.render.inspect import listed, versions
    from evergreen.definition.loader import names
    from evergreen.stores import Stores

    if model is None:
        known = names()
        say(json, known, listed(known), then=f"evergreen models {known[0]}" if known else "")
    else:
        checks.known(model)
        registered = Stores.open().registry.versions(model)
        say(json, registered, versions(model, registered), then=f"evergreen verdict {model}" if registered else "")


@exits(Exit.DONE, Exit.FAILED)
def verdict(
    model: ModelName,
    version: Annotated[str, typer.Option(help="A version's number or alias.")] = "challenger",
    json: Json = False,
) -> None:
    """Show the verdict on a version: every gate and what it found."""
    from cli.render.inspect import judged
    from evergreen.gates.advice import stored
    from evergreen.gates.judgement import newest_judgement
    from evergreen.stores import Stores

    registry = Stores.open().registry
    found = registry.version(model, version)
    judgement, advice = newest_judgement(registry, found), stored(registry, found)
    say(json, vars(judgement) | {"advice": advice}, judged(judgement, advice), then=f"evergreen why {model}")


@exits(Exit.DONE, Exit.FAILED)
def why(
    model: ModelName,
    most: Annotated[int, typer.Option(help="How many decisions, newest first.", min=1)] = 10,
    json: Json = False,
) -> None:
    """Show the decisions on a model, and what was known for each.

    Decisions not to act are shown too.
    """
    from cli.render.inspect import decisions
    from evergreen.gates.advice import standing
    from evergreen.lake.lake import Bare
    from evergreen.lifecycle.decision_log import read
    from evergreen.stores import Stores

    checks.known(model)
    stores = Stores.open()
    entries, advice = read(stores.lake, Bare(model), most=most), standing(stores.registry, model)
    say(
        json,
        [vars(entry) | {"advice": advice if place == 0 else None} for place, entry in enumerate(entries)],
        decisions(model, entries, advice),
        then=f"evergreen report {model}" if entries else "",
    )


@exits(Exit.DONE, Exit.FAILED)
def report(
    model: ModelName,
    open: Open = None,
    json: Json = False,
) -> None:
    """Write the page of a model: performance, drift, decisions, versions."""
    from cli.render.parts import whole
    from evergreen.definition.loader import load
    from evergreen.reports.model_page import write
    from evergreen.stores import Stores

    stores = Stores.open()
    page = write(stores, load(model))
    then = f"evergreen why {model}" if stores.registry.champion(model) else f"evergreen train {model}"
    say(json, page, whole(page.path, page.sentence), then=then)
    browse(page.path, open, json)
