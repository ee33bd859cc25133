"""Until a worker answers, every caller is told that the service starts; then none is."""

import os
import socket
import threading

import pytest

from serving.process.startup import Startup, unready
from tests.running_service import ask


@pytest.fixture
def listening():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener, f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_every_caller_is_told_until_a_worker_answers(listening):
    listener, url = listening
    startup, stopping = Startup([listener]), threading.Event()
    answering = threading.Thread(target=startup.wait, args=[stopping])
    answering.start()
    try:
        for body in (None, {"rows": ["x" * 100_000]}):
            status, answer = ask(f"{url}/models/toy/invocations", body)
            assert (status, answer["error_code"]) == (503, "TEMPORARILY_UNAVAILABLE")
            assert "The service starts" in answer["message"]
        with socket.create_connection(listener.getsockname()):
            assert "The service starts" in (unready(url) or ""), "one that sends nothing holds up no other for long"
    finally:
        for _ in range(100_000):  # as of workers that are started again and again
            try:
                os.write(startup.descriptor, b"1")
            except BlockingIOError:
                break
        answering.join(10)
    assert not answering.is_alive()
    assert unready(url) is None


def test_it_ends_with_the_service(listening):
    stopping = threading.Event()
    stopping.set()
    Startup([listening[0]]).wait(stopping)
