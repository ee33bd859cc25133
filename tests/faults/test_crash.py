"""SIGKILL for real, at every write; then the same run again ends as if nothing had happened."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import pytest

from evergreen.definition import loader
from evergreen.locks import model_lock
from evergreen.stores import Stores
from flows.runtime.parts import answers
from tests.faults.cuttable_proxy import between
from tests.faults.kill_at_write import ANY
from tests.running_system import free_port, until

PREFECT = urlsplit(os.environ["PREFECT_API_URL"]).port or 0
SEEDS = int(os.environ.get("CHAOS_SEEDS", "4"))  # `make chaos` takes hundreds

# The first model; the world turned; it turned back; what is learnt from both sides of that is worse; a person's wish.
STAGES = {
    "first": ("2013-02-01T00:00:00+00:00", ""),
    "second": ("2013-03-08T00:00:00+00:00", ""),
    "comeback": ("2013-03-19T00:00:00+00:00", ""),
    "rejected": ("2013-03-28T00:00:00+00:00", ""),
    "rollback": ("2013-03-28T00:00:00+00:00", "rollback"),
}

# One week's values are out of bounds, so that the second run has a batch to put aside.
WORLD = """

def faulty(since, until):
    found = rows(since, until)
    found["y"] += 6 * found["x"].where(found["at"] >= "2013-03-08", 0)
    bad = (found["at"] >= "2013-02-05") & (found["at"] < "2013-02-06")
    return found.assign(y=found["y"].where(~bad, 1e6))


