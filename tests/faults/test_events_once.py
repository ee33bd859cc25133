"""What asks for something is told at least once: a process that is killed before its word leaves it to a later one."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.faults.test_crash import Runner

TOY = Path(__file__).parents[1] / "toy.py"
ASKS = "\nmodel = model.model_copy(update={'policy': Policy(every='7d', approval='5d')})\n"
JANUARY, FEBRUARY, LATER = "2013-01-29T00:00:00+00:00", "2013-02-09T00:00:00+00:00", "2013-02-10T00:00:00+00:00"

Told = Callable[..., list[str]]


@pytest.fixture
def told(home: Path, server: str, empty_registry: Path, tmp_path: Path) -> Iterator[Told]:
    """Run a flow at a moment, killed before an event if one is named; the events that it told."""
    with closing(Runner(home, home.parent / "models")) as runner:

        def run(flow: str, as_of: str, killed_at: str = "") -> list[str]:
            trace = tmp_path / "trace"
            trace.unlink(missing_ok=True)
            killed: dict[str, Any] = {"at": f"evergreen.{killed_at}", "nth": 1, "when": "before"} if killed_at else {}
            assert runner.run(as_of, flow=flow, trace=str(trace), **killed) == (-9 if killed_at else 0)
            lines = trace.read_text().splitlines() if trace.is_file() else []
            events = [line.split()[0].removeprefix("evergreen.") for line in lines if line.startswith("evergreen.")]
            return events[:-1] if killed_at else events

        yield run


@pytest.mark.slow
def test_rows_that_landed_are_told_of_until_somebody_has_decided(told):
    assert told("refresh", JANUARY)
    assert "data.arrived" not in told("ingest", FEBRUARY, "data.arrived")
    assert told("ingest", FEBRUARY) == ["data.arrived"]
    assert told("ingest", LATER)[-1] == "data.arrived"  # of its own rows
    assert "data.arrived" not in told("refresh", LATER)
    assert told("ingest", LATER) == []


@pytest.mark.slow
def test_a_loss_is_told_by_the_next_monitor(told):
    told("refresh", JANUARY)
    told("ingest", FEBRUARY)
    assert told("monitor", FEBRUARY, "performance.degraded") == []
    assert told("monitor", FEBRUARY) == ["performance.degraded"]
    assert told("monitor", LATER) == ["performance.degraded"]


@pytest.mark.slow
def test_a_version_that_waits_is_told_of_until_a_run_is_suspended_for_it(told, write_model):
    write_model(ASKS)
    assert "model.waiting" not in told("refresh", JANUARY, "model.waiting")
    assert told("monitor", JANUARY) == ["model.waiting"]
    assert told("refresh", JANUARY) == ["model.waiting"]  # the training is taken up again
    assert told("refresh", JANUARY) == []
