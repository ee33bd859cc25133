"""Every exit code that a command declares can be reached; `called` holds that no other comes.

With `--json` standard output is one document, whatever the code, or empty where an error leaves no result.
"""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
import typer

from cli.main import app
from evergreen.exit_codes import Exit
from evergreen.locks import file_lock
from evergreen.stores import Stores
from tests.command_line import called, declared
from tests.prepared_homes import ingested
from tests.toy import rows

JANUARY = datetime(2013, 1, 29, tzinfo=UTC)
WHY = ("--reason", "tests")
FILES = ("--input", "{folder}/rows.csv", "--output", "{folder}/scored.csv")
ERASE = ("erase", "--model", "toy", "--key", "20130115-3", *WHY)

FAILED = [
    ("init", "{folder}/rows.csv"),
    ("upgrade",),  # which the clone cannot
    ("new", "toy", "--from", "{folder}/rows.csv"),
    ("look", "{folder}/none.csv"),
    ("ingest", "nobody"),
    ("train", "nobody"),
    ("refresh", "nobody"),
    ("monitor", "nobody"),
    ("score", "nobody", *FILES),
    ("quarantine", "list", "nobody"),
    ("quarantine", "show", "toy", "none"),
    ("quarantine", "release", "toy", "none"),
    ("quarantine", "retry", "toy", "none"),
    ("quarantine", "drop", "toy", "none"),
    ("models", "nobody"),
    ("verdict", "toy"),
    ("why", "nobody"),
    ("report", "nobody"),
    ("challenge", "nobody"),
    ("gate", "toy"),
    ("approve", "toy@99", *WHY),
    ("refuse", "toy@99", *WHY),
    ("carry", "toy", "--from", "nowhere"),
    ("rollback", "toy", "--to", "99", *WHY),
    ("retire", "toy", *WHY),  # it has a model file
    ("acknowledge", "toy", *WHY),
    ("pause", "toy", *WHY),
    ("resume", "toy", *WHY),
    ("replay", "nobody"),
    ("lineage", "toy@99"),
    ("reproduce", "toy@99"),
    ("audit", "nobody"),
    ("model-card", "toy@99"),
    ("doctor", "nobody"),
    ERASE,  # nobody can confirm it
    ("sbom", "--release", "nowhere"),
    ("key", "nobody"),
    ("serve", "--host", "0.0.0.0"),
    ("ui", "--host", "0.0.0.0"),
]
WITHOUT_HOME = [("status",), ("demo",)]
BUSY = {
    "toy.ingest": [
        ("ingest", "toy"),
        ("refresh", "toy"),
        ("quarantine", "release", "toy", "none"),
        ("quarantine", "retry", "toy", "none"),
        ("quarantine", "drop", "toy", "none"),
        (*ERASE, "--yes"),
    ],
    "toy.train": [
        ("train", "toy"),
        ("challenge", "toy", "--judge"),
        ("approve", "toy", *WHY),
        ("refuse", "toy", *WHY),
        ("carry", "toy", "--from", "staging"),
        ("rollback", "toy", *WHY),
        ("retire", "toy", *WHY),
    ],
    "toy.monitor": [("monitor", "toy")],
    "toy.acknowledge": [("acknowledge", "toy", *WHY)],
    "toy.replay": [("replay", "toy")],
    "demo": [("demo",)],
    "up": [("up",)],
    "serve": [("serve",)],
    "deploy": [("deploy", "--release", "HEAD")],
}
ELSEWHERE = {  # commands and codes that other files reach
    "tests/docs/test_first_hour.py": {"demo": [Exit.DONE]},
    "tests/flows/runtime/test_deployments.py": {"deploy": [Exit.DONE]},
    "tests/flows/runtime/test_schedules.py": {"pause": [Exit.DONE], "resume": [Exit.DONE]},
    "tests/ui/test_server.py": {"ui": [Exit.STOPPED]},
    "tests/cli/test_attention.py": {"acknowledge": [Exit.DONE]},
    "tests/cli/test_main.py": {"deploy": [Exit.FAILED]},
    "tests/system/test_releases.py": {"deploy": [Exit.WAITING]},
    "tests/system/test_up.py": {"up": [Exit.FAILED, Exit.STOPPED]},
    "tests/system/test_service.py": {"serve": [Exit.STOPPED], "retire": [Exit.DONE]},
    "tests/cli/test_watching.py": {"status": [Exit.STOPPED]},
    "tests/ui/test_export.py": {"ui": [Exit.DONE]},
    "tests/flows/test_judge.py": {"challenge": [Exit.REJECTED, Exit.UNDECIDED, Exit.WAITING]},
    "tests/flows/test_replay.py": {"replay": [Exit.DONE]},
    "tests/system/test_reproduction.py": {"reproduce": [Exit.DIFFERS]},
    "tests/system/test_ci.py": {"ci": [Exit.DONE, Exit.FAILED, Exit.REJECTED, Exit.UNDECIDED]},
    "tests/cli/test_carry.py": {"carry": [Exit.DONE, Exit.REJECTED, Exit.UNDECIDED, Exit.WAITING]},
    "tests/evergreen/governance/test_bill_of_materials.py": {"sbom": [Exit.DONE]},
    "tests/system/test_experiments.py": {"try": [Exit.DONE, Exit.FAILED]},
    "tests/system/test_migrate.py": {"migrate": [Exit.DONE, Exit.FAILED, Exit.BUSY, Exit.DIFFERS]},
    "tests/system/test_team_repository.py": {
        "init": [Exit.DONE, Exit.FAILED],
        "upgrade": [Exit.DONE, Exit.FAILED, Exit.DIFFERS],
    },
}
LATER = "\nTURN = pd.Timestamp('2014-01-01', tz='UTC')\n"
POLICY = LATER + "model = model.model_copy(update={{'policy': Policy({})}})\n"
APPROVED = POLICY.format("every='7d', approval='9999d'")
SHORT = LATER + "model = model.model_copy(update={'training': Training(window='21d', holdout='4d')})\n"
STRICT = POLICY.format("every='90d'") + (
    "contract = [expect('column_values_to_be_between', 'y', min_value=1000, max_value=2000)]\n"
    "model = model.model_copy(update={'contract': contract})\n"
)
WORSE = LATER + (
    "from sklearn.dummy import DummyRegressor\n"
    "model = model.model_copy(update={'estimator': DummyRegressor})\n"
)  # fmt: skip
WHEN = [("--as-of", f"{JANUARY + week * timedelta(days=7):%Y-%m-%d}") for week in range(9)]
STORY = [
    (LATER, ("init", "{folder}/team"), Exit.DONE),
    (LATER, ("new", "drafted", "--from", "{folder}/rows.csv", "--target", "y"), Exit.DONE),
    (LATER, ("look", "{folder}/rows.csv", "--no-open"), Exit.DONE),
    (LATER, ("ingest", "toy", *WHEN[0]), Exit.DONE),
    (SHORT, ("train", "toy", *WHEN[0]), Exit.UNDECIDED),
    (SHORT, ("gate", "toy"), Exit.UNDECIDED),
    (APPROVED, ("train", "toy", *WHEN[0]), Exit.WAITING),
    (APPROVED, ("approve", "toy", *WHY), Exit.DONE),
    (WORSE, ("train", "toy", *WHEN[0]), Exit.REJECTED),
    (WORSE, ("gate", "toy"), Exit.REJECTED),
    (WORSE, ("refresh", "toy", "--reason", "demand", *WHEN[1]), Exit.REJECTED),
    (APPROVED, ("refresh", "toy", "--reason", "demand", *WHEN[2]), Exit.WAITING),
    (APPROVED, ("refuse", "toy", *WHY), Exit.DONE),
    (SHORT, ("refresh", "toy", "--reason", "demand", *WHEN[3]), Exit.UNDECIDED),
    (LATER, ("train", "toy", *WHEN[3]), Exit.DONE),
    (LATER, ("refresh", "toy", *WHEN[3]), Exit.DONE),
    (STRICT, ("refresh", "toy", *WHEN[4]), Exit.QUARANTINED),
    (STRICT, ("ingest", "toy", *WHEN[7]), Exit.QUARANTINED),
    (STRICT, ("quarantine", "list"), Exit.DONE),
    (STRICT, ("quarantine", "show", "toy", "{batch}"), Exit.DONE),
    (STRICT, ("quarantine", "retry", "toy", "{batch}"), Exit.FAILED),
    (STRICT, ("quarantine", "release", "toy", "{batch}"), Exit.DONE),
    (STRICT, ("quarantine", "drop", "toy", "{batch}"), Exit.DONE),
    (LATER, ("quarantine", "retry", "toy", "{batch}"), Exit.DONE),
    (LATER, ("monitor", "toy", *WHEN[8]), Exit.DONE),
    (LATER, ("rollback", "toy", *WHY), Exit.DONE),
    (LATER, ("score", "toy", *FILES), Exit.DONE),
    (LATER, ("status",), Exit.DONE),
    (LATER, ("models",), Exit.DONE),
    (LATER, ("models", "toy"), Exit.DONE),
    (LATER, ("verdict", "toy"), Exit.DONE),
    (LATER, ("why", "toy"), Exit.DONE),
    (LATER, ("report", "toy", "--no-open"), Exit.DONE),
    (LATER, ("challenge", "toy"), Exit.DONE),
    (LATER, ("gate", "toy", "--version", "champion"), Exit.DONE),
    (LATER, ("lineage", "toy"), Exit.DONE),
    (LATER, ("reproduce", "toy"), Exit.DONE),
    (LATER, ("audit",), Exit.DONE),
    (LATER, ("audit", "toy", "--head", f"99 {'0' * 64}"), Exit.DIFFERS),
    (LATER, ("model-card", "toy", "--no-open"), Exit.DONE),
    (LATER, ("doctor", "toy"), Exit.DONE),
    (LATER, (*ERASE, "--yes"), Exit.DONE),
    (LATER, ("key", "toy"), Exit.DONE),
]


