"""`evergreen report`: the overview of a model."""

from typing import Annotated

import typer

from cli.printing import Json, say


def report(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The name of a file in models/.")],
    open: Annotated[bool, typer.Option("--open", help="Show the page in a browser.")] = False,
    json: Json = False,
) -> None:
    """Write the page of a model: performance, drift, decisions, versions; print its state and where it is."""
    from rich.text import Text

    from evergreen.lake import Lake
    from evergreen.model import load
    from evergreen.overview import write
    from evergreen.registry import Registry

    page = write(Lake.open(), Registry.open(), load(model))
    say(json, page, Text(f"{page.sentence}\n{page.path}", no_wrap=True, overflow="ignore"))
    if open:
        import webbrowser

        webbrowser.open(f"file://{page.path}")
