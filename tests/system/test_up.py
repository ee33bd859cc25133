"""`evergreen up` and `evergreen deploy` as their user meets them: real servers, a real worker, Ctrl-C."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from flows.runtime.parts import answers
from tests.running_system import CHECKOUT, NOW, Up, environment, free_port, living, processes, until

pytestmark = pytest.mark.slow

# Host and origin of a page: it calls this machine by its address, or is itself reached by a name that leads here.
PAGES = [
    ("", "https://evil.example"),
    ("", "null"),
    ("evil.example", "http://evil.example"),
    ("10.evil.example", "http://10.evil.example"),
]
KINDS = ["application/json", "text/plain", "application/x-www-form-urlencoded", None]  # None: a Blob without a type
ACTS = ("create", "search?max_results=1")
TOYS = CHECKOUT.joinpath("prefect.yaml").read_text().replace("airtime", "toy")


def run(home: Path, *words: str, **more: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "cli.main", *words]
    return subprocess.run(
        command, cwd=home.parent, env=environment(home, **more), capture_output=True, text=True, timeout=120
    )


def by_page(url: str, host: str, origin: str, kind: str | None, body: Any = None) -> httpx.Response:
    """What a server answers to a web page; `host` is another name than its own if the page has rebound its name."""
    headers = {"Host": host, "Origin": origin} | ({"Content-Type": kind} if kind else {})
    return httpx.request("POST" if body else "GET", url, content=json.dumps(body) if body else None, headers=headers)


def socket_by_page(url: str, words: list[Any] | None) -> str | bytes:
    """What a server answers to a web page that opens a socket, and guesses the secret."""
    with connect(url, origin=Origin("https://evil.example"), subprotocols=words) as opened:
        opened.send(json.dumps({"type": "auth", "token": "guessed"}))
        return opened.recv(timeout=60)


def no_page_can_change_anything(system: Up, mlflow: int) -> None:
    """Neither a page of another origin nor one whose name leads to this machine can run code or change a model."""
    prefect = f"127.0.0.1:{system.port}"
    (ingest,) = [found for found in system.ask("deployments/filter", {}) if found["name"] == "ingest"]
    touched = system.home / "touched"
    wanted = {"parameters": {"model": "toy"}, "job_variables": {"command": f"touch {touched}"}}
    create = f"deployments/{ingest['id']}/create_flow_run"
    before = len(system.ask("flow_runs/filter", {}))
    for host, origin in PAGES:
        for kind in KINDS:
            answer = by_page(f"{system.api}/{create}", host or prefect, origin, kind, wanted)
            assert (answer.status_code, "access-control-allow-origin" in answer.headers) == (401, False), (host, kind)
        assert "access-control-allow-origin" not in by_page(f"{system.api}/health", prefect, origin, None).headers
    assert len(system.ask("flow_runs/filter", {})) == before
    for words in (["prefect"], None):  # a web page may open a socket to any address too, and send events
        with pytest.raises((ConnectionClosedError, InvalidStatus)):
            socket_by_page(f"ws://{prefect}/api/events/in", words)
    own = by_page(f"{system.api}/health", prefect, f"http://localhost:{system.port}", None)
    assert own.headers["access-control-allow-origin"] == f"http://localhost:{system.port}"
    assert stat.S_IMODE((system.home / "up.secret").stat().st_mode) == 0o600
    assert (system.home / "up.secret").read_text() not in system.text
    assert f"paste the text of {system.home / 'up.secret'} into the field that shows 'admin:pass'" in system.text

    system.ask(create, wanted)  # also who knows the secret gets the run itself, and no command
    until(lambda: len(system.ended("toy · ingest")) == 2, "the ingest")
    assert not touched.exists()

    register, search = (f"http://127.0.0.1:{mlflow}/api/2.0/mlflow/registered-models/{act}" for act in ACTS)
    for host, origin in PAGES:
        for kind in KINDS:
            assert by_page(register, host or f"127.0.0.1:{mlflow}", origin, kind, {"name": "x"}).status_code == 403
        read = by_page(search, host or f"127.0.0.1:{mlflow}", origin, None)
        assert read.status_code == 403 or "access-control-allow-origin" not in read.headers
    assert by_page(search, f"localhost:{mlflow}", f"http://localhost:{mlflow}", None).status_code == 200


def what_is_open_is_shown(system: Up, mlflow: int, service: int, ui: int) -> None:
    """`evergreen doctor --security` names every port of the system, and whether it asks for a key."""
    done = run(system.home, "doctor", "--security", "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["problems"]) == (0, []), done.stdout
    listeners = [port["listener"] for port in found["ports"]]
    assert {(listener["port"], listener["part"], listener["key"]) for listener in listeners} >= {
        (system.port, "Prefect's server", "needed"),
        (mlflow, "MLflow's server", "none"),
        (service, "prediction service", "none"),
        (ui, "web UI", "none"),
    }
    assert {listener["address"] for listener in listeners} == {"127.0.0.1"}
    assert {process["part"] for process in found["processes"]} >= {"evergreen up", "Prefect's worker"}
    written = [path for path in system.home.rglob("*") if not path.is_symlink()]
    assert [path for path in written if path.stat().st_mode & 0o077] == [], "all that the processes write is closed"
    assert {"lake", "serving", "prefect", "logs", "artifacts"} <= {path.name for path in written}
    system.home.chmod(0o755)
    shown = run(system.home, "doctor", "--security")
    system.home.chmod(0o700)
    assert (shown.returncode, f"chmod o-rwx {system.home}\n" in shown.stdout) == (1, True), shown.stdout


@pytest.fixture
def here(monkeypatch):
    """Commands of this checkout, wherever they are run."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(CHECKOUT), os.environ.get("PYTHONPATH", "")]))


