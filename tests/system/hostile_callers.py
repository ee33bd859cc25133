"""Callers that do what they should not: bytes on a socket as they are given, and a book of what was answered."""

import socket
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
from deltalake import DeltaTable

from evergreen.lake.lake import LABELS, SERVED
from evergreen.stores import Stores
from tests.running_system import until

PATIENCE = 20.0  # seconds for an answer: more is a hang, however busy the machine is
CUT = "cut-"  # begins the ids of those who did not stay for their answer
# What docs/reference/http.md says that a request may be told; 405 and 499 have no place here.
DOCUMENTED = {200, 400, 403, 404, 405, 408, 413, 415, 422, 503}


@dataclass(frozen=True)
class Told:
    """An answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


def request(path: str, body: bytes = b"", *headers: str, method: str = "POST") -> bytes:
    """A request's bytes; host, type and length are told unless the headers tell them."""
    lines = [f"{method} {path} HTTP/1.1", *headers]
    told = [header.lower() for header in headers]
    for names, line in (
        (("host",), "host: localhost"),
        (("content-type",), "content-type: application/json"),
        (("content-length", "transfer-encoding"), f"content-length: {len(body)}"),
    ):
        if not any(header.startswith(names) for header in told):
            lines.append(line)
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


@contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    place = urlsplit(url)
    with closing(socket.create_connection((place.hostname, place.port), PATIENCE)) as connection:
        yield connection


def send(connection: socket.socket, parts: Iterable[bytes], pause: float = 0.0) -> None:
    """Send in parts; who is hung up on has sent enough."""
    try:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
    except (BrokenPipeError, ConnectionResetError):
        pass


def answers(connection: socket.socket, count: int = 1) -> list[Told]:
    """So many answers, as they come one after the other."""
    with connection.makefile("rb") as stream:
        return [_answer(stream) for _ in range(count)]


def _answer(stream: Any) -> Told:
    status = int(stream.readline().split()[1])
    headers = {}
    while line := stream.readline().strip():
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    return Told(status, headers, stream.read(int(headers.get("content-length", 0))))


@dataclass(repr=False)
class Book:
    """What a service was asked by hostile callers, and what it told them."""

    url: str
    worker: int
    log: Path
    said: Path
    predicted: dict[str, Counter[str]] = field(default_factory=dict)  # by model: ids
    labelled: dict[str, Counter[tuple[str, str]]] = field(default_factory=dict)  # by model: id and value
    statuses: Counter[int] = field(default_factory=Counter)

    def ask(self, path: str, body: bytes, *headers: str, method: str = "POST") -> Told:
        """Ask by a connection of its own; the answer is one that is documented."""
        with connected(self.url) as connection:
            send(connection, [request(path, body, *headers, method=method)])
            return self.note(path, body, answers(connection)[0])

    def note(self, path: str, body: bytes, told: Told) -> Told:
        """Keep an answer, and look whether it is of a form that it may have."""
        assert told.status in DOCUMENTED, told
        self.statuses[told.status] += 1
        if told.status != 200:
            assert set(told.json) in ({"error_code", "message"}, {"error_code", "message", "field"}), told
            assert len(told.body) < 5_000, "an error is no echo of what was sent"
        elif path.endswith("/invocations"):
            self.predicted.setdefault(told.json["model"], Counter()).update(told.json["ids"])
        elif path.endswith("/labels"):
            sent = orjson.loads(body)
            many = sent["labels"] if set(sent) == {"labels"} else [sent]
            assert told.json["labels"] == len(many)
            labels = ((str(label["id"]), orjson.dumps(label["value"]).decode()) for label in many)
            self.labelled.setdefault(told.json["model"], Counter()).update(labels)
        return told

    def landed(self) -> None:
        """Everything that was answered is in the lake exactly once, and nothing else but what was cut off."""
        for model, ids in self.predicted.items():
            _whole(model, SERVED, ["_id"], Counter({(id_,): count for id_, count in ids.items()}))
        for model, labels in self.labelled.items():
            _whole(model, LABELS, ["_id", "_value"], labels)


def _whole(model: str, table: str, columns: list[str], answered: "Counter[tuple[str, ...]]") -> None:
    """The rows of a table are those that were answered, as often; of those who were cut off at most one."""
    lake = Stores.open().lake

    def rows() -> "Counter[tuple[str, ...]] | None":
        if not lake.exists(model, table):
            return None
        logged = DeltaTable(lake.uri(model, table)).to_pandas(columns=columns)
        here = Counter(logged.itertuples(index=False, name=None))
        return here if here.total() >= answered.total() and not answered - here else None

    more = until(rows, f"the rows of {table} of {model}", 60) - answered
    assert [(row, count) for row, count in more.items() if (row[0][: len(CUT)], count) != (CUT, 1)] == []
