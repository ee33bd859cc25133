"""`evergreen reproduce`: train a version again from its record, and see whether it comes out the same."""

from typing import Annotated

import typer

from cli.printing import Json, say


def reproduce(
    versions: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL[@VERSION]...", help="By number or alias, such as airtime@7; the champion otherwise."
        ),
    ],
    promoted: Annotated[
        bool, typer.Option("--promoted", help="Every version of the models that ever was champion.")
    ] = False,
    exact: Annotated[
        bool, typer.Option("--exact", help="In the recorded environment, built from the recorded commit and its lock.")
    ] = False,
    json: Json = False,
) -> None:
    """Train a version again from its record alone, in a clean process, and compare it with the registered one.

    Compared are the model file, the rows, what was fitted, the predictions for the holdout, and the
    verdict. Nothing is registered and nothing moves. Exit code: 0 reproduced, 7 something differs,
    1 it cannot be trained again.
    """
    from cli.showing import reproduced
    from evergreen.exit_codes import Exit
    from evergreen.governance.reproduction import named
    from evergreen.governance.reproduction import reproduce as again

    found = []
    for name, number in named(versions, promoted):
        one = again(name, number, exact)
        found.append(one)
        if not json:
            say(False, one, reproduced(one))
    if json:
        say(True, found, None)
    raise typer.Exit(Exit.DONE if all(one.same for one in found) else Exit.DIFFERS)
