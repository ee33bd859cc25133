"""`evergreen serve`: every champion by HTTP."""

from functools import partial
from typing import Annotated, Literal

import typer


def serve(
    models: Annotated[list[str] | None, typer.Argument(metavar="[MODEL ...]", help="All champions by default.")] = None,
    host: Annotated[str, typer.Option(help="Where to listen; this machine only.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 for any that is free.", min=0, max=65535)] = 8100,
    workers: Annotated[int, typer.Option(help="Processes that answer, one a core.", min=1, max=64)] = 1,
    rows: Annotated[int, typer.Option(help="At most so many in one request.", min=1)] = 10_000,
    log_full: Annotated[
        Literal["refuse", "drop"], typer.Option(help="Answers that cannot be logged: refuse them, or log nothing.")
    ] = "refuse",
) -> None:
    """Answer with every champion at /models/NAME/invocations, log what was answered, until Ctrl-C.

    A promotion or a rollback reaches the service by itself. Exit code: 130 stopped by Ctrl-C, 1 the
    port is in use, 6 this home is served already.
    """
    from serving.supervisor import Service

    if models:
        from evergreen.model import existing

        for name in models:
            existing(name)
    Service(models or [], host, port, workers, rows, log_full, partial(print, flush=True), _alert).run()


def _alert(subject: str, body: str, model: str) -> None:
    """Tell a person here, and through Prefect's blocks: its import is not waited for at the start."""
    from tasks.alerting import alert

    print(f"{model}: {subject}. {body}", flush=True)
    alert(subject, body, model)
