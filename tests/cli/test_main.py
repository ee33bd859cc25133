"""The command line as its user meets it: real processes, exit codes, one sentence an error."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
COMMANDS = [
    "demo",
    "deploy",
    "doctor",
    "gate",
    "ingest",
    "look",
    "models",
    "new",
    "quarantine",
    "refresh",
    "status",
    "train",
    "up",
]


def run(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "cli.main", *words]
    return subprocess.run(command, cwd=CHECKOUT, env=dict(os.environ), capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command):
    done = run(command, "--help")
    assert done.returncode == 0
    assert "Usage" in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("train", "nobody"), 1, "There is no model 'nobody'"),
        (("verdict", "toy"), 1, "toy has no version 'challenger'"),
        (("quarantine", "show", "toy", "x"), 1, "has no batch 'x' in quarantine"),
        (("doctor", "toy", "--gates"), 1, "toy has no rows yet"),
        (("train",), 2, "Missing argument"),
        (("ingest", "toy", "--as-of", "soon"), 2, "Invalid value"),
    ],
)
def test_an_error_is_one_sentence_and_an_exit_code(home, server, words, code, says):
    done = run(*words)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_server_that_is_away_is_said(home, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    done = run("ingest", "toy")
    assert done.returncode == 1
    assert "start the Prefect server" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_broken_model_file_hides_no_other(home):
    (home.parent / "models" / "broken.py").write_text("model = (\n")
    done = run("status", "--json")
    found = {one["model"]: one["note"] for one in json.loads(done.stdout)}
    assert done.returncode == 0
    assert found["toy"] == ""
    assert "line 1" in found["broken"]


def test_the_loop_from_the_command_line(home, server):
    quiet = run("ingest", "toy", "--as-of", "2013-01-29", "--json")
    assert [one["fate"] for one in json.loads(quiet.stdout)] == ["landed"] * 4
    trained = run("train", "toy", "--as-of", "2013-01-29", "--json")
    assert trained.returncode == 0
    assert json.loads(trained.stdout)["decision"] == "promote"
    assert run("verdict", "toy", "--version", "champion").returncode == 0
    assert run("gate", "toy", "--version", "champion").returncode == 0
    assert run("doctor", "toy", "--gates").returncode == 0
