"""Commands join the system that is up in their home, and nothing else; every server asks for a secret."""

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from evergreen.locks import file_lock
from flows.runtime import connection
from flows.runtime.connection import (
    API,
    AUTH,
    SERVER_AUTH,
    current,
    given,
    join,
    lock_file,
    note,
    secret_file,
    server_secret,
)


@pytest.fixture(autouse=True)
def _nothing_set(home, monkeypatch):
    """No secret is set or was generated, and what the test sets ends with it."""
    monkeypatch.setattr(connection, "_remembered", "")
    for name in (AUTH, SERVER_AUTH):
        monkeypatch.setenv(name, "")


@pytest.fixture
def up():
    """Some `evergreen up` holds its lock."""
    with file_lock(lock_file(), "held"):
        yield


@pytest.fixture
def listening(up):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/api"


def test_the_server_that_is_up_is_used_where_none_is_set(monkeypatch, listening):
    note().write_text(listening)
    monkeypatch.setenv(API, "http://elsewhere/api")
    join()
    assert os.environ[API] == "http://elsewhere/api"
    monkeypatch.setenv(API, "")
    join()
    assert os.environ[API] == listening


def test_a_process_that_outlives_servers_asks_the_one_that_is_up(monkeypatch, listening):
    monkeypatch.setattr(connection, "_joined", "")
    monkeypatch.setenv(API, "")
    assert current() == ("", "")
    secret = server_secret()
    note().write_text(listening)
    assert current() == current() == (listening, secret)
    note().write_text("http://127.0.0.1:9/api")
    assert current() == ("", "")
    note().write_text(listening)
    assert current() == (listening, secret)
    monkeypatch.setenv(API, "http://elsewhere/api")
    assert current()[0] == "http://elsewhere/api"


def test_a_copied_home_does_not_join_the_server_of_the_running_original(home, monkeypatch, tmp_path, listening):
    note().write_text(listening)
    server_secret()
    shutil.copytree(home, tmp_path / "copy")
    monkeypatch.setenv("EVERGREEN_HOME", str(tmp_path / "copy"))
    monkeypatch.setenv(API, "")
    join()
    assert os.environ[API] == ""
    assert os.environ[AUTH] != server_secret()


@pytest.mark.parametrize("left", [None, "http://127.0.0.1:9/api", "http://127.0.0.1:port/api", ""])
def test_a_server_that_is_away_is_not_joined(monkeypatch, up, left):
    if left is not None:
        note().write_text(left)
    monkeypatch.delenv(API)
    join()
    assert API not in os.environ


def test_the_secret_is_made_once_and_only_its_owner_can_read_it():
    secret = server_secret()
    assert (len(secret), server_secret(), secret_file().read_text()) == (32, secret, secret)
    assert secret_file().stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("name", "other"), [(AUTH, SERVER_AUTH), (SERVER_AUTH, AUTH)])
def test_a_secret_that_is_set_is_used_and_not_stored(monkeypatch, name, other):
    monkeypatch.setenv(name, "admin:pass")
    assert (server_secret(), given(), secret_file().exists()) == ("admin:pass", "admin:pass", False)
    monkeypatch.setenv(API, "")
    join()
    assert os.environ[other] == "admin:pass"


@pytest.mark.parametrize(
    ("chosen", "sent"),
    [("", True), ("http://localhost:{port}/api", True), ("http://127.0.0.1:1{port}/api", False), ("https://x", False)],
)
def test_the_secret_is_sent_to_no_other_server(monkeypatch, listening, chosen, sent):
    note().write_text(listening)
    secret = server_secret()
    monkeypatch.setenv(API, chosen.format(port=listening.split(":")[2].removesuffix("/api")))
    join()
    assert os.environ[AUTH] == (secret if sent else "")
    assert given() == "", "the user has set none"
    assert os.environ[SERVER_AUTH] == ""


def test_where_no_server_is_known_the_one_to_come_gets_a_secret_that_is_not_the_home_s(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.setenv(API, "")
    join()
    generated = os.environ[AUTH]
    assert (len(generated), os.environ[SERVER_AUTH], given()) == (32, generated, "")
    join()
    assert os.environ[AUTH] != server_secret()


def test_a_server_that_a_profile_of_prefect_may_name_gets_no_secret(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prefect.toml").touch()
    monkeypatch.setenv(API, "")
    join()
    assert os.environ[AUTH] == os.environ[SERVER_AUTH] == ""


PYTHON = Path("/usr/bin/python3")  # one that every user may run
LISTENS = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(os.getuid() != 0 or not PYTHON.exists(), reason="only root can start a process of another user")
@pytest.mark.parametrize("chosen", [False, True])
def test_another_user_s_process_gets_no_secret(monkeypatch, up, chosen):
    command = [str(PYTHON), "-c", LISTENS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, user=65534) as theirs:
        address = f"http://127.0.0.1:{theirs.stdout.readline().strip()}/api"
        note().write_text(address)
        secret = server_secret()
        monkeypatch.setenv(API, address if chosen else "")
        join()
        assert os.environ[AUTH] != secret
        assert os.environ[API] == (address if chosen else "")
        theirs.stdin.close()
