"""The running system: servers, worker and prediction service, deployments, API keys."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.output import say, tell
from cli.parameters import Json, exits
from evergreen.exit_codes import Exit
from evergreen.settings import Settings

Names = Annotated[list[str] | None, typer.Argument(metavar="[MODEL ...]", help="All by default.")]


@exits(Exit.FAILED, Exit.BUSY, Exit.STOPPED, waiting=False)
def up(
    port: Annotated[int, typer.Option(help="The port of Prefect.", min=1, max=65535)] = 4200,
    mlflow_port: Annotated[int, typer.Option(help="The port of MLflow.", min=1, max=65535)] = 5000,
    no_mlflow: Annotated[bool, typer.Option("--no-mlflow", help="Start no MLflow server.")] = False,
    serve_port: Annotated[int, typer.Option(help="The port of the prediction service.", min=1, max=65535)] = 8100,
    no_serve: Annotated[bool, typer.Option("--no-serve", help="Start no prediction service.")] = False,
    ui_port: Annotated[int, typer.Option(help="The port of the web UI.", min=1, max=65535)] = 8200,
    no_ui: Annotated[bool, typer.Option("--no-ui", help="Start no web UI.")] = False,
) -> None:
    """Start Prefect, MLflow, a worker, the prediction service and the web UI, and run until Ctrl-C.

    Every deployment is registered. All servers listen on this machine only. Start it again to continue.
    """
    from evergreen.lake import state_format
    from flows.runtime.system import Ports
    from flows.runtime.system import up as run

    local = Settings.read().tracking_uri.startswith("sqlite:")  # else MLflow has a server elsewhere
    wanted = mlflow_port if local and not no_mlflow else None
    ports = Ports(port, wanted, None if no_serve else serve_port, None if no_ui else ui_port)
    if len(set(ports.taken())) < len(ports.taken()):
        raise typer.BadParameter("Prefect, MLflow, the prediction service and the web UI need a port each.")
    state_format.check(Settings.read().lake)
    run(ports, tell)


@exits(Exit.FAILED, Exit.BUSY, Exit.STOPPED, waiting=False)
def serve(
    models: Names = None,
    host: Annotated[
        str, typer.Option(help="The address to listen on; API keys are required unless it is this machine only.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port; 0 for any free one.", min=0, max=65535)] = 8100,
    workers: Annotated[int, typer.Option(help="Worker processes; one per core is usual.", min=1, max=64)] = 1,
    rows: Annotated[int, typer.Option(help="The most rows in one request.", min=1)] = 10_000,
    megabytes: Annotated[float, typer.Option(help="The largest request body.", min=0.001)] = 16,
    seconds: Annotated[float, typer.Option(help="The time a request body may take to arrive.", min=0.1)] = 30,
    at_once: Annotated[int, typer.Option(help="The most concurrent requests per worker; more get 503.", min=1)] = 1_000,
    per_key: Annotated[
        int, typer.Option(help="The most concurrent requests per API key, in each worker; more get 429.", min=1)
    ] = 500,
    log_full: Annotated[
        Literal["refuse", "drop"],
        typer.Option(help="When predictions cannot be logged: refuse the request, or drop the log entry."),
    ] = "refuse",
    log_gigabytes: Annotated[
        float | None,
        typer.Option(
            help="The most of the log that may wait for the lake; by default half of the free disk, at most 10.",
            min=0.001,
        ),
    ] = None,
) -> None:
    """Serve every champion over HTTP until Ctrl-C, and log the predictions.

    The address of a model is /models/NAME/invocations. A promotion or rollback takes effect without a
    restart.
    """
    from evergreen.settings import follow_releases

    follow_releases()
    _existing(models)
    from evergreen.lake import state_format
    from serving.options import Limits, Options
    from serving.process.supervisor import Service

    state_format.check(Settings.read().lake)
    limits = Limits(rows, round(megabytes * 1e6), seconds, at_once, per_key)
    waiting = None if log_gigabytes is None else round(log_gigabytes * 1e9)
    options = Options(models or [], log_full, limits, waiting)
    Service(options, host, port, workers, tell, _alert).run()


@exits(Exit.DONE, Exit.FAILED, Exit.STOPPED, waiting=False)
def ui(
    host: Annotated[
        str, typer.Option(help="The address to listen on; people have to sign in unless it is this machine only.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port; 0 for any free one.", min=0, max=65535)] = 8200,
    read_only: Annotated[bool, typer.Option("--read-only", help="Show no buttons, and do nothing.")] = False,
    export: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write all pages into this folder instead; they need no server."),
    ] = None,
) -> None:
    """Show what needs a person, every model and what was done, as web pages, until Ctrl-C.

    With --export the pages become files, which open from a disk or any web server. They are of one moment, without
    buttons and filters. Exporting to the same folder again replaces them.
    """
    if export is not None:
        _export(export)
        return
    from evergreen.settings import follow_releases
    from ui.server import run

    follow_releases()
    run(host, port, tell, read_only=read_only)


def _export(folder: Path) -> None:
    """Write the pages of the UI, and say how many there are."""
    from flows.runtime.progress import doing, pause, working
    from ui.export import export
    from ui.site import Site

    with working("ui --export"):
        done = export(Site(), folder, doing)
        pause()
    tell(f"{done.pages:,} pages are in {folder}: open {folder / 'index.html'}.")
    for problem in done.problems[:10]:
        tell(f"This page only says why it cannot be shown: {problem}")
    if len(done.problems) > 10:
        tell(f"So do {len(done.problems) - 10} more.")


@exits(Exit.DONE, Exit.FAILED)
def key(
    models: Names = None,
    person: Annotated[str, typer.Option(help="Make a key of the web UI instead, for this person.")] = "",
    role: Annotated[
        Literal["viewer", "operator", "approver"], typer.Option(help="What the person may do there.")
    ] = "viewer",
    json: Json = False,
) -> None:
    """Create an API key of the prediction service, or a person's key of the web UI, and print it once.

    The line for the file of keys goes to standard output.
    """
    if person and models:
        raise typer.BadParameter("--person makes a key of the web UI, which takes no models.")
    file, secret, line = _person_key(person, role) if person else _service_key(models or [])
    if json:
        known = {"person": person, "role": role} if person else {"models": models or []}
        say(json, {"key": secret, "line": line, **known}, None)
        return
    typer.echo(f"The key, for the caller: {secret}", err=True)
    typer.echo(f"The line, for the file that {file} names:", err=True)
    print(line)


def _service_key(models: list[str]) -> tuple[str, str, str]:
    from serving.http.keys import KEYS_FILE, new_key

    _existing(models)
    return KEYS_FILE, *new_key(models)


def _person_key(person: str, role: str) -> tuple[str, str, str]:
    from ui.access.keys import new_key
    from ui.access.rules import KEYS_FILE

    return KEYS_FILE, *new_key(person, role)


def _existing(models: list[str] | None) -> None:
    from evergreen.definition.model_files import existing

    for name in models or []:
        existing(name)


def _alert(subject: str, body: str, model: str) -> None:
    """Notify a person here and through Prefect's blocks, whose import is delayed until the first alert."""
    from tasks.support.notifications import alert

    tell(f"{model}: {subject}. {body}")
    alert(subject, body, model, "" if model == "serve" else f"models/{model}#service")


