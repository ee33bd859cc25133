"""The command line: `evergreen --help` names every command."""

import os
import shutil
from collections.abc import Callable
from typing import Annotated

import typer

from cli import attention, experiments, governance, inspect, loop, operate, project, promotion, quarantine, start
from cli.ci import ci
from cli.demo import demo
from cli.doctor import doctor
from cli.migrate import migrate
from cli.parameters import command_name, exit_help
from cli.replay import replay
from evergreen.garbage_collection import collect_rarely

# In the order of a model's life.
COMMANDS: dict[str, tuple[Callable[..., None], ...]] = {
    "Get started": (demo, project.init, start.new, start.look),
    "Run the loop": (loop.ingest, loop.train, loop.refresh, loop.monitor, loop.score),
    "Inspect": (
        inspect.status,
        inspect.models,
        inspect.verdict,
        inspect.why,
        inspect.report,
        attention.acknowledge,
    ),
    "Promotion and rollback": (
        promotion.challenge,
        promotion.gate,
        promotion.approve,
        promotion.refuse,
        promotion.carry,
        promotion.rollback,
        promotion.retire,
    ),
    "Experiments and retraining policies": (experiments.try_, ci, replay),
    "Governance": (
        governance.lineage,
        governance.reproduce,
        governance.audit,
        governance.model_card,
        doctor,
        governance.erase,
        project.sbom,
    ),
    "Operations": (
        operate.up,
        operate.serve,
        operate.ui,
        operate.key,
        operate.deploy,
        attention.pause,
        attention.resume,
        project.upgrade,
        migrate,
    ),
}
_READABLE = 100  # columns of a help page, however wide the terminal
FORMER: dict[str, Callable[..., None]] = {
    "trace": governance.lineage,
    "card": governance.model_card,
    "forget": governance.erase,
}

app = typer.Typer(
    help="Keep machine-learning models fresh: ingest, train, evaluate, promote, with the evidence kept.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _panel, _commands in COMMANDS.items():
    for _command in _commands:
        app.command(command_name(_command), rich_help_panel=_panel, epilog=exit_help(_command))(_command)
    if _panel == "Run the loop":
        app.add_typer(quarantine.app, name="quarantine", rich_help_panel=_panel)
for _name, _renamed in FORMER.items():
    app.command(_name, hidden=True, epilog=exit_help(_renamed))(_renamed)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"evergreen {version('evergreen')}")
        raise typer.Exit


@app.callback()
def options(
    env: Annotated[
        str, typer.Option("--env", metavar="NAME", help="Use the settings of environments/NAME.env of the project.")
    ] = "",
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and logs.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Keep machine-learning models fresh: ingest, train, evaluate, promote, with the evidence kept."""
    from evergreen.exit_codes import quiet

    if env:
        os.environ["EVERGREEN_ENV"] = env
    os.environ["EVERGREEN_DEBUG"] = "1" if debug else ""
    quiet()


def main() -> None:
    """Run the command line, and print an error as one sentence with its exit code."""
    from evergreen.exit_codes import run_command

    collect_rarely()
    if shutil.get_terminal_size().columns > _READABLE:
        os.environ.setdefault("TERMINAL_WIDTH", str(_READABLE))  # of Typer's help
    run_command(app)


if __name__ == "__main__":
    main()
