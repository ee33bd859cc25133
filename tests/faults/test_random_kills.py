"""Whatever is killed, at whatever moment: its children end, the same command starts again, and no answer is lost."""

import os
from datetime import UTC, datetime
from time import monotonic

import pytest
from deltalake import DeltaTable

from evergreen.governance import audit
from evergreen.lake.lake import ROWS, SERVED
from evergreen.stores import Stores
from tests.faults.random_kills import Killer
from tests.prepared_homes import refreshed
from tests.running_service import JANUARY, Address, Callers, Service, landed, promoted, serving
from tests.running_system import NOW, Up, free_port, until

pytestmark = pytest.mark.slow

SEED = int(os.environ.get("KILLS_SEED", "1"))
OF_SERVE, OF_UP = (int(os.environ.get(f"KILLS_OF_{name}", usual)) for name, usual in (("SERVE", "10"), ("UP", "2")))


@pytest.mark.parametrize("workers", ["1", "2"])
def test_serve_starts_again_at_once_whatever_was_killed_and_no_answer_is_lost(home, write_model, workers):
    write_model()
    promoted(JANUARY)
    port = free_port()
    words = ("--port", str(port), "--workers", workers)
    with serving(*words) as service:
        service.wait()  # from now on there is a copy of the model, and it answers within seconds
    callers, answered = Callers(Address(f"http://127.0.0.1:{port}")), [0]

    def start():
        answered[0] = len(callers.answered)
        return Service(*words).process

    killer = Killer(home, start, SEED, longest=8, works=lambda: len(callers.answered) > answered[0])
    with callers:
        for turn in range(OF_SERVE // 2):
            left, said = killer.once(), (home.parent / "serve.log").read_text()
            assert (left, "Error" in said) == ([], False), f"{turn}: after a kill of {killer.killed[-1]}: {said}"
    with serving(*words) as service:
        service.wait()  # it ships what the others have left, at the latest when it ends
    served = DeltaTable(Stores.open().lake.uri("toy", SERVED)).to_pandas(columns=["_id"])["_id"]
    print(f"{OF_SERVE // 2} kills, {len(callers.answered)} answers")
    assert not served.duplicated().any()
    assert set(callers.answered) - set(served) == set(), "answered, and not in the log"


def test_up_starts_again_at_once_whatever_was_killed_and_neither_answer_nor_row_is_lost(home, write_model, begun):
    write_model(NOW)
    begun(refreshed, datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0))
    port, service = free_port(), free_port()
    words = ["--serve-port", str(service)]
    words += [word for part in ("mlflow", "ui") for word in (f"--{part}-port", str(free_port()))]
    callers, answered = Callers(Address(f"http://127.0.0.1:{service}"), count=2, pause=0.05), [0]

    def start():
        answered[0] = len(callers.answered)
        systems.append(Up(home, *words, port=port))
        return systems[-1].process

    def works() -> bool:
        return "Ctrl-C stops" in systems[-1].text and len(callers.answered) > answered[0]

    def at_work() -> bool:
        """Whether all is up; then a run is asked for, which the kill meets."""
        if works():
            systems[-1].run("refresh", model="toy", reason="kills")
        return works()

    systems: list[Up] = []
    began = monotonic()
    killer = Killer(home, start, SEED, longest=40, works=at_work)
    with callers:
        for turn in range(OF_UP):
            left, said = killer.once(), systems[-1].text
            assert (left, "in use" in said) == ([], False), f"{turn}: after a kill of {killer.killed[-1]}: {said}"
            print(f"{turn}: {monotonic() - began:.0f} s: {killer.killed[-1]}", flush=True)
        start()
        until(at_work, "the last one at work")
    last = systems[-1]
    try:
        until(lambda: last.ended("toy · kills")[-1]["state_type"] == "COMPLETED", "the last refresh")
        landed(callers)
    finally:
        assert last.stop() == 130
    assert killer.family() == {}
    stores = Stores.open()
    assert audit.verify(stores.lake, stores.registry, "toy").problems == []
    held = DeltaTable(stores.lake.uri("toy", ROWS)).to_pandas(columns=["id"])["id"]
    assert not held.duplicated().any()
    print(f"{OF_UP} kills, {len(callers.answered)} answers, {len(held)} rows")
