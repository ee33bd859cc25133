"""Locks that hold on every machine: of a real Postgres, held by real processes."""

import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from evergreen.errors import BusyError, LockError
from evergreen.locks import is_locked, model_lock
from evergreen.settings import Settings
from evergreen.shared_locks import connected, holder, shared_lock
from tests.running_postgres import running
from tests.running_system import CHECKOUT, until

HOLD = "import sys; from evergreen.shared_locks import shared_lock\n"
HOLD += "with shared_lock(*sys.argv[1:], 'busy'): print('held', flush=True); sys.stdin.read()"


@pytest.fixture(scope="module")
def postgres():
    with running("locks", password="secret") as url:
        yield url


@contextmanager
def another_process(address, name):
    """Holds the lock as another machine does: it shares no file with this one."""
    command = [sys.executable, "-c", HOLD, address, name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_one_process_at_a_time_holds_it_and_the_other_is_told_who(postgres):
    with another_process(postgres, "toy.train") as process:
        with (
            pytest.raises(BusyError, match=rf"^busy It is process {process.pid} on "),
            shared_lock(postgres, "toy.train", "busy"),
        ):
            raise AssertionError
        with shared_lock(postgres, "toy.ingest", "another lock"):
            assert holder(postgres, "toy.ingest")
    until(lambda: holder(postgres, "toy.train") == "", "the end of the lock", 5)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_its_process(postgres, number):
    with another_process(postgres, "toy.train") as process:
        process.send_signal(number)
        until(lambda: holder(postgres, "toy.train") == "", "the end of the lock", 5)
        with shared_lock(postgres, "toy.train", "busy"):
            pass


def test_it_ends_with_its_connection(postgres):
    with another_process(postgres, "toy.train"):
        with connected(postgres) as admin:
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
        until(lambda: holder(postgres, "toy.train") == "", "the end of the lock", 5)


def test_of_many_that_ask_at_once_one_gets_it(postgres):
    held = []

    def ask(_):
        try:
            with shared_lock(postgres, "toy.train", "busy"):
                held.append(1)
                alone = sum(held) == 1
                time.sleep(0.2)
                held.append(-1)
                return alone
        except BusyError:
            return None

    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(ask, range(8)))
    assert set(got) <= {True, None}
    assert True in got


def test_the_lock_of_a_model_holds_in_another_home(postgres, home, monkeypatch):
    monkeypatch.setenv("EVERGREEN_LOCKS", postgres)
    with model_lock("toy", "train"):
        monkeypatch.setenv("EVERGREEN_HOME", str(home.parent / "other"))
        assert is_locked("toy", "train")
        assert not is_locked("toy", "ingest")
        with (
            pytest.raises(BusyError, match="another process already runs train for this model"),
            model_lock("toy", "train"),
        ):
            raise AssertionError
    assert not is_locked("toy", "train")


@pytest.mark.parametrize(
    ("given", "locks"),
    [
        ({}, ""),
        ({"MLFLOW_TRACKING_URI": "postgresql+psycopg://a@b/c"}, "postgresql+psycopg://a@b/c"),
        ({"MLFLOW_TRACKING_URI": "postgresql://a@b/c", "EVERGREEN_LOCKS": "files"}, ""),
        ({"MLFLOW_TRACKING_URI": "https://mlflow"}, ""),
        ({"MLFLOW_TRACKING_URI": "https://mlflow", "EVERGREEN_LOCKS": "postgresql://a@b/c"}, "postgresql://a@b/c"),
    ],
)
def test_the_locks_are_where_the_registry_is_unless_a_setting_says_otherwise(home, monkeypatch, given, locks):
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert Settings.read().locks == locks


@pytest.mark.parametrize("address", ["postgresql://me:secret@127.0.0.1:1/x", "postgresql+psycopg2://127.0.0.1:1/x"])
def test_a_server_that_does_not_answer_is_named_without_its_password(home, monkeypatch, address):
    monkeypatch.setenv("EVERGREEN_LOCKS", address)
    with (
        pytest.raises(LockError, match=r"127\.0\.0\.1:1/x.*check EVERGREEN_LOCKS") as raised,
        model_lock("toy", "train"),
    ):
        raise AssertionError
    assert "secret" not in str(raised.value)


def test_a_replica_is_refused():
    with (
        running("locks", standby=True) as url,
        pytest.raises(LockError, match="is a read-only replica"),
        shared_lock(url, "toy.train", "busy"),
    ):
        raise AssertionError


@pytest.mark.parametrize("address", ["host=there dbname=locks", "mysql://there/locks"])
def test_what_is_no_address_of_a_postgres_is_told(home, monkeypatch, address):
    monkeypatch.setenv("EVERGREEN_LOCKS", address)
    with pytest.raises(LockError, match="has to be postgresql://USER@HOST/DATABASE"), model_lock("toy", "train"):
        raise AssertionError


def test_what_the_work_itself_raises_passes_as_it_is(postgres):
    with pytest.raises(ZeroDivisionError), shared_lock(postgres, "toy.train", "busy"):
        raise ZeroDivisionError
    assert holder(postgres, "toy.train") == ""