def test_every_declared_code_is_reached_here_or_by_a_test_that_is_named():
    reached = {(_name(words), Exit.FAILED) for words in FAILED + WITHOUT_HOME}
    reached |= {(_name(words), Exit.BUSY) for commands in BUSY.values() for words in commands}
    reached |= {(_name(words), code) for _, words, code in STORY}
    named = [(name, codes) for commands in ELSEWHERE.values() for name, codes in commands.items()]
    reached |= {(name, code) for name, codes in named for code in codes}
    assert all(Path(path).is_file() for path in ELSEWHERE)
    names = list(_names(typer.main.get_command(app)))
    assert {(name, code) for name in names for code in declared(name.split())} == reached


def _names(group, before=""):
    """Every command that is shown in the help, by the words that call it."""
    for name, command in group.commands.items():
        if isinstance(command, typer.core.TyperGroup):
            yield from _names(command, f"{name} ")
        elif not command.hidden:
            yield before + name


def _name(words):
    return " ".join(words[: 2 if words[0] == "quarantine" else 1])


def _write_rows(folder):
    since, until = pd.Timestamp("2013-01-01", tz="UTC"), pd.Timestamp("2013-01-15", tz="UTC")
    rows(since, until).to_csv(folder / "rows.csv", index=False)


@pytest.fixture
def folder(home, server, begun):
    """A home with rows of the toy, and a table beside it."""
    begun(ingested, JANUARY)
    _write_rows(home.parent)
    return home.parent