model = model.model_copy(update={"source": model.source.model_copy(update={"function": faulty})})
"""
pytestmark = pytest.mark.long


def put_back(home: Path, kept: Path) -> None:
    """Let a home be as one that was kept aside."""
    shutil.rmtree(home)
    shutil.copytree(kept, home)


@dataclass(frozen=True)
class Stage:
    """A home before a refresh, kept aside so that it can be put back, and how that refresh should end."""

    home: Path
    kept: Path
    as_of: str
    flow: str
    expected: dict[str, Any]

    def put_back(self) -> None:
        put_back(self.home, self.kept)


class Runner:
    """The process that forks a process for every run."""

    def __init__(self, home: Path, models: Path, prefect: int = PREFECT) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.kill_at_write"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
            | {"PREFECT_API_URL": f"http://127.0.0.1:{prefect}/api"},
            cwd=Path(__file__).parents[2],
        )
        self._where = {"home": str(home), "models": str(models)}

    def run(self, as_of: str, **asked: Any) -> int:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(self._where | asked | {"as_of": as_of}) + "\n")
        self._process.stdin.flush()
        while not (line := self._process.stdout.readline()).startswith("ended"):
            assert line, "the forking process died"
        return int(line.split()[1])

    def look(self, **asked: Any) -> dict[str, Any]:
        """The state of the stores, as a process of its own sees it."""
        report = Path(self._where["home"]).with_name("found.json")
        assert self.run("", look=str(report), **asked) == 0
        return dict(json.loads(report.read_text()))

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(timeout=30)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, server: str, empty_registry: Path) -> Iterator[dict[str, Any]]:
    """Both stages, run once without a kill."""
    base = tmp_path_factory.mktemp("crash")
    home, models = base / "home", base / "models"
    home.mkdir()
    models.mkdir()
    shutil.copy(empty_registry, home / "mlflow.db")
    (models / "toy.py").write_text(Path(__file__).parents[1].joinpath("toy.py").read_text() + WORLD)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVERGREEN_HOME", str(home))
        patch.setenv("EVERGREEN_MODELS", str(models))
        runner = Runner(home, models)
        stages, traces = {}, {}
        for name, (as_of, flow) in STAGES.items():
            copy, trace = base / f"before-{name}", base / f"{name}.trace"
            shutil.copytree(home, copy)
            assert runner.run(as_of, flow=flow, trace=str(trace)) == 0
            stages[name] = Stage(home, copy, as_of, flow, runner.look())
            traces[name] = trace.read_text().split("\n")[:-1]
        yield {"runner": runner, "stages": stages, "traces": traces, "models": models}
        runner.close()


def source_rows(until: str) -> list[str]:
    """The keys that the table must hold: all but those of the bad week."""
    definition = loader.load("toy")
    frame = definition.source.read(
        definition, pd.Timestamp("2013-01-01", tz="UTC"), pd.Timestamp(until), Stores.open().lake
    )
    week = (frame["at"] >= "2013-02-01") & (frame["at"] < "2013-02-08")
    return sorted(frame["id"][~week])


def check(world: dict[str, Any], name: str, at: str, nth: int, when: str) -> None:
    stage, runner = world["stages"][name], world["runner"]
    stage.put_back()
    assert runner.run(stage.as_of, flow=stage.flow, at=at, nth=nth, when=when) == -9, f"{at} {nth} was never reached"
    assert runner.look()["proved"]
    ends_well(world, name)


def ends_well(world: dict[str, Any], name: str, **asked: Any) -> None:
    """Run once more: all is as if nothing had happened, the doctor finds nothing, and no lock is held."""
    stage, runner = world["stages"][name], world["runner"]
    assert runner.run(stage.as_of, flow=stage.flow, **asked) == 0
    assert runner.look() == stage.expected
    with model_lock("toy", "ingest"), model_lock("toy", "train"):
        pass


def test_without_a_kill(world: dict[str, Any]) -> None:
    states = {name: stage.expected for name, stage in world["stages"].items()}
    assert {(state["running"], state["proved"], *state["checked"]) for state in states.values()} == {(0, True)}
    for name, (as_of, _) in STAGES.items():
        assert states[name]["rows"]["id"] == source_rows(as_of)
    assert [state for _, state, _ in states["second"]["held"]] == ["held"]
    first, second, comeback, rejected, rollback = (state["aliases"] for state in states.values())
    assert second["previous"] == first["champion"]
    assert second["champion"]["train_until"] > first["champion"]["train_until"]
    assert comeback["champion"]["data_hash"] == first["champion"]["data_hash"]
    assert comeback["champion"]["promoted_at"] == STAGES["comeback"][0]
    assert (comeback["previous"], comeback["challenger"]["decision"]) == (second["champion"], "reject")
    assert (rejected["champion"], rejected["previous"]) == (comeback["champion"], comeback["previous"])
    assert (rejected["challenger"]["decision"], rejected["challenger"] != comeback["challenger"]) == ("reject", True)
    assert rollback["champion"]["data_hash"] == second["champion"]["data_hash"]
    assert rollback["previous"]["rolled_back_at"] == STAGES["rollback"][0]


# One write of each kind; `test_killed_at_every_write` takes all of them.
@pytest.mark.parametrize(
    ("stage", "at", "nth", "when"),
    [
        ("first", "evergreen.lake.landing.append", 2, "after"),
        ("second", "Quarantine._write", 2, "before"),
        ("second", "MlflowRegistry._store", 1, "after"),
        ("second", "MlflowRegistry.alias", 3, "before"),
        ("comeback", "MlflowRegistry.alias", 3, "after"),
        ("rejected", "MlflowClient.set_model_version_tag", 5, "before"),
        ("rollback", "DeltaLake._append_next", 1, "after"),
        ("second", "evergreen.lake.audit_log._seal", 2, "before"),
        ("rollback", "MlflowRegistry.alias", 1, "after"),
    ],
)
def test_killed_at(world: dict[str, Any], stage: str, at: str, nth: int, when: str) -> None:
    check(world, stage, at, nth, when)


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("stage", STAGES)
def test_killed_at_every_write(world: dict[str, Any], stage: str, when: str, subtests: pytest.Subtests) -> None:
    for line in world["traces"][stage]:
        at, nth = line.split()
        with subtests.test(at=at, nth=nth):
            check(world, stage, at, int(nth), when)


@pytest.fixture(scope="module")
def writes(world: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Every write of each stage, as it was seen in a run that nothing killed."""
    folder, traced = tmp_path_factory.mktemp("writes"), {}
    for name, stage in world["stages"].items():
        stage.put_back()
        trace = folder / name
        assert world["runner"].run(stage.as_of, flow=stage.flow, at=ANY, trace=str(trace)) == 0
        traced[name] = trace.read_text().splitlines()
    return traced


