"""The server of one command: it starts beside the imports, nothing of it is left behind, and a set server is used."""

import base64
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from evergreen.errors import ModelFileError, RunningError
from flows.runtime import temporary_server, terminal
from tests.faults.random_kills import family, left_of

CHECKOUT = Path(__file__).resolve().parents[3]
ONE = """
import os, sys, time
from flows.runtime import temporary_server
temporary_server.start()
print(os.environ["PREFECT_API_URL"], os.environ["PREFECT_API_AUTH_STRING"], flush=True)
temporary_server.wait()
print("prefect" in sys.modules, temporary_server._running.pid, flush=True)
from flows.runtime.terminal import serve
serve()
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY as heartbeats
print(heartbeats.value(), flush=True)
sys.stdin.readline()
"""
pytestmark = pytest.mark.long


@pytest.fixture
def none_set(home, monkeypatch, tmp_path):
    """Neither a server nor Prefect, as where a command begins; whatever is started ends."""
    for name in ("PREFECT_API_AUTH_STRING", "PREFECT_SERVER_API_AUTH_STRING"):
        monkeypatch.setenv(name, "")
    monkeypatch.delenv("PREFECT_API_URL")
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    monkeypatch.delitem(sys.modules, "prefect", raising=False)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    temporary_server.stop()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]


@pytest.mark.parametrize("end", [signal.SIGKILL, pytest.param(None, marks=pytest.mark.slow)], ids=["killed", "ended"])
def test_the_server_answers_once_it_is_waited_for_and_ends_with_its_command(none_set, end):
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    command = subprocess.Popen(
        [sys.executable, "-c", ONE], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    (api, secret), words = command.stdout.readline().split(), command.stdout.readline().split()
    token = base64.b64encode(secret.encode()).decode()
    assert httpx.get(f"{api}/admin/version").status_code == 401
    assert httpx.get(f"{api}/admin/version", headers={"Authorization": f"Basic {token}"}).status_code == 200
    assert words[0] == "False"
    assert command.stdout.readline() == "None\n"
    assert alive(int(words[1]))
    if end:
        command.send_signal(end)
    command.communicate("\n", timeout=60)
    for _ in range(600):
        if not alive(int(words[1])):
            break
        time.sleep(0.1)
    assert not alive(int(words[1]))


@pytest.mark.parametrize(
    "put",
    [
        lambda folder, patch: patch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api"),
        lambda folder, patch: patch.setenv("PREFECT_PROFILE", "mine"),
        lambda folder, patch: (folder / ".env").write_text("PREFECT_API_URL=http://127.0.0.1:9/api"),
        lambda folder, patch: (folder / "prefect.toml").write_text("[api]"),
        lambda folder, patch: (folder / "pyproject.toml").write_text("[tool.prefect.api]"),
        lambda folder, patch: patch.setitem(sys.modules, "prefect", sys),
    ],
    ids=["the environment", "a profile", ".env", "prefect.toml", "pyproject.toml", "Prefect has read its settings"],
)
def test_where_a_server_may_be_set_none_is_started(none_set, monkeypatch, put):
    put(none_set, monkeypatch)
    temporary_server.start("toy")
    assert temporary_server._running is None


def test_for_a_model_that_there_is_not_none_is_started(none_set):
    with pytest.raises(ModelFileError, match="There is no model 'nobody'"):
        temporary_server.start("nobody")
    assert temporary_server._running is None
    assert "PREFECT_API_URL" not in os.environ


@pytest.mark.parametrize(
    ("executable", "seconds", "says"),
    [("/bin/false", "60", "it has ended"), (None, "0.001", "it did not answer within 0 seconds")],
)
def test_a_server_that_does_not_start_is_said_in_a_sentence(none_set, monkeypatch, executable, seconds, says):
    monkeypatch.setenv("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", seconds)
    monkeypatch.setattr(sys, "executable", executable or sys.executable)
    temporary_server.start("toy")
    with pytest.raises(RunningError, match=f"{says}. Run it again when the machine is less busy"):
        temporary_server.wait()
    assert temporary_server._running is None


def test_a_server_that_a_flow_of_a_module_starts_is_said_as_well(none_set, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    monkeypatch.setattr(terminal, "_SETTINGS", ExitStack())
    with (
        temporary_settings(restore_defaults={PREFECT_API_URL}),
        terminal._SETTINGS,  # within them: what is entered later has to end before
        pytest.raises(RunningError, match="did not start: it has ended"),
    ):
        terminal.serve()
    assert temporary_server._running is None


def test_the_server_of_a_flow_that_runs_as_a_module_ends_with_it(none_set, home):
    command = [sys.executable, "-m", "flows.ingest", "toy"]
    flow = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(CHECKOUT)}, stderr=subprocess.DEVNULL)
    while not (children := set(family(home)) - {flow.pid}) and flow.poll() is None:
        time.sleep(0.02)
    flow.kill()
    flow.wait()
    assert children
    assert left_of(home, children) == []
