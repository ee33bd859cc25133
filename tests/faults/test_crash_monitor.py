"""SIGKILL for real, at every write of a monitor that sees drift, and of one that rolls back; then a later one."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from evergreen.locks import model_lock
from tests.faults.test_crash import Runner, put_back

JANUARY = "2013-01-29T00:00:00+00:00"
HOUR = pd.Timedelta(hours=1)
WORLD = """

TURN, usual = pd.Timestamp("2014-01-01", tz="UTC"), rows


def otherwise(since, until):
    found = usual(since, until)
    {}


source = model.source.model_copy(update={{"function": otherwise}})
model = model.model_copy(update={{"source": source, {}}})
"""
MOVED = """after = found["at"] >= "2013-02-01"
    return found.assign(x=found["x"] + 2 * after, y=found["y"] + 6 * after)"""
SPELL = """within = (found["at"] >= "2013-02-01") & (found["at"] < "2013-02-15")
    return found.assign(y=found["y"].where(~within, 20 - found["y"]))"""  # what is learnt from it does not hold
DRIFT, BACK = "drift", "roll back"
WORLDS = {
    DRIFT: WORLD.format(MOVED, '"policy": Policy(every="90d", suspicion=None)'),
    BACK: WORLD.format(SPELL, '"training": Training(window="7d", holdout="7d")'),
}
BEFORE = {
    DRIFT: [("refresh", JANUARY), ("ingest", "2013-02-09T00:00:00+00:00")],
    BACK: [
        ("refresh", JANUARY),
        ("refresh", "2013-02-15T00:00:00+00:00"),
        ("ingest", "2013-02-23T00:00:00+00:00"),
    ],
}
pytestmark = pytest.mark.long


@dataclass(frozen=True)
class Watch:
    """A home before a monitor, kept aside, what that monitor writes, and what it leaves behind."""

    name: str
    runner: Runner
    home: Path
    kept: Path
    model: str
    as_of: str
    trace: list[str]
    expected: dict[str, Any]

    def put_back(self) -> None:
        put_back(self.home, self.kept)
        (self.home.parent / "models" / "toy.py").write_text(self.model)

    def run(self, as_of: str, **asked: Any) -> tuple[int, list[str]]:
        """Run the monitor; its exit code, and the writes that it came to."""
        trace = self.home.with_name("trace")
        trace.unlink(missing_ok=True)
        code = self.runner.run(as_of, flow="monitor", trace=str(trace), **asked)
        return code, trace.read_text().splitlines() if trace.is_file() else []

    def look(self) -> dict[str, Any]:
        return self.runner.look(watched=True)


@pytest.fixture(scope="module")
def watches(
    tmp_path_factory: pytest.TempPathFactory, server: str, empty_registry: Path
) -> Iterator[Callable[..., Watch]]:
    """A scenario by its name, lived through once, and its monitor run once without a kill."""
    base = tmp_path_factory.mktemp("watches")
    home, models, watches_by_name = base / "home", base / "models", dict[str, Watch]()
    models.mkdir()
    toy = Path(__file__).parents[1].joinpath("toy.py").read_text()
    with pytest.MonkeyPatch.context() as patch, closing(Runner(home, models)) as runner:
        patch.setenv("EVERGREEN_HOME", str(home))

        def lived(name: str) -> Watch:
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir()
            shutil.copy(empty_registry, home / "mlflow.db")
            (models / "toy.py").write_text(toy + WORLDS[name])
            for flow, as_of in BEFORE[name]:
                assert runner.run(as_of, flow=flow) == 0
            copy = base / f"before {name}"
            shutil.copytree(home, copy)
            watch = Watch(name, runner, home, copy, toy + WORLDS[name], as_of, [], {})
            code, trace = watch.run(as_of)
            assert code == 0
            return Watch(name, runner, home, copy, watch.model, as_of, trace, watch.look())

        yield lambda name: watches_by_name.get(name) or watches_by_name.setdefault(name, lived(name))


def check(watch: Watch, at: str, nth: int, when: str) -> None:
    """Kill the monitor there: what is there holds, and the next monitor finishes what this one began."""
    watch.put_back()
    code, _ = watch.run(watch.as_of, at=at, nth=nth, when=when)
    assert code == -9, f"{at} {nth} was never reached"
    assert watch.look()["proved"]
    (went_back if watch.name == BACK else asked)(watch)
    with model_lock("toy", "monitor"), model_lock("toy", "train"):
        pass


def asked(watch: Watch) -> None:
    """The same again ends as if nothing had happened, and tells of the drift whether it was told before or not."""
    code, trace = watch.run(watch.as_of)
    assert (code, watch.look()) == (0, watch.expected)
    assert "evergreen.drift.detected 1" in trace


def went_back(watch: Watch) -> None:
    """An hour later: the same moment again would be asked about another champion, and replace the decision."""
    later = (pd.Timestamp(watch.as_of) + HOUR).isoformat()
    assert watch.run(later)[0] == 0
    state = watch.look()
    assert models_of(state) == models_of(watch.expected)
    assert (state["proved"], state["running"], state["checked"]) == (True, 0, [])
    assert state["aliases"]["previous"]["rolled_back_at"] in (watch.as_of, later)
    assert "roll back" in {action for _, wish, action, _ in state["decided"] if not wish}
    once(watch, state)


def once(watch: Watch, found: dict[str, Any]) -> None:
    """Nothing is there twice, and what a monitor without a kill leaves behind is there."""
    for part in ("seen", "answered", "decided"):
        assert {row[-1] for row in found[part]} == {"1"}, part
    counted = {tuple(row[:-1]): row[-1] for row in found["profiled"]}
    for *unit, rows in watch.expected["profiled"]:
        assert counted[tuple(unit)] == rows
    assert {len(counted)} == {len(found["profiled"])}


def models_of(found: dict[str, Any]) -> dict[str, Any]:
    """Which model each alias stands for."""
    return {alias: (tags["data_hash"], tags["refit_of"]) for alias, tags in found["aliases"].items()}


def test_a_drift_without_a_kill(watches: Callable[..., Watch]) -> None:
    drift = watches(DRIFT)
    assert "evergreen.drift.detected 1" in drift.trace
    plain(drift, "train")


@pytest.mark.slow
def test_a_rollback_without_a_kill(watches: Callable[..., Watch]) -> None:
    back = watches(BACK)
    assert back.expected["aliases"]["previous"]["rolled_back_at"] == back.as_of
    plain(back, "roll back")


def plain(watch: Watch, action: str) -> None:
    """What holds of every monitor that nobody kills."""
    assert [made for _, wish, made, _ in watch.expected["decided"] if not wish] == [action]
    assert len(watch.expected["seen"]) == 1
    once(watch, watch.expected)
    assert {
        "DeltaLake.append 1",
        "DeltaLake.replace 1",
        "MlflowRegistry.chart 1",
        "evergreen.reports.model_page.write 1",
    } <= set(watch.trace)


@pytest.mark.parametrize(
    ("at", "nth", "when"),
    [("DeltaLake.append", 1, "after"), ("DeltaLake.replace", 1, "after"), ("evergreen.drift.detected", 1, "before")],
)
def test_killed_at(watches: Callable[..., Watch], at: str, nth: int, when: str) -> None:
    check(watches(DRIFT), at, nth, when)


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", [DRIFT, BACK])
def test_killed_at_every_write(watches: Callable[..., Watch], name: str, when: str, subtests: pytest.Subtests) -> None:
    watch = watches(name)
    for line in watch.trace:
        at, nth = line.split()
        with subtests.test(at=at, nth=nth):
            check(watch, at, int(nth), when)
