"""Commands join the system that is up in their home, and nothing else."""

import os
import socket

import pytest

from flows.runtime.connection import API, join, note


@pytest.fixture
def listening():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/api"


def test_the_server_that_is_up_is_used_where_none_is_set(home, monkeypatch, listening):
    note().write_text(listening)
    monkeypatch.setenv(API, "http://elsewhere/api")
    join()
    assert os.environ[API] == "http://elsewhere/api"
    monkeypatch.setenv(API, "")
    join()
    assert os.environ[API] == listening


@pytest.mark.parametrize("left", [None, "http://127.0.0.1:9/api", "http://127.0.0.1:port/api", ""])
def test_a_server_that_is_away_is_not_joined(home, monkeypatch, left):
    if left is not None:
        note().write_text(left)
    monkeypatch.delenv(API)
    join()
    assert API not in os.environ
