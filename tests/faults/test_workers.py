"""Workers with homes of their own on one lake and one registry, killed, stopped and robbed of their locks at random.

Each row lands once, each recipe is promoted once, and the champion is the one that the log names last.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from queue import Empty, Queue
from threading import Thread

import pytest

from evergreen.definition import loader
from evergreen.governance import audit
from evergreen.governance.integrity import examine
from evergreen.lake import audit_log
from evergreen.shared_locks import connected
from evergreen.stores import Stores
from flows.refresh import refresh
from tests.running_postgres import running
from tests.running_system import CHECKOUT

ROUNDS, MODELS, WORKERS = (
    int(os.environ.get(f"WORKERS_{name}", usual)) for name, usual in (("ROUNDS", "4"), ("MODELS", "1"), ("COUNT", "3"))
)
SEED = int(os.environ.get("WORKERS_SEED", "1"))
BEGIN, WEEK = datetime(2013, 2, 1, tzinfo=UTC), timedelta(days=7)
PATIENCE = 300.0
pytestmark = pytest.mark.slow


class Worker:
    """A worker with a home of its own, as on another machine."""

    def __init__(self, home):
        self.home = home
        self.start()

    def start(self):
        environ = os.environ | {"EVERGREEN_HOME": str(self.home)}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.worker"], cwd=CHECKOUT, env=environ, **pipes
        )
        self._said = Queue()
        Thread(
            target=lambda out: [self._said.put(line.strip()) for line in out], args=[self.process.stdout], daemon=True
        ).start()
        assert self.answer() == "ready"

    def ask(self, model, moment):
        self.process.stdin.write(f"{model} {moment.isoformat()}\n")
        self.process.stdin.flush()

    def answer(self):
        """What it says next; "killed" if it was."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                return self._said.get(timeout=0.2)
            except Empty:
                if self.process.poll() is not None and self._said.empty():
                    return "killed"
        raise AssertionError(f"{self.home} says nothing")

    def signal(self, number):
        self.process.send_signal(number)


@contextmanager
def workers(folder):
    started = [Worker(folder / f"home-{number}") for number in range(WORKERS)]
    try:
        yield started
    finally:
        for worker in started:
            worker.process.kill()


@pytest.fixture(params=["postgres", "files"])
def locks(request, home, monkeypatch):
    """One registry of all homes; with locks that hold for all of them, or with those of each home only."""
    monkeypatch.setenv("EVERGREEN_LAKE", str(home / "lake"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home}/mlflow.db")
    monkeypatch.setenv("EVERGREEN_ARTIFACTS", str(home / "artifacts"))
    if request.param == "files":
        yield ""
        return
    with running("locks") as url:
        monkeypatch.setenv("EVERGREEN_LOCKS", url)
        yield url


def disturb(chance, worker, locks):
    """Kill a worker, stop it for a while, or take its lock away while it works."""
    kind = chance.choice(["kill", "stop", "cut", "none"])
    time.sleep(chance.random() * 3)
    if kind == "kill":
        worker.signal(signal.SIGKILL)
    if kind == "stop":
        worker.signal(signal.SIGSTOP)
        time.sleep(chance.random() * 6)
        worker.signal(signal.SIGCONT)
    if locks and kind in ("stop", "cut"):
        with connected(locks) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
            )
    return kind


def test_whatever_befalls_workers_nothing_is_doubled_lost_or_unproved(server, home, write_model, locks, tmp_path):
    chance, names = random.Random(SEED), [f"toy{number}" for number in range(MODELS)]
    for name in names:
        write_model(name=name)
    said = Counter()
    with workers(tmp_path) as started:
        for turn in range(ROUNDS):
            for name in names:
                moment = BEGIN + turn * WEEK
                for worker in started:
                    worker.ask(name, moment)
                said[disturb(chance, chance.choice(started), locks)] += 1
                for worker in started:
                    said[worker.answer()] += 1
                    if worker.process.poll() is not None:
                        worker.start()
    print(dict(said))
    last = BEGIN + (ROUNDS - 1) * WEEK
    for name in names:
        refresh(name, as_of=last)
        check(name, last)


def check(name, last):
    stores, model = Stores.open(), loader.load(name)
    assert [problem for looked in examine(stores, model) for problem in looked.problems] == []
    verified = audit.verify(stores.lake, stores.registry, name)
    assert (verified.problems, verified.unsealed) == ([], 0)
    rows = stores.lake.query(model, "SELECT id FROM rows")["id"]
    assert rows.is_unique
    assert len(rows) == 50 * (last - datetime(2013, 1, 1, tzinfo=UTC)).days
    versions = {version.number: version for version in stores.registry.versions(name)}
    moves = [line for line in audit_log.read(stores.lake, name) if line.moves_champion]
    promoted = [versions[line.subject].fingerprint for line in moves if line.act == "promotion"]
    assert promoted
    assert len(set(promoted)) == len(promoted), "the same recipe on the same rows was promoted twice"
    assert stores.registry.champion(name).number == moves[-1].subject
