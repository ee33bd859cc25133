"""`evergreen trace`: what a version was made of, which version gave an answer, and what became of a batch."""

from typing import Annotated

import typer

from cli.printing import Json, say


def trace(
    model: Annotated[
        str, typer.Argument(metavar="MODEL[@VERSION]", help="By number or alias; the champion otherwise.")
    ],
    prediction: Annotated[
        str, typer.Option(help="Begin at an answer, by the caller's own key or the id that came with it.")
    ] = "",
    batch: Annotated[str, typer.Option(help="Follow a batch to every version and answer that it touched.")] = "",
    json: Json = False,
) -> None:
    """Trace a version, or an answer, back to the batches, files and code it was made of; or follow a batch forward.

    Exit code: 0; 1 there is no such version, answer or batch.
    """
    from cli.showing import followed_tree, origin_tree
    from evergreen.definition.loader import existing
    from evergreen.governance import lineage as traces
    from evergreen.registry.version import CHAMPION

    name, _, number = model.partition("@")
    existing(name)
    if prediction and batch:
        raise typer.BadParameter("--prediction leads back and --batch forward; name one of them.")
    if batch:
        became = traces.followed(name, batch)
        say(json, became, followed_tree(became))
        return
    answer = traces.answered(name, prediction) if prediction else None
    made = answer.origin if answer else traces.origin(name, number or CHAMPION)
    say(json, answer or made, origin_tree(made, answer))
