"""`evergreen demo`: a year of the loop on real data, in a home of its own."""

import os
import shutil
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.parameters import Json, exits
from evergreen import ctrl_c
from evergreen.exit_codes import Exit
from evergreen.locks import file_lock
from evergreen.settings import Settings, embed


def _at_least_two(weeks: int) -> int:
    if weeks == 1:
        raise typer.BadParameter("the first week trains the first model; from 2 on there is something to compare.")
    return weeks


@exits(Exit.DONE, Exit.FAILED, Exit.BUSY, waiting=False)
def demo(
    weeks: Annotated[
        int,
        typer.Option(callback=_at_least_two, help="Stop after so many weeks, 2 at least; 0 for the whole year.", min=0),
    ] = 0,
    json: Json = False,
) -> None:
    """Run a year of flights with a retrained and a frozen model, and compare them.

    A stopped demo continues where it stopped; a finished demo starts again.
    """
    home = Settings.read().home
    busy = f"Another demo runs in {home}. Let it finish, or stop it with Ctrl-C."
    with file_lock(home / "locks" / "demo.lock", busy):
        _lived(home / "demo", weeks, json)


def _lived(home: Path, weeks: int, json: bool) -> None:
    """Run the weeks in a home of their own, and print what came of them."""
    _embedded(home)
    progress = home / "weeks.jsonl"
    if (home / "demo.json").is_file():
        shutil.rmtree(home)
        embed()
    from flows.runtime import temporary_server

    temporary_server.start()
    from cli.demo_run import MODEL, write_model, year
    from evergreen.reports import demo_page

    write_model(home / "models")
    lived = _watched(year(progress), weeks, quiet=json)
    written = demo_page.write(home, MODEL, lived)
    _end(written, json)


def _embedded(home: Path) -> None:
    """Use the demo's own home for every store, whatever the settings name."""
    os.environ["EVERGREEN_HOME"] = str(home)
    os.environ["EVERGREEN_MODELS"] = str(home / "models")
    for name in (
        "EVERGREEN_ENV",
        "EVERGREEN_LAKE",
        "MLFLOW_TRACKING_URI",
        "PREFECT_API_URL",
        "PREFECT_HOME",
        "MPLCONFIGDIR",
    ):
        os.environ.pop(name, None)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # threads of fits this small wait for each other and for the server
    embed()


def _watched(weeks: Any, most: int, quiet: bool) -> list[Any]:
    """Run the weeks with a progress bar."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from flows.runtime.terminal import serve

    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
    lived: list[Any] = []
    console, total = Console(stderr=True, quiet=quiet), most or 49
    with Progress(*columns, console=console) as progress, ctrl_c.counted(lambda: f"{len(lived)} of {total} weeks"):
        bar = progress.add_task("starting a Prefect server and the stores", total=total)
        serve()
        for week in weeks:
            lived.append(week)
            progress.update(bar, advance=1, description=_line(week))
            if most and len(lived) >= most:
                break
    return lived


def _line(week: Any) -> str:
    errors = f"frozen {week.frozen.value:5.2f}  fresh {week.fresh.value:5.2f}" if week.fresh else "first training"
    return f"{week.until[:10]}  {errors}  {week.outcome.decision:<20}"


def _end(written: Any, json: bool) -> None:
    if json:
        print(written.figures.read_text())
        return
    from rich.console import Console

    from cli.render.demo import months

    console = Console(highlight=False, soft_wrap=True)
    console.print(months(written.summary))
    console.print(written.sentence)
    console.print(
        f"EVERGREEN_HOME={written.page.parent} .venv/bin/evergreen models airtime  shows every version.", style="dim"
    )
    console.print(written.last_line)