def test_up_brings_up_all_and_ctrl_c_takes_down_all_and_it_goes_on_where_it_was(home, write_model, here):
    write_model(NOW)
    (home.parent / "prefect.yaml").write_text(TOYS)
    mlflow, service, ui = free_port(), free_port(), free_port()
    system = Up(home, "--mlflow-port", str(mlflow), "--serve-port", str(service), "--ui-port", str(ui))
    try:
        system.wait()
        assert "schedule 'late-daily' of refresh is left out, 'late' is no model here" in system.text
        assert "has no schedule of refresh" not in system.text
        deployments = system.ask("deployments/filter", {})
        names = {deployment["name"]: deployment["work_pool_name"] for deployment in deployments}
        assert names == dict.fromkeys(names, "evergreen")
        assert {"refresh", "ingest", "train"} <= set(names)
        automations = system.ask("automations/filter", {})
        assert {"new data", "drift", "loss of performance"} <= {automation["name"] for automation in automations}
        planned = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
        until(lambda: system.ask("flow_runs/filter", planned), "a run by schedule")

        again = run(home, "up", "--port", str(free_port()), "--no-mlflow", "--no-serve", "--no-ui")
        assert (again.returncode, again.stderr) == (
            6,
            f"Error: Evergreen is up already in {home}. Stop it there with Ctrl-C, or set another EVERGREEN_HOME.\n",
        )
        deployed = run(home, "deploy", PREFECT_API_URL=system.api)
        assert (deployed.returncode, deployed.stderr) == (0, "")
        assert "refresh" in deployed.stdout
        assert {automation["id"] for automation in automations}.isdisjoint(
            automation["id"] for automation in system.ask("automations/filter", {})
        ), "registered anew, not twice"
        assert len(system.ask("automations/filter", {})) == len(automations)

        done = run(home, "ingest", "toy")  # which finds the server by itself, and the event its trigger
        assert (done.returncode, done.stderr) == (0, "Next: evergreen train toy\n")
        assert system.ended("toy · ingest")[0]["state_name"] == "Ingested"
        (begun,) = system.ended("toy · data")
        assert begun["state_name"] == "Promoted"
        until(lambda: answers(f"http://127.0.0.1:{service}/models/toy/ping"), "the promoted model, by HTTP")
        until(lambda: "MLflow answers" in system.text, "MLflow")
        no_page_can_change_anything(system, mlflow)
        what_is_open_is_shown(system, mlflow, service, ui)
        with urllib.request.urlopen(f"http://127.0.0.1:{mlflow}/", timeout=60) as page:
            assert b"MLflow" in page.read()
        with urllib.request.urlopen(f"http://127.0.0.1:{ui}/models", timeout=60) as page:
            assert b"is champion" in page.read() or b"holds" in page.read()
        before = {flow_run["id"]: flow_run["state_name"] for flow_run in system.runs()}
        assert len(processes(home)) >= 3
    finally:
        began = time.monotonic()
        code = system.stop()
    assert code == 130, system.text
    assert time.monotonic() - began < 4, "two seconds on a machine with a core to spare"
    assert "Stopped. All that it had started ends with it" in system.text
    assert "Traceback" not in system.text
    assert processes(home) == []

    with living(home, "--no-mlflow", "--no-serve", PREFECT_API_KEY="pnu_of_another_server") as system:
        assert {flow_run["id"]: flow_run["state_name"] for flow_run in system.runs()} == before
        system.tell("data.arrived", "toy")
        assert system.ended("toy · data", 2)[1]["state_name"] == "Nothing to do"


