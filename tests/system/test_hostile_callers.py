"""A real service among hostile callers: each is told so in a documented form, nobody waits, and the log is whole."""

import gzip
import itertools
import resource
import socket
import struct
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
import orjson
import pandas as pd
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from evergreen.definition import loader
from tests.running_service import promoted_on, serving
from tests.running_system import until
from tests.system.hostile_bodies import LABEL, ONE, asking, labelling, table_of
from tests.system.hostile_callers import CUT, DOCUMENTED, Book, Told, answers, connected, request, send

KINDS = {"n": "number", "i": "integer", "c": "category", "w": "text", "b": "boolean", "t": "datetime"}
OTHERS = {
    "every": f"""
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder


def estimator():
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    numbers = ("passthrough", ["n", "i"])
    return make_pipeline(make_column_transformer((codes, ["c", "b"]), numbers), HistGradientBoostingRegressor())


changes = {{
    "features": {KINDS!r},
    "extra": {{"side": "category", "seen": "datetime", "many": "integer"}},
    "estimator": estimator,
}}
model = Model(**{{name: getattr(model, name) for name in model.model_fields_set}} | changes)
""",
    "sort": """
from sklearn.linear_model import LogisticRegression

changes = {"task": "classification", "target_kind": "boolean", "estimator": LogisticRegression, "metric": "log_loss"}
model = Model(**{name: getattr(model, name) for name in model.model_fields_set} | changes)
""",
}
NAMES = ["toy", *OTHERS]
LIMITS = ["--seconds", "1", "--megabytes", "8", "--rows", "1000"]
WIRE = settings(deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
pytestmark = pytest.mark.long


def rows_of_every(count=120):
    chance = np.random.default_rng(0)
    frame = pd.DataFrame({"n": chance.normal(size=count), "i": chance.integers(0, 9, count)})
    frame["c"], frame["w"] = np.where(frame["i"] > 4, "a", "b"), "words"
    frame["b"], frame["t"] = frame["i"] > 2, pd.date_range("2013-01-01", periods=count, freq="h", tz="UTC")
    return frame.assign(y=frame["n"] + frame["i"])


@pytest.fixture(scope="module")
def book(worlds):
    """What a service of three models was asked, and told."""
    with worlds("toy") as write:
        write()
        for name, more in OTHERS.items():
            write(more, name)
        toy = loader.load("toy")
        rows = toy.source.function(pd.Timestamp("2013-01-01", tz="UTC"), pd.Timestamp("2013-01-10", tz="UTC"))
        promoted_on(toy, rows)
        promoted_on(loader.load("sort"), rows.assign(y=rows["y"] > 10))
        with warnings.catch_warnings():  # MLflow warns of whole numbers, and where that is an error infers nothing
            warnings.simplefilter("ignore", UserWarning)
            promoted_on(loader.load("every"), rows_of_every())
        with serving(*NAMES, *LIMITS) as running:
            until(lambda: running.ask("/ping")[0] == 200, "all models", 60)
            (worker,) = running.workers()
            yield Book(running.url, worker, running.home / "serving" / "log", running.said)


@pytest.fixture(autouse=True)
def unharmed(book):
    """Whatever was sent, the next good request of each model is answered, at once, and its label taken."""
    yield
    for name in NAMES:
        began = time.monotonic()
        assert ask(book, name, ONE[name]).status == 200
        assert time.monotonic() - began < 5


def ask(book, name, *rows, form="dataframe_records"):
    return book.ask(f"/models/{name}/invocations", orjson.dumps({form: list(rows)}), "content-type: application/json")


def label(book, name, *labels):
    return book.ask(f"/models/{name}/labels", orjson.dumps({"labels": list(labels)}))


ENCODINGS = ["utf-8"] * 6 + ["utf-8-sig", "utf-16", "utf-32", "latin-1", "cp037"]
CHARSETS = ["", "", "", "; charset=utf-8", "; charset=UTF-16", "; charset", "; charset=\xe9", ";;=;"]


@pytest.mark.parametrize("count", [60, pytest.param(1_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("what", ["asking", "table", "labelling"])
def test_whatever_is_sent_is_answered_or_refused_as_documented(book, name, what, count):
    bodies = {"asking": asking(ONE[name]), "table": table_of(ONE[name]), "labelling": labelling(LABEL[name])}[what]
    path = f"/models/{name}/{'labels' if what == 'labelling' else 'invocations'}"
    usual = "text/csv" if what == "table" else "application/json"
    contents = st.sampled_from([usual] * 8 + ["application/json", "text/csv", "text/html", "", "a/b/c", "*/*"])

    @given(
        bodies, st.sampled_from(ENCODINGS), contents, st.sampled_from(CHARSETS), st.sampled_from([False] * 8 + [True])
    )
    @settings(WIRE, max_examples=count)
    def sent(text, encoding, content, charset, packed):
        body = text.encode(encoding, "replace")
        headers = [f"content-type: {content}{charset}"] + packed * ["content-encoding: gzip"]
        answer = book.ask(path, gzip.compress(body) if packed else body, *headers)
        assert answer.status in DOCUMENTED - {404, 405, 408, 503}

    sent()


@pytest.mark.parametrize("count", [20, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.parametrize("mode", GenerationMode)
def test_whatever_the_document_allows_or_forbids_is_answered_or_refused(book, mode, count):
    schema = schemathesis.openapi.from_url(f"{book.url}/openapi.json")
    # The document says that a number may be missing; whether the estimator takes that, it says itself.
    excluded = [positive_data_acceptance]
    posts = [operation.ok() for operation in schema.get_all_operations() if operation.ok().method == "post"]
    assert len(posts) == 2 * len(NAMES)

    def fuzz(operation):
        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(WIRE, max_examples=count)
        def fuzzed(case):
            response = case.call()
            case.validate_response(response, excluded_checks=excluded)
            body = response.request.body or b""
            body = body.encode() if isinstance(body, str) else body
            book.note(case.path, body, Told(response.status_code, dict(response.headers), response.content))

        fuzzed()

    for operation in posts:
        fuzz(operation)


TOY, LABELS = "/models/toy/invocations", "/models/toy/labels"
GOOD = orjson.dumps({"dataframe_records": [ONE["toy"]]})
BIG = orjson.dumps({"dataframe_records": [ONE["toy"] | {"side": "a" * 500_000}]})
TAUGHT = orjson.dumps({"id": f"{CUT}taught", "value": 1.0})
FOREIGN = ["origin: http://a.example", "content-type: text/plain"]
OFFER = ["upgrade: h2c", "connection: Upgrade, HTTP2-Settings", "http2-settings: AAMAAABk"]
CHUNKED = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (GOOD[:9], GOOD[9:]))


@pytest.mark.parametrize(
    ("sent", "statuses"),
    [
        (request(TOY, GOOD) * 3, [200, 200, 200]),  # pipelined
        (request(TOY, b"{") + request(TOY, GOOD) + request("/models/toy/labels", b"{}"), [400, 200, 422]),
        (request(TOY, CHUNKED + b"0\r\n\r\n", "transfer-encoding: chunked"), [200]),
        (request(TOY, b"ffffffffffffffffff\r\n", "transfer-encoding: chunked"), [400]),
        (request(TOY, b"no length\r\n", "transfer-encoding: chunked"), [400]),
        (request(LABELS, b"{} more", "content-length: 2"), [400]),
        (request(TOY, CHUNKED, "transfer-encoding: chunked", "content-length: 5"), [400]),
        (request(TOY, GOOD, "content-length: 5", "content-length: 6"), [400]),
        (request(TOY, GOOD, "content-length: -1"), [400]),
        (request(TOY, GOOD, f"content-length: {10**30}"), [400]),
        (request(TOY, b"", f"content-length: {10**12}"), [413]),
        (request(TOY, GOOD, *OFFER), [200]),
        (request(TOY, GOOD, "upgrade: websocket", "connection: upgrade") * 2, [200, 200]),
        (request(TOY, BIG, "upgrade: h2c", "connection: upgrade") + request(TOY, GOOD), [200, 200]),
        (
            request(TOY, CHUNKED + b"0\r\n\r\n", "transfer-encoding: chunked", "upgrade: h2c", "connection: upgrade"),
            [200],
        ),
        (request(TOY, GOOD, "expect: 100-continue"), [100, 200]),
        (request(TOY, GOOD).replace(b"HTTP/1.1", b"HTTP/1.0"), [200]),
        (request(TOY, GOOD).replace(b"HTTP/1.1", b"HTTP/9.9"), [400]),
        (request(TOY, GOOD).replace(b"/toy/", b"/t\xffy/"), [400]),
        (request("/models/%ff%00%f0%9f/invocations", GOOD), [404]),
        (request("/models/../../etc/invocations", GOOD), [404]),
        (request("//" * 2_000 + "invocations", GOOD), [404]),
        (request(TOY, GOOD, "content-type: " + "a" * 3_000), [415]),
        (request(LABELS, TAUGHT, *FOREIGN) + request(TOY, GOOD, *FOREIGN), [403, 403]),
        (request(LABELS, TAUGHT, "origin: null") + request(TOY, GOOD, "origin: http://127.0.0.1:4200"), [403, 403]),
        (request(TOY, GOOD, "origin: http://localhost:8100", "host: localhost:8100"), [200]),
        (request("/models", b"", "origin: http://a.example", method="OPTIONS"), [403]),
        (request(LABELS, TAUGHT, "content-type: text/plain") + request(TOY, GOOD, "content-type:"), [415, 415]),
        (request(LABELS, TAUGHT, "content-type: application/x-www-form-urlencoded"), [415]),
        (request(LABELS, TAUGHT, "content-type: multipart/form-data; boundary=a"), [415]),
        (request(LABELS, TAUGHT, "content-type: text/csv"), [415]),
        (
            request(TOY, GOOD, "host: a.example") + request("/metrics", b"", "host: a.example:80", method="GET"),
            [403] * 2,
        ),
        (request(TOY, GOOD, "host: [::1]:8100"), [200]),
        (request("/models", b"", "host: localhost", "host: a.example", method="GET"), [403]),
        (request(TOY, GOOD, "authorization: \xff\xfe"), [200]),
        (request(TOY, GOOD, method="DELETE") + request("/models", method="PUT") + request("/x"), [405, 405, 404]),
        (request(TOY, BIG) * 2, [200, 200]),
        (request(TOY, GOOD, "content-encoding: gzip"), [415]),
        (request(TOY, GOOD, *["long: " + "a" * 9_000] * 50), [400]),
        (request(TOY, GOOD, *["long: " + "a" * 9_000] * 7), [200]),
        (request(TOY, GOOD, *["long: " + "a" * 9_000] * 8), [400]),
        (request(TOY, GOOD, *["a: b"] * 20_000), [400]),
        (request(TOY + "?" + "a" * 70_000, GOOD), [400]),
        (request(TOY, GOOD, "upgrade: h2c", "connection: upgrade", *["long: " + "a" * 9_000] * 8), [400]),
        (request(TOY, CHUNKED + b"0\r\na: b\r\ncontent-type: c\r\n\r\n", "transfer-encoding: chunked") * 2, [200, 200]),
        (request(TOY, CHUNKED + b"0\r\na: " + b"b" * 300_000, "transfer-encoding: chunked"), [400]),
        (request(TOY, GOOD, method="BREW"), [400]),
        (b"CONNECT here:80 HTTP/1.1\r\n\r\n", [400]),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64, [400]),  # one who speaks TLS
        (b"\r\n" * 10 + b"GARBAGE\r\n\r\n", [400]),
    ],
)
def test_whatever_comes_down_the_wire_is_told_what_it_is(book, sent, statuses):
    with connected(book.url) as connection:
        send(connection, [sent])
        received = answers(connection, len(statuses))
    assert [answer.status for answer in received] == statuses
    for answer in received:
        if answer.status != 100:
            book.note(TOY, b"", answer)


MILLION = 1_000_000


@pytest.mark.parametrize(
    ("path", "body", "content"),
    [
        (TOY, b'{"dataframe_split":{"columns":["x","z"],"data":[' + b"[1,2]," * MILLION + b"[1,2]]}}", "json"),
        (TOY, b'{"instances":[' + b"{}," * 2 * MILLION + b"{}]}", "json"),
        (TOY, b'{"inputs":{"x":[' + b"1," * MILLION + b'1],"z":[' + b"1," * MILLION + b"1]}}", "json"),
        (TOY, b'{"dataframe_records":[' + b'{"x":1,"z":1},' * MILLION + b"{}]}", "json"),
        (TOY, b"x,z\n" + b"1,2\n" * MILLION, "csv"),
        (TOY, b"x,z\n" + b"\n" * 7 * MILLION, "csv"),
        (LABELS, b'{"labels":[' + b'{"id":1,"value":1},' * MILLION + b"{}]}", "json"),
        (LABELS, b'{"labels":[' + b"{}," * 2 * MILLION + b"{}]}", "json"),
    ],
)
def test_a_million_rows_are_refused_in_bounded_time_and_memory(book, path, body, content):
    began, before = time.monotonic(), peak(book.worker)
    kind = f"content-type: {'text/csv' if content == 'csv' else 'application/json'}"
    answer = book.ask(path, body, kind)
    assert answer.status == 413
    assert time.monotonic() - began < 10
    assert peak(book.worker) - before < 500_000_000


def opened(worker):
    """How many files and sockets a process has open."""
    return sum(1 for _ in Path(f"/proc/{worker}/fd").iterdir())


def peak(worker):
    """The most memory that a process ever had, in bytes."""
    status = Path(f"/proc/{worker}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) * 1024


@pytest.mark.parametrize("path", [TOY, LABELS])
@pytest.mark.parametrize("headers", [["content-length: 1000"], ["transfer-encoding: chunked"]])
def test_a_body_that_dribbles_is_told_so_and_nobody_else_waits(book, path, headers):
    dribble = b"1\r\n{\r\n" if "chunked" in headers[0] else b"{"

    def slowly(_):
        with connected(book.url) as connection:
            began = time.monotonic()
            send(connection, [request(path, b"", *headers)])
            send(connection, itertools.repeat(dribble, 25), 0.1)
            (answer,) = answers(connection)
            assert connection.recv(1) == b"", "and is hung up on"
            return answer, time.monotonic() - began

    with ThreadPoolExecutor(20) as pool:
        dribblers = [pool.submit(slowly, number) for number in range(20)]
        while not all(dribbler.done() for dribbler in dribblers):
            began = time.monotonic()
            assert ask(book, "toy", ONE["toy"]).status == 200
            assert time.monotonic() - began < 3
            time.sleep(0.05)
    for dribbler in dribblers:
        refusal, seconds = dribbler.result()
        assert book.note(path, b"", refusal).status == 408
        assert seconds < 15


@pytest.fixture
def many_files():
    """As many open files as more than a worker's requests need."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], 4_096), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("part", [b"", b"{"])
def test_half_sent_bodies_of_one_caller_take_no_place_from_the_others(book, many_files, part):
    half_sent = request(TOY, part, "content-length: 1000")
    with ExitStack() as connections:
        for number in range(1_005):
            send(connections.enter_context(connected(book.url)), [half_sent])
            if number > 1_000 or number % 200 == 0:
                assert ask(book, "toy", ONE["toy"]).status == 200


def test_a_connection_on_which_nothing_more_comes_is_closed(book):
    def closed_after(sent):
        with connected(book.url) as connection:
            began = time.monotonic()
            connection.sendall(sent[0])
            connection.settimeout(0.2)
            with suppress(BrokenPipeError, ConnectionResetError):
                while time.monotonic() - began < 20:
                    with suppress(TimeoutError):
                        connection.sendall(sent[1])
                        if not connection.recv(10_000):
                            break
            return time.monotonic() - began

    head, large = request(TOY, GOOD)[:20], request(TOY, b"", f"content-length: {10**9}")
    with ThreadPoolExecutor(5) as pool:
        cases = [(b"", b""), (head, b""), (head, b"a"), (request("/ping", method="GET"), b""), (large, b"{")]
        assert [4 < seconds < 15 for seconds in pool.map(closed_after, cases)] == [True] * 5


@pytest.mark.parametrize("how", ["in the head", "in the body", "before the answer", "with a reset"])
def test_a_connection_that_is_cut_leaves_nothing_behind(book, how):
    before = opened(book.worker)
    for number in range(100):
        body = orjson.dumps({"dataframe_records": [ONE["toy"] | {"id": f"{CUT}{how}-{number}"}]})
        sent = request(TOY, body)
        with connected(book.url) as connection:
            send(connection, [{"in the head": sent[:40], "in the body": sent[:-5]}.get(how, sent)])
            if how == "with a reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert ask(book, "toy", ONE["toy"]).status == 200
    until(lambda: opened(book.worker) <= before + 3, "the end of the connections", 20)


def test_after_all_of_it_the_log_is_whole(book):
    for name in NAMES:
        ask(book, name, ONE[name] | {"id": f"last of {name}"}, ONE[name] | {"id": f"last of {name}"})
        label(book, name, {"id": f"last of {name}", "value": LABEL[name]}, {"id": 7, "value": None})
    assert set(book.predicted) == set(book.labelled) == set(NAMES)
    book.landed()
    assert list(book.log.glob("*/*.broken")) == []
    assert "Exception" not in book.said.read_text()
