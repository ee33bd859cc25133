"""Every ending of a command names the next one, and what it names can be typed as it stands."""

import io
import re
import shlex

import pytest
import typer
from rich.console import Console

from cli.main import app
from cli.next_commands import after_decision, after_outcome
from cli.render.loop import outcome
from evergreen.gates.advice import Advice
from evergreen.lifecycle.decision import NO_CHAMPION, Decision
from evergreen.lifecycle.outcome import REINSTATED, Outcome
from tests.command_line import called
from tests.toy import TURN, day_of

FILES = ("--input", "{folder}/rows.csv", "--output", "{folder}/scored.csv")
WHY = ("--reason", "tests")
EMPTY = [  # a home with a model file, without rows
    (("status",), "report"),
    (("models",), "models"),
    (("models", "toy"), "train"),
    (("why", "toy"), "monitor"),
    (("verdict", "toy"), "models"),
    (("train", "toy"), "ingest"),
    (("monitor", "toy"), "ingest"),
    (("replay", "toy"), "ingest"),
    (("score", "toy", *FILES), "models"),
    (("approve", "toy", *WHY), "models"),
    (("refuse", "toy", *WHY), "models"),
    (("rollback", "toy", *WHY), "train"),
    (("quarantine", "list"), "status"),
    (("quarantine", "show", "toy", "none"), "quarantine list"),
    (("quarantine", "drop", "toy", "none"), "quarantine list"),
    (("report", "toy", "--no-open"), "train"),
    (("look", "toy", "--no-open"), "ingest"),
    (("look", "{folder}/rows.csv", "--no-open"), "new"),
    (("new", "other", "--from", "{folder}/rows.csv"), "ingest"),
    (("doctor", "toy"), "status"),
    (("doctor", "--judging"), "status"),
    (("doctor",), "status"),
    (("ingest", "nobody"), "new"),
    (("serve", "nobody"), "new"),
]
NO_MODEL = [("status",), ("models",), ("doctor",)]


def commands(text):
    """The commands that a text names."""
    named = re.findall(r"`evergreen ([^`]+)`", text) + re.findall(r"^(?:.*: )evergreen (.+)$", text, re.MULTILINE)
    return [part.removeprefix("evergreen ") for line in named for part in line.split(" && ")]


def command_of(typed):
    """The name of a command that is typed so; its words must be taken, and the model that it names is the right one."""
    words, command, name = shlex.split(typed), typer.main.get_command(app), []
    while hasattr(command, "commands"):
        name.append(words.pop(0))
        command = command.commands[name[-1]]
    given = command.make_context(" ".join(name), [*words], resilient_parsing=False).params
    assert given.get("model") in (None, "toy", "other"), typed
    return " ".join(name)


@pytest.fixture
def folder(home, write_model):
    write_model()
    day_of(TURN).to_csv(home.parent / "rows.csv", index=False)
    return home.parent


@pytest.mark.parametrize(("words", "expected"), [pytest.param(*case, id=" ".join(case[0])) for case in EMPTY])
def test_the_next_command_is_named_and_can_be_typed(folder, words, expected):
    done = called(*(word.format(folder=folder) for word in words))
    named = [command_of(typed) for typed in commands(f"{done.stdout}\n{done.stderr}")]
    assert expected in named, (done.stdout, done.stderr)


@pytest.mark.parametrize("words", NO_MODEL, ids=" ".join)
def test_without_a_model_the_command_that_makes_one_is_named(home, words):
    (home.parent / "models" / "toy.py").unlink()
    done = called(*words)
    assert "new" in map(command_of, commands(done.stdout + done.stderr)), done


MISSING = Advice("toy", "1", missing="About 3 blocks are missing.", command="evergreen look toy")
OUTCOMES = [
    (Outcome("toy", "promote", "r", "1", "2", moved=True), "monitor"),
    (Outcome("toy", REINSTATED, "r", "1", "2", moved=True), "monitor"),
    (Outcome("toy", "rollback", "r", champion="1", moved=True), "monitor"),
    (Outcome("toy", "waiting", "r", "1", "2"), "approve"),
    (Outcome("toy", "refused", "r", "1"), "why"),
    (Outcome("toy", "none", "r"), "why"),
    (Outcome("toy", "reject", "r", "1", "2"), "why"),
    (Outcome("toy", "not enough evidence", "r"), "why"),
    (Outcome("toy", "not enough evidence", "r", "1", advice=MISSING), "train"),
    (Outcome("toy", "reject", "r", "1", advice=Advice("toy", "1", command="evergreen look toy")), "look"),
    (Outcome("toy", "reject", "r", "1", advice=Advice("toy", "1", lines="x", command="evergreen train toy")), "train"),
    (Outcome("toy", "none", "r", quarantined=["b1"]), "quarantine show"),
]
WHEN = " --as-of 2013-02-01"


@pytest.mark.parametrize(("result", "expected"), OUTCOMES)
def test_what_follows_an_outcome_can_be_typed(home, result, expected):
    shown = Console(file=io.StringIO(), width=200)
    shown.print(outcome(result))
    named = commands(shown.file.getvalue())
    named += [after_outcome(result, WHEN).removeprefix("evergreen ")] if after_outcome(result, WHEN) else []
    assert expected in map(command_of, named)


@pytest.mark.parametrize(
    ("decision", "expected"),
    [
        (Decision("nothing", "no drift, no loss of performance"), "report toy"),
        (Decision("nothing", NO_CHAMPION), f"train toy{WHEN}"),
        (Decision("alert", "data quality: x"), "report toy"),
        (Decision("train", "drift: x 0.3 over 0.1"), f"train toy --reason drift{WHEN}"),
        (Decision("train", "performance: +5 %"), f"train toy --reason performance{WHEN}"),
        (Decision("train", "first training"), f"train toy{WHEN}"),
        (Decision("roll back", "the version before does better"), "report toy"),
    ],
)
def test_what_follows_a_monitor_can_be_typed(decision, expected):
    assert after_decision("toy", decision, WHEN) == f"evergreen {expected}"
    command_of(expected)
