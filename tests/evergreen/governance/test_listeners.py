"""Who of a home runs and listens, by real processes: found by the lock they hold, asked whether they want a key."""

import os
import subprocess
import sys

import pytest

from evergreen.governance.listeners import listeners, processes

# Holds a lock, starts a child that listens, as the service does, and answers every request by one status.
SERVICE = """
import subprocess, sys
from filelock import FileLock
lock, host, status = sys.argv[1:4]
held = FileLock(lock)
held.acquire()
child = '''
import socket, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(sys.argv[2]))
        self.end_headers()
HTTPServer.address_family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
server = HTTPServer((sys.argv[1], 0), Answer)
print(server.server_port, flush=True)
server.serve_forever()
'''
with subprocess.Popen([sys.executable, "-c", child, host, status]) as started:
    sys.stdin.read()
    started.kill()
"""


@pytest.fixture
def service(tmp_path):
    """Start a service, and give its processes and its port."""
    running = []

    def start(host: str, status: int, word: str = "serve") -> tuple[int, int]:
        command = [sys.executable, "-c", SERVICE, str(tmp_path / "lock"), host, str(status), word]
        running.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        return running[-1].pid, int(running[-1].stdout.readline())

    yield start
    for process in running:
        process.communicate("")


@pytest.mark.parametrize(
    ("host", "status", "key", "local"),
    [
        ("127.0.0.1", 401, "needed", True),
        ("127.0.0.1", 200, "none", True),
        ("0.0.0.0", 200, "none", False),
        ("::1", 403, "needed", True),
        ("127.0.0.1", 500, "unknown", True),
    ],
)
def test_a_port_is_found_and_asked(tmp_path, service, host, status, key, local):
    pid, port = service(host, status)
    first, child = processes(tmp_path / "lock")
    (found,) = listeners(tmp_path / "lock")
    assert (first.pid, first.part, child.part) == (pid, "prediction service", "prediction service")
    assert (found.address, found.port, found.pid, found.part) == (host, port, child.pid, "prediction service")
    assert (found.key, found.local) == (key, local)


def test_of_an_unknown_process_it_is_not_known_whether_it_wants_a_key(tmp_path, service):
    service("127.0.0.1", 200, "something")
    (found,) = listeners(tmp_path / "lock")
    assert (found.part, found.key) == ("", "unknown")


def test_processes_of_another_home_are_not_found(tmp_path, service):
    service("127.0.0.1", 200)
    assert processes(tmp_path / "other") == listeners(tmp_path / "other") == []
    assert os.getpid() not in [process.pid for process in processes(tmp_path / "lock")]
