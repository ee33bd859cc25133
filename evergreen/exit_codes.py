"""The exit codes of the command line, and how an error becomes one sentence and an exit code."""

import logging
import os
import sys
import warnings
from collections.abc import Callable
from enum import IntEnum
from functools import partial
from typing import Any

from evergreen import ctrl_c
from evergreen.addresses import without_secrets
from evergreen.errors import BusyError, EvergreenError, first_line


class Exit(IntEnum):
    """The exit codes of the command line; a flow run in Prefect that ends with one has the same name.

    Attributes
    ----------
    meaning : str
        For the help of the commands and the documentation.
    state : str
        The name of the state that a flow run ends in, where the code determines it; else empty.
    """

    meaning: str
    state: str

    def __new__(cls, code: int, meaning: str, state: str = "") -> "Exit":
        """Make a code with its texts."""
        member = int.__new__(cls, code)
        member._value_, member.meaning, member.state = code, meaning, state
        return member

    DONE = 0, "done, or nothing to do"
    FAILED = 1, "failed; the message says why and what to do"
    USAGE = 2, "the command line is wrong"
    REJECTED = 3, "the challenger was rejected", "Rejected"
    QUARANTINED = 4, "a batch broke its contract and is in quarantine", "Quarantined"
    UNDECIDED = 5, "not enough evidence to decide", "Not enough evidence"
    BUSY = 6, "another process is at work on it; run this again later"
    DIFFERS = 7, "what was found differs from what was recorded"
    WAITING = 8, "passed, pending approval by a person", "Waiting for approval"
    STOPPED = ctrl_c.CODE, "stopped by Ctrl-C"


_REFUSED = (
    "Prefect's server refuses the request (401): it asks for another secret. Set PREFECT_API_AUTH_STRING to the one "
    "that it was started with; that of `evergreen up` is the text of up.secret in its EVERGREEN_HOME."
)
_UNTOLD = (
    "Prefect's server was too busy to say how the run ended. See `evergreen status`; running it again repeats nothing "
    "that was done."
)


def quiet() -> None:
    """Keep what libraries log and warn of off the terminal, unless `--debug` is set or Python was told to warn (`-W`).

    A user can do nothing about it, and some log an error as a traceback; the command prints it as one sentence.
    """
    if os.environ.get("EVERGREEN_DEBUG"):
        return
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "CRITICAL")
    logging.getLogger("mlflow.store").setLevel(logging.CRITICAL)
    if logging.lastResort:  # for loggers that nobody has configured, such as matplotlib's of fonts
        logging.lastResort.addFilter(_is_ours)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether Evergreen logs it, such as an alert that nobody is notified of."""
    return "evergreen" in record.name.split(".") or record.levelno >= logging.CRITICAL


def run_command(run: Callable[[], object]) -> None:
    """Run a command, and print an error that a user can fix as one sentence, with its exit code."""
    try:
        with ctrl_c.taken():
            run()
    except EvergreenError as error:
        _end(error, Exit.BUSY if isinstance(error, BusyError) else Exit.FAILED, str(error))
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        _end(error, Exit.FAILED, f"{error.strerror or error}{where}. Check that it is there, writable and not full.")
    except Exception as error:
        _end(error, Exit.FAILED, _of_prefect(error) or _of_ours(error))
    except (KeyboardInterrupt, SystemExit) as end:
        if isinstance(end, SystemExit) and end.code != Exit.STOPPED:  # Typer makes this of Ctrl-C
            raise
        ctrl_c.say(partial(print, file=sys.stderr))
        sys.exit(Exit.STOPPED)


def _of_prefect(error: Exception) -> str:
    """A sentence for an error of Prefect's client, which is recognised without importing Prefect; else empty."""
    if isinstance(error, RuntimeError) and "Failed to reach API" in str(error):
        return f"{error}: start the Prefect server, or unset PREFECT_API_URL."
    if type(error).__name__ == "MissingResult":
        return _UNTOLD
    response: Any = getattr(error, "response", None)
    return _REFUSED if type(error).__name__ == "PrefectHTTPStatusError" and response.status_code == 401 else ""


def _of_ours(error: Exception) -> str:
    """A sentence for an unexpected error."""
    return (
        f"{type(error).__name__}: {without_secrets(first_line(error)).rstrip('.')}. This is a fault of Evergreen: "
        "please report it with what `evergreen --debug` and the same command show."
    )


def _end(error: Exception, code: Exit, sentence: str) -> None:
    if os.environ.get("EVERGREEN_DEBUG"):
        raise error
    print(f"Error: {sentence}", file=sys.stderr)
    current: BaseException | None = error
    while current:  # frames keep DuckDB objects alive until exit, where its binding complains
        current.__traceback__, current = None, current.__cause__ or current.__context__
    sys.exit(code)
