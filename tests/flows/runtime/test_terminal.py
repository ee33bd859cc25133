"""Flows and commands as real processes: exit codes, two at once, Ctrl-C."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from evergreen.definition import loader
from evergreen.stores import Stores
from flows.ingest import ingest

CHECKOUT = Path(__file__).resolve().parents[3]
IN_TIME = 4.0  # seconds: two on a machine with a core to spare

WAITING = """
import time
from pathlib import Path

def estimator():
    Path({started!r}).touch()
    while not Path({go!r}).exists():
        time.sleep(0.1)
    return LinearRegression()

model = model.model_copy(update={{"estimator": estimator}})
"""

STUCK = """
import time
from pathlib import Path

def stuck(since, until):
    if since >= pd.Timestamp("2013-01-15", tz="UTC"):
        Path({started!r}).touch()
        time.sleep(120)
    return rows(since, until)

model = model.model_copy(update={{"source": Call(function=stuck, start="2013-01-01", batch="7d")}})
"""

Started = Callable[..., "subprocess.Popen[str]"]
pytestmark = pytest.mark.long


@pytest.fixture
def start() -> Iterator[Started]:
    """Start processes as a shell does, each in a group of its own, and leave none behind."""
    running: list[subprocess.Popen[str]] = []
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests are a background job

    def started(*words: str, stderr: int = subprocess.PIPE) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=CHECKOUT,
            env=dict(os.environ),
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )
        running.append(process)
        return process

    yield started
    for process in running:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    signal.signal(signal.SIGINT, before)


def appeared(path: Path) -> bool:
    for _ in range(900):
        if path.exists():
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("flows.train", "nobody"), 1, "There is no model 'nobody'"),
        (("flows.train", "toy"), 1, "toy has no rows yet"),
        (("flows.ingest",), 2, "Missing argument"),
        (("flows.refresh", "toy", "--as-of", "soon"), 2, "Invalid value"),
        (("flows.ingest", "toy", "--as-of", "2012-12-31"), 1, "toy: the source begins at 2013-01-01"),
    ],
)
def test_an_error_of_a_flow_is_one_sentence_and_the_exit_code_of_the_command(home, start, words, code, says):
    process = start(*words)
    _, said = process.communicate(timeout=120)
    assert process.returncode == code
    assert says in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("more", "words", "code", "says"),
    [
        pytest.param("", ("flows.refresh", "toy", "--as-of", "2013-01-29"), 0, "Promoted: All", marks=pytest.mark.slow),
        (
            "\nmodel = model.model_copy(update={'contract': [expect('column_max_to_be_between', 'y', max_value=0)]})\n",
            ("flows.ingest", "toy", "--as-of", "2013-01-08"),
            4,
            "Quarantined: 20130108T000000-",
        ),
    ],
)
def test_a_flow_from_the_shell_ends_as_the_command_does(home, write_model, start, more, words, code, says):
    write_model(more)
    process = start(*words)
    printed, said = process.communicate(timeout=120)
    assert (process.returncode, printed.splitlines()[0][: len(says)]) == (code, says), said


@pytest.mark.slow
def test_a_second_training_of_a_model_ends_at_once_and_another_model_is_not_held_up(home, write_model, start, tmp_path):
    started, go = tmp_path / "started", tmp_path / "go"
    for name in ("toy", "other"):
        write_model(name=name)
        ingest(name, as_of=datetime(2013, 1, 29, tzinfo=UTC))
    write_model(WAITING.format(started=str(started), go=str(go)))
    train = ("cli", "train")
    first = start(*train, "toy", "--as-of", "2013-01-29")
    assert appeared(started)
    second, other = (start(*train, name, "--as-of", "2013-01-29") for name in ("toy", "other"))
    _, said = second.communicate(timeout=120)
    assert (second.returncode, said) == (
        6,
        "Error: toy: another process already runs train for this model. Let it finish, then run this again.\n",
    )
    assert other.wait(timeout=120) == 0
    assert first.poll() is None
    go.touch()
    assert first.wait(timeout=120) == 0


def test_ctrl_c_ends_an_ingest_that_goes_on_when_run_again(home, write_model, start, tmp_path, monkeypatch):
    monkeypatch.delenv("PREFECT_API_URL")  # with a server of Prefect's own, which Ctrl-C reaches too
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    monkeypatch.setenv("TERM", "xterm")  # a dumb one is shown no bar
    started = tmp_path / "started"
    write_model(STUCK.format(started=str(started)))
    ours, theirs = pty.openpty()
    process = start("cli", "ingest", "toy", "--as-of", "2013-01-29", stderr=theirs)
    os.close(theirs)
    assert appeared(started)
    shown = _read(ours, until="2/4")  # the bar is drawn ten times a second, not with every batch
    assert "toy: ingest" in shown
    os.killpg(process.pid, signal.SIGINT)
    began = time.monotonic()
    assert process.wait(timeout=60) == 130
    assert time.monotonic() - began < IN_TIME
    shown = _read(ours)
    os.close(ours)
    assert "Stopped at toy: ingest, 2 of 4 done. Batches that were read are kept." in shown
    assert "Traceback" not in shown

    write_model()
    again = start("cli", "ingest", "toy", "--as-of", "2013-01-29", "--json")
    printed, said = again.communicate(timeout=120)
    assert [batch["new"] for batch in json.loads(printed)] == [350, 350], said
    assert Stores.open().lake.query(loader.load("toy"), "SELECT count(*) AS n FROM rows")["n"][0] == 1400
    assert Stores.open().registry.versions("toy") == []


def _read(terminal: int, until: str | None = None) -> str:
    """What is written to a terminal, up to a word of it or, once its other end is closed, all."""
    shown = ""
    while until is None or until not in shown:
        readable, _, _ = select.select([terminal], [], [], 60)
        assert readable, f"{until!r} was not shown: {shown!r}"
        try:
            part = os.read(terminal, 65536)
        except OSError:  # what Linux says at its end
            part = b""
        if not part:
            assert until is None, f"{until!r} was not shown: {shown!r}"
            break
        shown += part.decode(errors="replace")
    return shown
