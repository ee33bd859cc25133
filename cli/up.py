"""`evergreen up`: everything that runs, by one command and until Ctrl-C."""

from functools import partial
from typing import Annotated

import typer

from evergreen.settings import Settings


def up(
    port: Annotated[int, typer.Option(help="Where Prefect listens.", min=1, max=65535)] = 4200,
    mlflow_port: Annotated[int, typer.Option(help="Where MLflow listens.", min=1, max=65535)] = 5000,
    no_mlflow: Annotated[bool, typer.Option("--no-mlflow", help="Start no MLflow server.")] = False,
    serve_port: Annotated[int, typer.Option(help="Where the champions answer.", min=1, max=65535)] = 8100,
    no_serve: Annotated[bool, typer.Option("--no-serve", help="Start no prediction service.")] = False,
) -> None:
    """Start Prefect, MLflow, a worker and the prediction service, register every deployment, and run until Ctrl-C.

    All of it answers this machine only. Started again, it goes on where it was. Exit code: 130
    stopped by Ctrl-C, 1 a port is in use or a part has ended by itself, 6 up already in this home.
    """
    from flows.runtime.system import Ports
    from flows.runtime.system import up as run

    local = Settings.read().tracking_uri.startswith("sqlite:")  # else MLflow has a server elsewhere
    wanted = mlflow_port if local and not no_mlflow else None
    ports = Ports(port, wanted, None if no_serve else serve_port)
    if len(set(ports.taken())) < len(ports.taken()):
        raise typer.BadParameter("Prefect, MLflow and the prediction service need a port each.")
    run(ports, partial(print, flush=True))
