"""How a command ends: what Ctrl-C comes to, whatever it interrupts."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest
from prefect.exceptions import MissingResult

from evergreen import ctrl_c
from evergreen.errors import LakeError, translated
from evergreen.exit_codes import Exit, run_command


@pytest.fixture(autouse=True)
def _from_a_terminal() -> Iterator[None]:
    """Take SIGINT as a command at a terminal does; a background job of a shell ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupted() -> None:
    signal.raise_signal(signal.SIGINT)


def interrupted_in_a_library() -> None:
    """What pydantic does where Ctrl-C comes while it serializes, as during Prefect's import."""
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt as error:
        raise ValueError("Error calling function `_ser_model`: KeyboardInterrupt: ") from error


def interrupted_in_a_library_that_goes_on() -> None:
    with suppress(ValueError):
        interrupted_in_a_library()
    sys.exit(Exit.DIFFERS)


@pytest.mark.parametrize("run", [interrupted, interrupted_in_a_library, interrupted_in_a_library_that_goes_on])
def test_ctrl_c_ends_a_command_in_one_sentence(capsys, run):
    with suppress(KeyError), ctrl_c.counted(lambda: "an earlier command of this process, 1 of 2"):
        raise KeyError
    with pytest.raises(SystemExit) as end:
        run_command(run)
    assert end.value.code == Exit.STOPPED
    assert capsys.readouterr().err == "Stopped. What was done is kept. Run the command again to continue.\n"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_that_a_library_made_of_ctrl_c_is_not_translated() -> None:
    def run() -> None:
        with suppress(LakeError), translated(LakeError, "Cannot read the table: {reason}"):
            interrupted_in_a_library()
        pytest.fail("it was told as an error of the lake")

    with pytest.raises(SystemExit) as end:
        run_command(run)
    assert end.value.code == Exit.STOPPED


def test_a_command_in_the_background_goes_on_to_ignore_ctrl_c(capsys):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    run_command(interrupted)
    assert capsys.readouterr().err == ""


def test_an_answer_that_prefects_server_owes_is_told_in_a_sentence(capsys):
    def run() -> None:
        raise MissingResult("State data is missing.")

    with pytest.raises(SystemExit) as end:
        run_command(run)
    assert end.value.code == Exit.FAILED
    assert capsys.readouterr().err.startswith("Error: Prefect's server was too busy to say how the run ended. See")


def test_an_error_without_ctrl_c_is_told_as_it_is(capsys):
    def run() -> None:
        raise LakeError("The lake is away.")

    with pytest.raises(SystemExit) as end:
        run_command(run)
    assert end.value.code == Exit.FAILED
    assert capsys.readouterr().err == "Error: The lake is away.\n"


def test_an_unexpected_error_is_one_sentence_without_a_traceback(capsys, monkeypatch):
    with pytest.raises(SystemExit) as end:
        run_command(lambda: int("ours"))
    assert end.value.code == Exit.FAILED
    said = capsys.readouterr().err
    assert said.startswith("Error: ValueError: invalid literal for int() with base 10: 'ours'. This is a fault of Ever")
    assert said.count("\n") == 1
    monkeypatch.setenv("EVERGREEN_DEBUG", "1")
    with pytest.raises(ValueError, match="ours"):
        run_command(lambda: int("ours"))


@pytest.mark.long
def test_what_libraries_warn_of_and_log_stays_off_the_terminal(monkeypatch):
    """In a process of its own: the settings are the process's."""
    script = (
        "import logging, warnings\n"
        "from evergreen.exit_codes import quiet\n"
        "quiet()\n"
        "warnings.warn('a glyph is missing')\n"
        "warnings.warn('old', DeprecationWarning)\n"
        "logging.getLogger('matplotlib.font_manager').warning('no such font')\n"
        "import mlflow\n"
        "logging.getLogger('mlflow.models').warning('a hint')\n"
    )
    monkeypatch.delenv("MLFLOW_LOGGING_LEVEL", raising=False)  # which the tests have set
    debug = {"": "", "1": "a glyph is missing"}
    for value, shown in debug.items():
        environment = os.environ | {"EVERGREEN_DEBUG": value}
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
        assert done.returncode == 0
        assert (shown in done.stderr) if shown else done.stderr == "", done.stderr