@exits(Exit.DONE, Exit.FAILED, Exit.BUSY, Exit.WAITING, released=False)
def deploy(
    release: Annotated[
        str,
        typer.Option(
            help="A commit, branch or tag to put in force. Without it and --back what is in force is registered again, "
            "or the working tree before the first release."
        ),
    ] = "",
    back: Annotated[bool, typer.Option("--back", help="Put the release before in force again.")] = False,
    approve: Annotated[
        bool, typer.Option("--approve", help="Approve the release, where EVERGREEN_RELEASE_APPROVAL asks for it.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why it is approved, for the record.")] = "",
    json: Json = False,
) -> None:
    """Register all deployments, schedules and triggers with a Prefect server; with --release, of a commit.

    The server is the one that PREFECT_API_URL names. What prefect.yaml does not declare any more is deleted, schedules
    of models without a file are left out. Running it again changes nothing. With --release the model files of that
    commit are in force from then on, for every run, command and request of this home; runs that have begun finish with
    theirs. A release of which a model file does not load is not put in force. An image that was built of a commit has
    just that release: there the command puts it in force, and --back does if it was the one before.
    """
    if release and back:
        raise typer.BadParameter("Give either --release or --back.")
    if approve != bool(reason.strip()) or (approve and not release):
        raise typer.BadParameter("--approve goes with --release and with --reason, and --reason with --approve.")
    from dataclasses import asdict

    from flows.runtime.releasing import deploy_release, deploy_tree

    done = deploy_release(release, back=back, approved=reason.strip()) if release or back else deploy_tree()
    from cli.render.operate import deployed

    say(
        json,
        asdict(done.registered) | {name: value for name, value in vars(done).items() if name != "registered"},
        deployed(done),
    )
    raise typer.Exit(Exit.WAITING if done.waiting else Exit.DONE)