@pytest.mark.long
def test_a_failure_writes_nothing_to_standard_output(folder):
    for words in FAILED:
        done = called(*(word.format(folder=folder) for word in words), *_json(words))
        assert (done.returncode, done.stdout) == (Exit.FAILED, ""), (words, done)
        assert done.stderr.strip()
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", WITHOUT_HOME, ids=" ".join)
def test_a_home_that_is_no_folder_is_told(home, monkeypatch, words):
    monkeypatch.setenv("EVERGREEN_HOME", str(home.parent / "models" / "toy.py"))
    done = called(*words, "--json")
    assert (done.returncode, done.stdout, "toy.py" in done.stderr) == (Exit.FAILED, "", True), done


@pytest.mark.long
def test_a_command_that_finds_another_process_at_work_ends_at_once(folder):
    for lock, commands in BUSY.items():
        with file_lock(folder / "home" / "locks" / f"{lock}.lock", "the test's own"):
            for words in commands:
                done = called(*words, *_json(words))
                assert (done.returncode, done.stdout) == (Exit.BUSY, ""), (words, done)
                assert done.stderr.startswith("Error: ")


def _json(words):
    return [] if words[0] in ("serve", "ui", "up") else ["--json"]


@pytest.mark.slow
def test_results_have_the_code_of_what_they_say_and_are_one_json_document(home, server, write_model):
    _write_rows(home.parent)
    wrong = []
    for text, words, code in STORY:
        write_model(text)
        held = Stores.open().quarantine.entries("toy")
        batch = next((entry.batch for entry in held if entry.state == "held"), "")
        done = called(*(word.format(folder=home.parent, batch=batch) for word in words), "--json")
        if (done.returncode, _is_json(done.stdout)) != (code, code is not Exit.FAILED):
            wrong.append(f"{words}: {done.returncode}, not {int(code)}\n{done.stdout}\n{done.stderr}")
    assert not wrong, "\n".join(wrong)


def _is_json(text):
    with suppress(ValueError):
        json.loads(text)
        return True
    return False


@pytest.mark.parametrize(
    ("typed", "says"), [("\n", "Nothing was erased.\n"), ("no\n", "Nothing was erased.\n"), ("", "Add --yes")]
)
def test_nothing_is_erased_unless_a_person_says_yes(folder, typed, says):
    done = called(*ERASE, "--json", typed=typed)
    assert (done.returncode, done.stdout) == (Exit.FAILED, "")
    assert done.stderr.startswith("Erase every row of toy with 20130115-3, for ever? [y/N]: ")
    assert says in done.stderr