@pytest.mark.slow
def test_what_writes_is_found_by_hooking_and_not_by_a_list(writes: dict[str, list[str]]) -> None:
    kinds = {line.split()[0] for lines in writes.values() for line in lines}
    assert {"open", "os.rename", "os.mkdir", "SQL", "before", "after"} <= kinds
    for part in ("artifacts", "quarantine", "locks", "write_deltalake"):
        assert any(part in line for lines in writes.values() for line in lines), part
    assert all(len(lines) > 20 for lines in writes.values())


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
def test_any_fault_is_put_right_by_running_again(
    world: dict[str, Any], writes: dict[str, list[str]], seed: int
) -> None:
    chance = np.random.default_rng(seed)
    name = str(chance.choice(list(STAGES)))
    stage, runner = world["stages"][name], world["runner"]
    stage.put_back()
    for _ in range(1 + (chance.random() < 0.3)):
        nth = int(chance.integers(1, len(writes[name]) + 1))
        code = runner.run(stage.as_of, flow=stage.flow, at=ANY, nth=nth)
        assert code in (-9, 0), f"{name}: write {nth} ({writes[name][nth - 1]}) ended with {code}"
        assert runner.look()["proved"], f"{name}: killed at write {nth} ({writes[name][nth - 1]})"
    ends_well(world, name)


