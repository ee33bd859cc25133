"""A flow that a person runs: from the shell, with the exit codes of the command line."""

import signal
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from threading import Thread
from typing import Any, TypeVar

from prefect import Flow
from prefect.client.schemas import State
from prefect.logging.configuration import setup_logging
from prefect.settings import PREFECT_API_URL
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from evergreen import ctrl_c
from evergreen.credentials import refuse_secrets
from evergreen.definition.model_files import existing
from evergreen.errors import RunningError
from evergreen.exit_codes import Exit, quiet, run_command
from evergreen.lifecycle.outcome import Outcome, code_after
from flows.runtime import temporary_server
from flows.runtime.heartbeats import no_heartbeats
from flows.runtime.progress import pause

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
    serve()


def serve() -> None:
    """Wait for this command's server; where none is set, start the one that Prefect runs, out of reach of Ctrl-C.

    A terminal sends Ctrl-C to every process of a run; without its server, Prefect would try for
    more than a minute to say that the run has ended.

    Raises
    ------
    RunningError
        The server does not start, or does not answer.
    """
    temporary_server.wait()
    if temporary_server.started():  # no other program sees its runs
        _SETTINGS.enter_context(no_heartbeats())
    if not PREFECT_API_URL.value():
        started: Future[None] = Future()
        Thread(target=_start_server, args=[started], daemon=True).start()
        started.result()


def _start_server(started: "Future[None]") -> None:
    # Imported here: the whole server is large, and a worker does not need it.
    from prefect.server.api.server import SubprocessASGIServer

    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # of this thread, and of what it starts
    server = SubprocessASGIServer()
    try:
        server.start()
    except Exception as error:
        server.stop()  # Prefect would start another one beside it, which Ctrl-C reaches, and leave this one behind
        message = f"Prefect's own server did not start: {error or type(error).__name__}. Run it again when the machine"
        started.set_exception(RunningError(f"{message} is less busy, or start a server and set PREFECT_API_URL."))
    else:
        started.set_result(None)


def from_shell(flow: Flow[..., Any]) -> None:
    """Run a flow with the arguments of the command line, and end with its exit code."""
    import typer

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
    if shown:
        pause()
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
    steps = _Steps(what, len(parts))
    with Progress(*columns, console=console, transient=True, disable=not shown) as progress, ctrl_c.counted(steps):
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
