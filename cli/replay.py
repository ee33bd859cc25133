"""`evergreen replay`: which retraining policy would have been best on a model's own history."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from cli import checks
from cli.output import browse, say
from cli.parameters import Json, ModelName, Open, exits
from evergreen.exit_codes import Exit

_DAY = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]


@exits(Exit.DONE, Exit.FAILED, Exit.BUSY)
def replay(
    model: ModelName,
    since: Annotated[
        datetime | None,
        typer.Option(
            "--from", help="The first decision, in UTC; as early as possible by default.", formats=_DAY, metavar="TIME"
        ),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option("--to", help="The end, in UTC; the newest row by default.", formats=_DAY, metavar="TIME"),
    ] = None,
    policies: Annotated[
        str,
        typer.Option(
            help="Separated by commas: never, every-7d, data-1000, drift, performance, own, FILE.py:FUNCTION; "
            "with -ungated at its end the gates of one are off. best-window and each-window know the future."
        ),
    ] = "",
    step: Annotated[str, typer.Option(help="The time between decisions, such as 7d.")] = "",
    price: Annotated[float | None, typer.Option(help="Of an hour of CPU.", min=0)] = None,
    changed: Annotated[
        datetime | None,
        typer.Option(help="The time of a known change of the data, in UTC.", formats=_DAY, metavar="TIME"),
    ] = None,
    json: Json = False,
    open: Open = None,
) -> None:
    """Compare retraining policies on a model's own history.

    At each step a policy sees only what was known then, and runs the stages of production. Nothing is
    promoted. Run a stopped replay again to continue it.
    """
    from flows.runtime import temporary_server

    temporary_server.start(model)
    checks.rows(model)
    checks.step(step)
    checks.policies(model, policies)
    from cli.render.replay import replayed
    from flows.replay import replay as run
    from flows.runtime.progress import pause
    from flows.runtime.terminal import attended

    attended(model)
    written = run(model, policies, since, until, step, price, changed)
    if json:
        pause()
        print(Path(written.figures).read_text())
    else:
        say(False, written, replayed(written), then=f"evergreen refresh {model}")
    browse(written.page, open, json)