def test_a_part_that_dies_is_named_and_all_else_ends(home):
    system = Up(home, "--no-mlflow", "--no-serve")
    try:
        system.wait()
        os.kill(_pid_of("worker start", home), signal.SIGKILL)
        assert system.process.wait(timeout=120) == 1
    finally:
        system.stop()
    assert "Error: The worker has ended by itself (exit code -9), so all was stopped." in system.text
    assert "Traceback" not in system.text
    assert processes(home) == []


def test_what_a_killed_up_left_behind_is_ended_by_the_next(home, write_model, tmp_path):
    started = tmp_path / "started"
    write_model(
        f"\nfrom pathlib import Path\nimport time\ndef stuck(since, until):\n    Path({str(started)!r}).touch()\n"
        "    time.sleep(600)\nmodel = model.model_copy(update={'source': Call(function=stuck, start='2013-01-01')})\n"
    )
    system = Up(home, "--no-mlflow", "--no-serve")
    try:
        system.wait()
        system.tell("drift.detected", "toy", reason="0.3")
        until(started.exists, "the source")
    finally:
        system.stop(signal.SIGKILL)
    assert len(processes(home)) >= 3
    write_model()
    again = Up(home, "--no-mlflow", "--no-serve", port=system.port)
    try:
        again.wait()
        (left,) = again.ended("toy · drift")
        assert (left["state_name"], left["state"]["message"]) == ("Crashed", "Its process ended without a report.")
    finally:
        assert again.stop(signal.SIGTERM) == 143
    assert processes(home) == []


def _pid_of(words: str, home: Path) -> int:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        line = path.read_bytes().replace(b"\0", b" ").decode()
        if words in line and f"EVERGREEN_UP={home}".encode() in path.with_name("environ").read_bytes():
            return int(path.parent.name)
    raise AssertionError(f"no process of {words!r}")


def test_a_port_in_use_is_said_before_anything_starts(home, here):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run(home, "up", "--port", str(port), "--no-mlflow", "--no-serve", "--no-ui")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: Port {port} is in use")


@pytest.mark.parametrize(
    ("words", "more", "code", "says"),
    [
        (("up", "--port", "4200", "--mlflow-port", "4200"), {}, 2, "need a port each"),
        (("up", "--port", "0"), {}, 2, "Invalid value"),
        (("deploy",), {}, 1, "PREFECT_API_URL is not set"),
        (("deploy",), {"PREFECT_API_URL": "http://127.0.0.1:9/api"}, 1, "start the Prefect server"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(home, here, words, more, code, says):
    done = run(home, *words, **more)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr
