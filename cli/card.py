"""`evergreen card`: the model card of a version, for a person outside of the team."""

from typing import Annotated

import typer

from cli.printing import Json, Open, browse, say


def card(
    version: Annotated[
        str, typer.Argument(metavar="MODEL[@VERSION]", help="By number or alias; the champion otherwise.")
    ],
    json: Json = False,
    open: Open = None,
) -> None:
    """Write a page of what a version is for, how good it is and for whom, its limits, and what it was made of.

    Exit code: 0; 1 there is no such version, or it has not been judged yet.
    """
    from cli.showing import whole
    from evergreen.definition.loader import existing
    from evergreen.registry.version import CHAMPION
    from evergreen.reports.model_card import write

    name, _, number = version.partition("@")
    existing(name)
    path = write(name, number or CHAMPION)
    say(json, {"model": name, "page": str(path)}, whole(str(path)))
    browse(path, open, json)
