"""Ctrl-C at a random moment of any command: it ends in time, in one sentence, and the same command runs again."""

import os
import random
import signal
import subprocess
import time
from datetime import UTC, datetime

import pytest

from cli.stopping import stands
from tests.prepared_homes import ingested, refreshed
from tests.running_system import CHECKOUT, environment, interruptible

SEEDS = int(os.environ.get("CTRL_C_SEEDS", "1"))
IN_TIME = 4.0  # seconds: two on a machine with a core to spare
AT = ("--as-of", "2013-02-15")

COMMANDS = [
    ("new", "drafted", "--from", "table.csv", "--force"),
    ("look", "table.csv", "--no-open"),
    ("ingest", "toy", *AT),
    ("train", "toy", *AT),
    ("refresh", "toy", *AT),
    ("monitor", "toy", *AT),
    ("score", "toy", "--input", "table.csv", "--output", "scored.csv", "--no-log"),
    ("replay", "toy", "--from", "2013-01-15", "--to", "2013-02-05"),
    ("status",),
    ("report", "toy", "--no-open"),
    ("model-card", "toy"),
    ("reproduce", "toy"),
    ("audit",),
    ("doctor", "toy"),
    ("demo", "--weeks", "2"),
]


@pytest.fixture(scope="module")
def lived(worlds, begun):
    """A home with a champion and new rows, and a table beside it."""
    from tests.toy import rows

    with worlds("toy") as write:
        path = write()
        begun(refreshed, datetime(2013, 2, 1, tzinfo=UTC))
        ingested(datetime(2013, 2, 8, tzinfo=UTC))
        import pandas as pd

        folder = path.parent.parent
        table = rows(pd.Timestamp("2013-02-08", tz="UTC"), pd.Timestamp("2013-02-15", tz="UTC"))
        table.to_csv(folder / "table.csv", index=False)
        yield folder


def start(folder, words):
    environ = environment(folder / "home", PYTHONPATH=str(CHECKOUT), PREFECT_API_URL=os.environ["PREFECT_API_URL"])
    return interruptible(*words, cwd=folder, env=environ, stdout=subprocess.PIPE)


def interrupt(process):
    """Interrupt as a terminal does, which reaches all of the group; the seconds, and what was said."""
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    process.wait(timeout=120)
    seconds = time.monotonic() - began  # its server ends after it, unseen
    _, said = process.communicate(timeout=120)
    return seconds, said


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_a_command_ends_in_time_in_one_sentence(lived, words, seed):
    chance = random.Random(f"{seed} {words[0]}")
    process = start(lived, words)
    time.sleep(0.3 + chance.random() ** 2 * 12)
    seconds, said = interrupt(process)
    if process.returncode == 0:
        return  # it was done before
    assert (process.returncode, "Traceback" in said) == (130, False), said
    before_it_began = stands("")
    assert said.splitlines()[-1].endswith((f". {stands(words[0])}", f". {before_it_began}")), said
    assert said.count("Stopped") == 1
    print(f"{words[0]}: {seconds:.2f} s")
    assert seconds < IN_TIME
