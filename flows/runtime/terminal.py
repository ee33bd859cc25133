"""A flow that a person runs: from the shell, with the exit codes of the command line."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

from prefect import Flow, Task
from prefect.client.schemas import State
from prefect.logging.configuration import setup_logging
from prefect.settings import PREFECT_API_URL, temporary_settings
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from evergreen import ctrl_c
from evergreen.credentials import refuse_secrets
from evergreen.definition.model_files import existing
from evergreen.exit_codes import Exit, quiet, run_command
from evergreen.lifecycle.outcome import Outcome, code_after
from flows.runtime import temporary_server
from flows.runtime.connection import API
from flows.runtime.heartbeats import no_heartbeats
from flows.runtime.progress import doing, silent

_SETTINGS = ExitStack()  # which hold for the rest of the process


def attended(model: str = "") -> None:
    """Prepare a run at a terminal: show progress, and let Ctrl-C end only the run.

    Raises
    ------
    ModelFileError
        There is no such model; raised before anything is started.
    """
    if model:
        existing(model)
    WATCHED.set(True)
    if sys.stderr.isatty():
        _show_tasks()
    serve()


def _show_tasks() -> None:
    """Let each task of the flows that are loaded name itself in the progress display when it begins."""
    for name, module in list(sys.modules.items()):
        for task in vars(module).values() if name.startswith("tasks.") else ():
            if isinstance(task, Task) and _shown not in task.on_running_hooks:
                task.on_running_hooks.append(_shown)


def _shown(task: Task[..., Any], _run: Any, _state: Any) -> None:
    doing(task.name.replace("_", " "))


def serve() -> None:
    """Wait for this command's server; where none is set, start one, which ends with this process.

    A terminal sends Ctrl-C to every process of a run; without its server, Prefect would try for
    more than a minute to say that the run has ended.

    Raises
    ------
    RunningError
        The server does not start, or does not answer.
    """
    if not PREFECT_API_URL.value():
        temporary_server.begin()
        _SETTINGS.enter_context(temporary_settings({PREFECT_API_URL: os.environ[API]}))
    temporary_server.wait()
    if temporary_server.started():  # no other program sees its runs
        _SETTINGS.enter_context(no_heartbeats())


def from_shell(flow: Flow[..., Any]) -> None:
    """Run a flow with the arguments of the command line, and end with its exit code."""
    import typer

    ctrl_c.begin()  # until the process has ended
    quiet()
    setup_logging()  # Prefect read its log level when it was imported

    @wraps(flow.fn)
    def run(**arguments: Any) -> None:
        refuse_secrets(arguments)
        attended()
        state: State[Any] = flow(**arguments, return_state=True)  # type: ignore[assignment]
        result = state.result()
        print(f"{state.name}: {state.message}")
        raise typer.Exit(_code(result))

    run_command(lambda: typer.run(run))


def _code(result: Any) -> Exit:
    """The exit code of a flow's result; `DONE` for a result without one."""
    if isinstance(result, Outcome):
        return result.code
    return code_after(result) if isinstance(result, list) else Exit.DONE


T = TypeVar("T")
WATCHED: ContextVar[bool] = ContextVar("WATCHED", default=False)  # no progress bar in a worker's log


@contextmanager
def watched(parts: Sequence[T], what: str) -> Iterator[Iterator[T]]:
    """Iterate over the parts, with a progress bar on stderr if that is a terminal."""
    console = Console(stderr=True)
    shown = WATCHED.get() and console.is_terminal and len(parts) > 1
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
    steps = _Steps(what, len(parts))
    bar = Progress(*columns, console=console, transient=True, disable=not shown)
    with silent() if shown else nullcontext(), bar as progress, ctrl_c.counted(steps):
        yield steps.through(progress.track(parts, description=what))


@dataclass
class _Steps:
    """How far an iteration is, in words."""

    what: str
    total: int
    begun: int = 0

    def through(self, parts: Iterable[T]) -> Iterator[T]:
        for part in parts:
            self.begun += 1
            yield part

    def __call__(self) -> str:
        return f"{self.what}, {max(self.begun - 1, 0)} of {self.total} done"
