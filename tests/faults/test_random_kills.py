"""Whatever is killed, at whatever moment: its children end, the same command starts again, and no answer is lost."""

import os

import pytest
from deltalake import DeltaTable

from evergreen.lake.lake import SERVED
from evergreen.stores import Stores
from tests.faults.random_kills import Killer, family
from tests.running_service import JANUARY, Address, Callers, Service, promoted, serving
from tests.running_system import NOW, Up, free_port

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


def test_up_starts_again_at_once_whatever_was_killed(home, write_model):
    write_model(NOW)
    port = free_port()
    words = [word for part in ("mlflow", "serve", "ui") for word in (f"--{part}-port", str(free_port()))]

    def start():
        systems.append(Up(home, *words, port=port))
        return systems[-1].process

    systems: list[Up] = []
    killer = Killer(home, start, SEED, longest=60, works=lambda: "Ctrl-C stops" in systems[-1].text)
    for turn in range(OF_UP):
        left, said = killer.once(), systems[-1].text
        assert (left, "in use" in said) == ([], False), f"{turn}: after a kill of {killer.killed[-1]}: {said}"
        print(f"{turn}: {killer.killed[-1]}", flush=True)
    last = Up(home, *words, port=port)
    try:
        last.wait()
    finally:
        assert last.stop() == 130
    assert family(home) == {}