@pytest.mark.parametrize(
    ("name", "largest"),
    [
        ("second", 30_000),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in [("first", 2_000), ("second", 700_000)]),
    ],
)
def test_a_full_disk_is_put_right_once_there_is_room(world: dict[str, Any], name: str, largest: int) -> None:
    """No file grows beyond a size, written by Python, Rust or SQLite."""
    stage, runner = world["stages"][name], world["runner"]
    stage.put_back()
    assert runner.run(stage.as_of, flow=stage.flow, largest=largest) == 1
    assert runner.look()["proved"]
    ends_well(world, name)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nothing below a folder, nor the folder itself, may be written by users who are bound by permissions."""
    paths = [folder, *folder.rglob("*")]
    modes = {path: path.stat().st_mode for path in paths}
    try:
        for path in paths:
            path.chmod(modes[path] & ~0o222)
        yield
    finally:
        for path in paths:
            path.chmod(modes[path])


@pytest.mark.parametrize(
    "part", ["mlflow.db", *(pytest.param(part, marks=pytest.mark.slow) for part in ("lake", "artifacts", "locks", "."))]
)
def test_stores_that_are_read_only_are_put_right_once_they_can_be_written(world: dict[str, Any], part: str) -> None:
    stage, runner = world["stages"]["second"], world["runner"]
    stage.put_back()
    before = runner.look()
    with read_only(stage.home / part):
        assert runner.run(stage.as_of, flow=stage.flow, bound=True) == 1
    assert runner.look()["aliases"] == before["aliases"]
    ends_well(world, "second")


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [3.0, 600.0])
@pytest.mark.parametrize(("name", "share"), [("second", 0.2), ("second", 0.7), ("rollback", 0.5)])
def test_prefect_away_is_put_right_once_it_is_back(
    world: dict[str, Any], name: str, share: float, seconds: float
) -> None:
    stage = world["stages"][name]
    with between(PREFECT) as line, closing(Runner(stage.home, world["models"], line.port)) as runner:
        stage.put_back()
        assert runner.run(stage.as_of, flow=stage.flow) == 0
        at = max(1, int(share * line.heard))
        stage.put_back()
        line.cut(at, seconds)
        assert runner.run(stage.as_of, flow=stage.flow) in (0, 1)
        assert line.heard >= at, "it was never cut"
        line.mend()
        assert world["runner"].look()["proved"]
    ends_well(world, name)


@pytest.fixture
def mlflow_server(world: dict[str, Any]) -> Iterator[Callable[[Stage], int]]:
    """What starts MLflow's server on a stage's store; its port."""
    running: list[subprocess.Popen[bytes]] = []

    def start(stage: Stage) -> int:
        stage.put_back()
        port, store = free_port(), f"sqlite:///{stage.home / 'mlflow.db'}"
        artifacts = (stage.home / "artifacts").as_uri()
        words = ["--workers", "1", "--backend-store-uri", store, "--default-artifact-root", artifacts]
        command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), *words]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
        running.append(subprocess.Popen(command, **quiet))
        until(lambda: answers(f"http://127.0.0.1:{port}/health"), "MLflow's server")
        return port

    yield start
    for process in running:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [3.0, 600.0])
@pytest.mark.parametrize("share", [0.3, 0.8])
def test_mlflow_away_is_put_right_once_it_is_back(
    world: dict[str, Any], mlflow_server: Callable[[Stage], int], share: float, seconds: float
) -> None:
    stage, runner = world["stages"]["second"], world["runner"]
    with between(mlflow_server(stage)) as line:
        environment = {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{line.port}", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2"}
        line.cut(int(share * 100), seconds)
        assert runner.run(stage.as_of, flow=stage.flow, environment=environment) in (0, 1)
        assert line.heard > int(share * 100), "it was never cut"
        line.mend()
        assert runner.look()["proved"]
        ends_well(world, "second", environment=environment)


@pytest.mark.parametrize("name", ["second", pytest.param("rollback", marks=pytest.mark.slow)])
def test_two_at_once_do_what_one_does(world: dict[str, Any], name: str) -> None:
    stage, runner = world["stages"][name], world["runner"]
    stage.put_back()
    other = Runner(stage.home, Path(os.environ["EVERGREEN_MODELS"]))
    with ThreadPoolExecutor(2) as pool:
        codes = list(pool.map(lambda runner: runner.run(stage.as_of, flow=stage.flow), [runner, other]))
    other.close()
    assert set(codes) <= {0, 1}
    assert 0 in codes
    assert runner.look()["proved"]
    ends_well(world, name)


@pytest.mark.parametrize(
    ("name", "moment"),
    [
        ("second", "2013-01-20T00:00:00+00:00"),
        pytest.param("second", "2013-02-01T00:00:00+00:00", marks=pytest.mark.slow),
    ],
)
def test_a_clock_that_jumps_back_does_nothing(world: dict[str, Any], name: str, moment: str) -> None:
    stage, runner = world["stages"][name], world["runner"]
    stage.put_back()
    before = runner.look()
    assert runner.run(moment) in (0, 1)
    after = runner.look()
    assert {part: after[part] for part in ("aliases", "rows", "versions")} == {
        part: before[part] for part in ("aliases", "rows", "versions")
    }
    ends_well(world, name)


@pytest.mark.slow
def test_the_harness_finds_a_planted_fault(world: dict[str, Any], writes: dict[str, list[str]]) -> None:
    """A rollback that marks nobody first is not finished by running again; some write must show it."""
    stage, runner = world["stages"]["rollback"], world["runner"]
    caught = []
    for nth in range(len(writes["rollback"]), 0, -1):
        stage.put_back()
        runner.run(stage.as_of, flow=stage.flow, at=ANY, nth=nth, planted=True)
        runner.run(stage.as_of, flow=stage.flow, planted=True)
        if runner.look()["aliases"]["champion"]["data_hash"] != stage.expected["aliases"]["champion"]["data_hash"]:
            caught.append(writes["rollback"][nth - 1])
            break
    assert caught
