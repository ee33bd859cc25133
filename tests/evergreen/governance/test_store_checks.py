"""What `doctor --stores` finds of real stores, and of stores that cannot be relied on."""

import json

import deltalake
import pytest

from evergreen.governance.store_checks import examine
from evergreen.lake.conditional_writes import race
from evergreen.settings import Settings
from tests.command_line import run
from tests.running_postgres import running
from tests.running_s3 import running as running_s3


def found(rounds=3):
    return {check.store: check for check in examine(Settings.read(), rounds=rounds)}


def problems(rounds=3):
    return {name: check.problems for name, check in found(rounds).items() if check.problems}


def test_an_embedded_installation_is_for_one_machine(home):
    checks = found()
    assert problems() == {}
    assert "one was let through, in each of 3 rounds" in checks["lake"].found[1]
    assert checks["locks"].found == [
        "files, for the processes of this machine; workers on several need EVERGREEN_LOCKS"
    ]
    assert list((home / "lake").iterdir()) == []


def test_a_store_that_lets_two_writers_through_is_refused(home, monkeypatch):
    monkeypatch.setattr(deltalake.DeltaTable, "create", lambda *_, **__: None)
    (problem,) = problems()["lake"]
    assert problem.startswith("In 3 of 3 rounds the store told more than one of 32 writers that it had created")


def test_a_store_that_lets_nobody_through_is_refused(home, monkeypatch):
    def create(*_, **__):
        raise deltalake.exceptions.CommitFailedError("not implemented")

    monkeypatch.setattr(deltalake.DeltaTable, "create", create)
    assert problems()["lake"][0].startswith("In 3 of 3 rounds none of 32 writers could create a file")


def test_a_writer_that_fails_ends_the_race_with_what_it_says(home, monkeypatch):
    def create(*_, **__):
        raise OSError("the bucket is gone")

    monkeypatch.setattr(deltalake.DeltaTable, "create", create)
    assert problems()["lake"] == [f"Cannot write {home}/lake: the bucket is gone"]


@pytest.mark.parametrize(
    ("variable", "value", "store", "problem"),
    [
        ("EVERGREEN_LAKE", "{home}/file/lake", "lake", "Cannot use {home}/file/lake: "),
        (
            "EVERGREEN_LAKE",
            "ftp9://there/lake",
            "lake",
            "Protocol not known: ftp9. Set EVERGREEN_LAKE",
        ),
        ("MLFLOW_TRACKING_URI", "http://127.0.0.1:1", "registry", "Cannot ask the server for its version: "),
        ("EVERGREEN_ARTIFACTS", "ftp9://there", "artifacts", "Protocol not known: ftp9. Set EVERGREEN_ARTIFACTS"),
        ("EVERGREEN_ARTIFACTS", "{home}/file/more", "artifacts", "Cannot use file://{home}/file/more: "),
        (
            "EVERGREEN_LOCKS",
            "postgresql://me:pass@127.0.0.1:1/x",
            "locks",
            "are kept at postgresql://me:***@127.0.0.1:1/x",
        ),
    ],
)
def test_a_store_that_cannot_be_used_is_named_and_hides_no_other(home, monkeypatch, variable, value, store, problem):
    home.mkdir(exist_ok=True)
    (home / "file").touch()
    monkeypatch.setenv(variable, value.format(home=home))
    checks = found()
    assert problem.format(home=home) in " ".join(checks[store].problems)
    assert [check.store for check in checks.values() if not check.problems]


def test_a_database_of_locks_tells_its_version_and_how_many_connections_are_left(home, monkeypatch):
    with running("locks", "max_connections=8") as url:
        monkeypatch.setenv("EVERGREEN_LOCKS", url)
        locks = found()["locks"]
    assert locks.found[0].startswith("PostgreSQL ")
    assert locks.found[0].endswith("of 5 connections in use")
    assert locks.found[1] == "a lock that one connection holds is refused to another"
    assert locks.problems[0].startswith("Only 4 connections are left.")


@pytest.mark.slow
@pytest.mark.parametrize("server", ["moto_server", "weed"])
def test_an_object_store_lets_one_of_many_writers_through(home, tmp_path, server):
    with running_s3(tmp_path, server) as bucket:
        held = race(f"{bucket}/lake", rounds=10)
    assert (held.rounds, held.broken) == (10, 0)


@pytest.mark.long
def test_the_command_fails_where_one_store_cannot_be_relied_on(home, server, monkeypatch):
    monkeypatch.setenv("EVERGREEN_LOCKS", "postgresql://127.0.0.1:1/x")
    done = run("doctor", "--stores", "--json")
    wrong = [check["store"] for check in json.loads(done.stdout) if check["problems"]]
    assert (done.returncode, wrong) == (1, ["locks"])
