"""At the shell: what goes wrong becomes one sentence and an exit code."""

import logging
import os
import sys
from collections.abc import Callable
from enum import IntEnum

from evergreen.errors import BusyError, EvergreenError


class Exit(IntEnum):
    """The exit codes of the command line."""

    DONE = 0  # promoted, or nothing to do
    FAILED = 1
    USAGE = 2
    REJECTED = 3
    QUARANTINED = 4
    UNDECIDED = 5
    BUSY = 6
    DIFFERS = 7  # what is found is not what was recorded
    WAITING = 8  # for a person's leave
    STOPPED = 130  # what shells give for Ctrl-C


def quiet() -> None:
    """Keep Prefect's own log off the terminal, unless it was asked for: it tells an error as a traceback.

    MLflow's stores do so too, of the errors that they raise.
    """
    if not os.environ.get("EVERGREEN_DEBUG"):
        logging.getLogger("mlflow.store").setLevel(logging.CRITICAL)
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")


def told(run: Callable[[], object]) -> None:
    """Run a command, and turn what a user can mend into a sentence and an exit code."""
    try:
        run()
    except EvergreenError as error:
        _end(error, Exit.BUSY if isinstance(error, BusyError) else Exit.FAILED, str(error))
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        _end(error, Exit.FAILED, f"{error.strerror or error}{where}. Check that it is there, writable and not full.")
    except RuntimeError as error:
        if "Failed to reach API" not in str(error):
            raise
        _end(error, Exit.FAILED, f"{error}: start the Prefect server, or unset PREFECT_API_URL.")
    except (KeyboardInterrupt, SystemExit) as end:
        if isinstance(end, SystemExit) and end.code != Exit.STOPPED:  # Typer makes this of Ctrl-C
            raise
        print("Stopped; what was done stays done, and running it again goes on.", file=sys.stderr)
        sys.exit(Exit.STOPPED)


def _end(error: Exception, code: Exit, sentence: str) -> None:
    if os.environ.get("EVERGREEN_DEBUG"):
        raise error
    print(f"Error: {sentence}", file=sys.stderr)
    held: BaseException | None = error
    while held:  # what the frames of an error hold outlives them, and DuckDB's binding complains of that at the end
        held.__traceback__, held = None, held.__cause__ or held.__context__
    sys.exit(code)
