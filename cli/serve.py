"""`evergreen serve`: every champion by HTTP, and `evergreen key`: who may ask."""

from functools import partial
from typing import Annotated, Literal

import typer

Names = Annotated[list[str] | None, typer.Argument(metavar="[MODEL ...]", help="All by default.")]


def serve(
    models: Names = None,
    host: Annotated[str, typer.Option(help="Where to listen; elsewhere than here only with API keys.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 for any that is free.", min=0, max=65535)] = 8100,
    workers: Annotated[int, typer.Option(help="Processes that answer, one a core.", min=1, max=64)] = 1,
    rows: Annotated[int, typer.Option(help="At most so many in one request.", min=1)] = 10_000,
    megabytes: Annotated[float, typer.Option(help="At most so large a body.", min=0.001)] = 16,
    seconds: Annotated[float, typer.Option(help="In which a body has to come.", min=0.1)] = 30,
    at_once: Annotated[int, typer.Option(help="Requests at one time, a worker; more are told 503.", min=1)] = 1_000,
    per_key: Annotated[int, typer.Option(help="The same of one API key; more are told 429.", min=1)] = 500,
    log_full: Annotated[
        Literal["refuse", "drop"], typer.Option(help="Answers that cannot be logged: refuse them, or log nothing.")
    ] = "refuse",
) -> None:
    """Answer with every champion at /models/NAME/invocations, log what was answered, until Ctrl-C.

    A promotion or a rollback reaches the service by itself. Exit code: 130 stopped by Ctrl-C, 1 the
    port is in use or there is no API key where one is needed, 6 this home is served already.
    """
    from serving.options import Limits, Options
    from serving.process.supervisor import Service

    _existing(models)
    limits = Limits(rows, round(megabytes * 1e6), seconds, at_once, per_key)
    options = Options(models or [], log_full, limits)
    Service(options, host, port, workers, partial(print, flush=True), _alert).run()


def key(models: Names = None) -> None:
    """Make an API key: it is shown once; the line that lets it in goes to the output, for the file of keys."""
    from serving.http.auth import KEYS_FILE, made

    _existing(models)
    secret, line = made(models or [])
    typer.echo(f"The key, for whoever asks: {secret}", err=True)
    typer.echo(f"The line, for the file that {KEYS_FILE} names:", err=True)
    print(line)


def _existing(models: list[str] | None) -> None:
    from evergreen.definition.loader import existing

    for name in models or []:
        existing(name)


def _alert(subject: str, body: str, model: str) -> None:
    """Tell a person here, and through Prefect's blocks: its import is not waited for at the start."""
    from tasks.support.alerts import alert

    print(f"{model}: {subject}. {body}", flush=True)
    alert(subject, body, model)
