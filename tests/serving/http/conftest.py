"""The application of one worker, asked without keys unless a test sets some."""

import pytest

from serving.http import keys, origins
from tests.serving.http.running_app import Running


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    monkeypatch.delenv(origins.HOSTS, raising=False)
    monkeypatch.delenv(keys.KEYS, raising=False)
    monkeypatch.delenv(keys.KEYS_FILE, raising=False)


@pytest.fixture
def running(copies, add):
    add()
    return Running(copies)
