"""How a command ends: what Ctrl-C comes to, whatever it interrupts."""

import signal
from collections.abc import Iterator

import pytest

from evergreen.errors import LakeError
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


@pytest.mark.parametrize("run", [interrupted, interrupted_in_a_library])
def test_ctrl_c_ends_a_command_in_one_sentence(capsys, run):
    with pytest.raises(SystemExit) as end:
        run_command(run)
    assert end.value.code == Exit.STOPPED
    assert capsys.readouterr().err == "Stopped. What was done is kept. Run the command again to continue.\n"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_command_in_the_background_goes_on_to_ignore_ctrl_c(capsys):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    run_command(interrupted)
    assert capsys.readouterr().err == ""


def test_an_error_without_ctrl_c_is_told_as_it_is(capsys):
    def run() -> None:
        raise LakeError("The lake is away.")

    with pytest.raises(SystemExit) as end:
        run_command(run)
    assert end.value.code == Exit.FAILED
    assert capsys.readouterr().err == "Error: The lake is away.\n"

    with pytest.raises(ValueError, match="ours"):
        run_command(lambda: int("ours"))
