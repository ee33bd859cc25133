"""What a service of real processes survives: its supervisor or a worker killed, the lake away, the disk full."""

import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from threading import Timer

import pytest

from evergreen.errors import RunningError
from evergreen.lake.lake import SERVED
from evergreen.registry.version import CHAMPION
from evergreen.stores import Stores
from serving.options import Options
from serving.process import metrics_folder
from serving.process.supervisor import Service as Supervised
from tests.running_service import Callers, Service, landed, serving
from tests.running_system import free_port, until

PATH = "/models/toy/invocations"


def alive(process):
    """Whether a process runs: one that has ended and is not asked for yet is none."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return False


def asked(service):
    return service.ask(PATH, {"dataframe_records": [{"x": 1.0, "z": 0.0}]})


@pytest.mark.parametrize("workers", [1, 2])
def test_the_port_of_a_service_that_was_killed_is_waited_for_and_any_other_is_told_at_once(home, workers):
    def service():
        return Supervised(Options(), "127.0.0.1", port, workers, print, print)

    folder = metrics_folder.replace(home / "serving")  # as a killed one leaves it
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        Timer(0.5, other.close).start()
        waiting = service()
        waiting._bind()
    metrics_folder.delete(folder)
    with pytest.raises(RunningError, match=f"Port {port} is in use"):
        service()._bind()
    assert len(waiting._sockets) == workers
    for listener in waiting._sockets:
        listener.close()


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "often"), [(1, 20), (2, 1)])
def test_a_supervisor_that_is_killed_leaves_no_worker_and_the_next_takes_up_its_log_at_once(lived, workers, often):
    words = ("--port", str(free_port()), "--workers", str(workers))
    lives = []
    for _ in range(often):
        service = Service(*words)
        with Callers(service.wait()) as callers:
            until(lambda: len(callers.answered) > 50, "some answers")
            left = service.workers()
            service.process.kill()
            service.process.wait()
        assert len(left) == workers
        lives.append(callers)
    with serving(*words) as service, Callers(service.wait()) as callers:
        until(lambda: not any(map(alive, left)), "the end of the workers", 20)
        until(lambda: len(callers.answered) > 50, "some answers")
    for clients in (*lives, callers):
        assert landed(clients) == clients.answered


def both_ready(service):
    """A service of which each worker has its models: those of a home without copies get them one after the other."""
    until(lambda: all(service.ask("/ping")[0] == 200 for _ in range(30)), "both workers")
    return service


@pytest.mark.slow
def test_two_workers_both_answer_log_once_and_swap_and_one_that_is_killed_loses_nothing(lived):
    Stores.open().registry.alias(lived[0], CHAMPION)
    with serving("--workers", "2") as service, Callers(both_ready(service), count=8) as callers:
        both = service.workers()
        slots = [service.home / "serving" / "log" / slot for slot in ("0", "1")]
        until(lambda: all((slot / "open").stat().st_size for slot in slots), "lines of both")
        os.kill(both[0], signal.SIGKILL)
        until(lambda: len(service.workers()) == 2 and service.workers() != both, "another worker")
        Stores.open().registry.alias(lived[1], CHAMPION)
        until(lambda: {asked(service)[1]["version"] for _ in range(20)} == {"2"}, "the swap of both", 30)
        count = len(callers.answered)
        until(lambda: len(callers.answered) > count + 50, "some answers")
    assert set(callers.answered.values()) == {"1", "2"}
    assert landed(callers) == callers.answered
    assert [failure for failure in callers.failed if ": 0 " not in failure] == [], "who was cut off, and nobody else"


@pytest.mark.slow
def test_while_the_lake_is_away_the_log_waits_and_a_person_is_told_once(lived):
    with serving() as service, Callers(service.wait()) as callers:
        until(lambda: len(callers.answered) > 20, "some answers")
        table, aside = Path(Stores.open().lake.uri("toy", SERVED)), service.home / "aside"
        until(table.exists, "the first of the log")
        table.rename(aside)
        table.write_text("no table")
        until(lambda: "kept on disk" in service.text, "the alert", 40)
        (waiting,) = until(lambda: list((service.home / "serving" / "log").glob("*/*.jsonl"))[:1], "a segment")
        time.sleep(5)  # two more tries
        assert waiting.exists()
        table.unlink()
        aside.rename(table)
        until(lambda: not waiting.exists(), "the rest of the log", 30)
    assert callers.failed == []
    assert landed(callers) == callers.answered
    assert service.text.count("kept on disk") == 2, "what is said here, and what goes out"
    assert list((service.home / "serving" / "log").glob("*/*.broken")) == []


@pytest.mark.slow
@pytest.mark.parametrize(("full", "status"), [("refuse", 503), ("drop", 200)])
def test_while_the_lake_is_away_no_more_than_the_limit_waits_and_then_it_goes_on(lived, full, status):
    rows = {"dataframe_records": [{"x": 1.0, "z": 0.0, "side": "a" * 20_000}]}
    with serving("--log-gigabytes", "0.001", "--log-full", full) as service:
        asked(service.wait())
        table, aside = Path(Stores.open().lake.uri("toy", SERVED)), service.home / "aside"
        until(table.exists, "the first of the log")
        table.rename(aside)
        table.write_text("no table")
        answers = [service.ask("/models/toy/invocations", rows) for _ in range(100)]
        assert answers[0][0] == 200
        assert answers[-1][0] == status
        log = service.home / "serving" / "log"
        assert 900_000 < sum(path.stat().st_size for path in log.glob("*/*") if path.is_file()) < 1_001_000
        assert status == 200 or "1,000,000 bytes of it wait for the lake" in answers[-1][1]["message"]
        assert (dropped(service) > 0) == (full == "drop")
        until(lambda: "nears its limit" in service.text, "the alert", 30)
        table.unlink()
        aside.rename(table)
        until(lambda: not list(log.glob("*/*.jsonl")) and asked(service)[0] == 200, "the rest of the log", 60)
        with Callers(service) as after:
            until(lambda: len(after.answered) > 20, "some answers")
        assert (after.failed, "Traceback" in service.text) == ([], False)
    assert landed(after) == after.answered


def dropped(service):
    """Rows that were answered and not logged, as the meters tell."""
    with urllib.request.urlopen(f"{service.url}/metrics", timeout=60) as page:
        return float(re.search(r"^evergreen_log_dropped_rows_total (\S+)", page.read().decode(), re.MULTILINE)[1])


@pytest.mark.slow
@pytest.mark.parametrize(("full", "status"), [("refuse", 503), ("drop", 200)])
def test_a_worker_that_cannot_write_its_log_refuses_or_counts_and_goes_on_when_it_can_again(lived, full, status):
    # The limit of a file's size stands for the disk's: it can be set to a process that runs.
    with serving("--log-full", full) as service, Callers(service.wait(), count=1) as callers:
        until(lambda: len(callers.answered) > 20, "some answers")
    with serving("--log-full", full) as service:
        asked(service.wait())
        (worker,) = service.workers()
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
        refused = [asked(service) for _ in range(30)]
        assert {answer[0] for answer in refused} == {status}
        assert service.ask("/models/toy/labels", {"id": "a", "value": 1})[0] == 503, "nobody else has a label"
        assert dropped(service) == (30 if full == "drop" else 0)
        time.sleep(11)  # until the segment is due: it cannot be closed either
        assert asked(service)[0] == status
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        with Callers(service) as after:
            until(lambda: len(after.answered) > 20, "some answers")
        assert (after.failed, service.workers()) == ([], [worker])
    assert "Traceback" not in service.text
    for clients in (callers, after):
        assert landed(clients) == clients.answered


@pytest.fixture
def small(lived):
    """What the service keeps lies on a disk of a few megabytes; what fills it, and what makes room again."""
    place = Path(os.environ["EVERGREEN_HOME"]) / "serving"
    place.mkdir(exist_ok=True)
    copy = shutil.copytree(place, place.with_name("kept"), ignore_dangling_symlinks=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", place], capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        shutil.copytree(copy, place, dirs_exist_ok=True)
        yield place
    finally:
        shutil.copytree(place / "log", copy / "log", dirs_exist_ok=True)
        subprocess.run(["umount", "-l", place], check=True)


def fill(place):
    with (place / "filler").open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


def refused(service):
    status, answer = asked(service)
    return answer if status == 503 else None


@pytest.mark.slow
def test_a_disk_that_is_full_is_survived_even_by_a_worker_that_starts_on_it(lived, small):
    with serving() as service:
        with Callers(service.wait()) as before:
            until(lambda: len(before.answered) > 50, "some answers")
        for _ in range(3):
            refusal = until(lambda: fill(small) or refused(service), "the full disk", 60)
            assert "cannot be written" in refusal["message"]
        (worker,) = service.workers()
        os.kill(worker, signal.SIGKILL)
        (again,) = until(lambda: [process for process in service.workers() if process != worker], "another worker")
        until(lambda: fill(small) or refused(service), "its answer", 60)
        assert service.workers() == [again]
        (small / "filler").unlink()
        until(lambda: asked(service)[0] == 200, "room", 30)
        with Callers(service) as after:
            until(lambda: len(after.answered) > 50, "some answers")
        assert (after.failed, service.workers()) == ([], [again])
    assert "Traceback" not in service.text
    for callers in (before, after):
        assert landed(callers) == callers.answered
