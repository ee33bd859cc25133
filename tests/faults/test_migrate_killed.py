"""A migration that is killed at any write is run again, and ends as one that nothing killed."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from evergreen.governance import audit
from evergreen.lake import audit_log, state_format
from evergreen.lake.state_format import StateFormat
from evergreen.project import CODE
from evergreen.stores import Stores
from tests.faults.kill_at_write import ANY
from tests.faults.test_crash import Runner, put_back
from tests.system.old_state import unpack

MODELS = ("claims", "parcels")
pytestmark = pytest.mark.long


@dataclass(frozen=True)
class Old:
    """A state of an earlier release, kept aside, and what a migration makes of it."""

    runner: Runner
    home: Path
    kept: Path
    writes: list[str]
    expected: dict[str, Any]

    def migrate(self, **asked: Any) -> int:
        return self.runner.run("", flow="migrate", **asked)


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Old]:
    folder = tmp_path_factory.mktemp("migrate")
    state = folder / "state"
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        for name, value in unpack(state).items():
            patch.setenv(name, value)
        runner = Runner(state / "home", state / "models")
        shutil.copytree(state / "home", folder / "kept")
        trace = folder / "trace"
        assert runner.run("", flow="migrate", at=ANY, trace=str(trace)) == 0
        yield Old(runner, state / "home", folder / "kept", trace.read_text().splitlines(), digests())
        runner.close()


def digests() -> dict[str, dict[str, str]]:
    registry = Stores.open().registry
    return {model: {each.number: each.stored_hash for each in registry.versions(model)} for model in MODELS}


def lines(model: str) -> list[dict[str, str]]:
    """What the audit log says that migrations recorded."""
    acts = audit_log.read(Stores.open().lake, model)
    return [json.loads(line.detail)["stored_hash"] for line in acts if line.act == "migration"]


def record(old: Old) -> StateFormat | None:
    return state_format.recorded(str(old.home / "lake"))


def proved() -> bool:
    """Nothing is recorded that no line of an intact log tells of."""
    stores = Stores.open()
    intact = all(audit.verify(stores.lake, stores.registry, model).problems == [] for model in MODELS)
    told = {model: {number for line in lines(model) for number in line} for model in MODELS}
    return intact and all(
        {number for number, digest in found.items() if digest} <= told[model] for model, found in digests().items()
    )


def ends_well(old: Old) -> None:
    assert old.migrate() == 0
    assert record(old) == StateFormat(2, 1)
    assert digests() == old.expected
    assert proved()
    for model in MODELS:
        assert lines(model) == [old.expected[model]]
    before = {model: len(audit_log.read(Stores.open().lake, model)) for model in MODELS}
    assert old.migrate() == 0
    assert {model: len(audit_log.read(Stores.open().lake, model)) for model in MODELS} == before


def test_without_a_kill(old):
    assert all(len(digest) == 64 for found in old.expected.values() for digest in found.values())
    assert [len(found) for found in old.expected.values()] == [5, 9]
    assert [line for line in old.writes if "_format.json" in line][-1] == old.writes[-1]
    ends_well(old)


# One write of each kind; the test after the next takes all of them.
@pytest.mark.parametrize(
    ("at", "nth", "when"),
    [
        ("DeltaLake._append_next", 1, "before"),
        ("DeltaLake._append_next", 2, "after"),
        ("evergreen.lake.audit_log._seal", 1, "before"),
        ("MlflowRegistry.tag", 3, "after"),
        ("MlflowRegistry.tag", 9, "before"),
        ("evergreen.lake.state_format.write", 1, "before"),
        ("evergreen.lake.state_format.write", 1, "after"),
    ],
)
def test_killed_at(old, at, nth, when):
    put_back(old.home, old.kept)
    assert old.migrate(at=at, nth=nth, when=when) == -9
    assert proved()
    assert record(old) == (StateFormat(2, 1) if (at, when) == ("evergreen.lake.state_format.write", "after") else None)
    ends_well(old)


@pytest.mark.slow
def test_killed_at_every_write_of_whatever_writes(old, subtests):
    for nth, write in enumerate(old.writes, 1):
        with subtests.test(nth=nth, write=write):
            put_back(old.home, old.kept)
            assert old.migrate(at=ANY, nth=nth) == -9
            assert proved()
            ends_well(old)


@pytest.mark.parametrize("homes", [1, 2])
def test_two_at_once_end_as_one(old, tmp_path, homes):
    """Of one home the second waits, or finds nothing to do; of two, both may do it: nothing is told twice."""
    put_back(old.home, old.kept)
    stores = {"EVERGREEN_LAKE": str(old.home / "lake"), "MLFLOW_TRACKING_URI": f"sqlite:///{old.home}/mlflow.db"}
    second = stores | {"EVERGREEN_HOME": str(tmp_path / "home")} if homes == 2 else {}
    both = [
        subprocess.Popen(
            [sys.executable, "-m", "cli.main", "migrate"],
            cwd=CODE,
            env=os.environ | given,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for given in ({}, second)
    ]
    codes = {process.wait(240) for process in both if process.stderr}
    assert codes in (({0}, {0, 6}) if homes == 1 else ({0},)), [each.stderr.read() for each in both if each.stderr]
    assert [len(lines(model)) for model in MODELS] == [1, 1]
    ends_well(old)
