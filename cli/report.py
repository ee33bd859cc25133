"""`evergreen report`: the overview of a model."""

from typing import Annotated

import typer

from cli.printing import Json, Open, browse, say


def report(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The name of a file in models/.")],
    open: Open = None,
    json: Json = False,
) -> None:
    """Write the page of a model: performance, drift, decisions, versions; print its state and where it is."""
    from cli.showing import whole
    from evergreen.definition.loader import load
    from evergreen.lake.lake import Lake
    from evergreen.registry.registry import Registry
    from evergreen.reports.model_page import write

    page = write(Lake.open(), Registry.open(), load(model))
    say(json, page, whole(page.path, page.sentence))
    browse(page.path, open, json)
