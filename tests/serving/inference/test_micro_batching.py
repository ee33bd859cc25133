"""Micro-batching: one call for all that wait, in the log before the answer, and one bad request is its own."""

import asyncio
import time
from dataclasses import replace

import numpy as np
import pytest

from serving.errors import RequestError
from serving.inference.loaded_model import LoadedModel
from serving.inference.micro_batching import MicroBatcher
from serving.log.masking import Masking
from serving.log.segments import Log, closed
from serving.metrics import Metrics
from serving.requests import PredictionRequest, Reader
from tests.serving.conftest import spec_of


class Recording:
    """Answers x plus z of each row, and remembers its calls; it cannot answer an x of 13."""

    def __init__(self):
        self.calls = []

    def __call__(self, rows):
        self.calls.append(len(rows))
        if any(x == 13 for x, _ in rows):
            raise ValueError("thirteen")
        return np.array([[x + z] for x, z in rows], dtype=float)


@pytest.fixture
def log(tmp_path):
    log = Log(tmp_path / "log" / "0")
    log.open()
    return log


@pytest.fixture
def served():
    spec = spec_of()
    return LoadedModel(spec, Reader(spec), Recording(), Masking(spec, b""))


def asked(*rows, ids=None, beside=None):
    return PredictionRequest([list(row) for row in rows], beside or {}, ids)


def answered(log, requests, full="refuse"):
    """The answers, or errors, of requests that come at one time."""

    async def together():
        batches = MicroBatcher(log, Metrics(log.slot.parent), full)
        answers = [batches.predict(served, request, time.perf_counter()) for served, request in requests]
        return await asyncio.gather(*answers, return_exceptions=True)

    return asyncio.run(together())


def logged(log):
    log.rotate(at_once=True)
    return [pair for segment in closed(log.slot.parent) for pair in segment.lines()]


def test_requests_that_wait_together_are_predicted_together_and_each_gets_its_own(log, served):
    requests = [(served, asked(*[(n, k) for k in range(n)], ids=[f"{n}-{k}" for k in range(n)])) for n in (1, 2, 3)]
    answers = answered(log, requests)
    assert served.outputs.calls == [6]
    assert [answer["predictions"] for answer in answers] == [[1.0], [2.0, 3.0], [3.0, 4.0, 5.0]]
    assert [answer["ids"] for answer in answers] == [request.ids for _, request in requests]
    ((line, head),) = logged(log)
    assert line["ids"] == ["1-0", "2-0", "2-1", "3-0", "3-1", "3-2"]
    assert line["rows"] == [[1, 0], [2, 0], [2, 1], [3, 0], [3, 1], [3, 2]]
    assert line["answers"] == [[1.0], [2.0], [3.0], [3.0], [4.0], [5.0]]
    assert (head["version"], head["features"]) == ("1", served.spec.features)


def test_ids_are_made_where_none_are_sent_and_never_twice(log, served):
    answers = answered(log, [(served, asked((1, 2), (3, 4))), (served, asked((5, 6)))])
    ids = [name for answer in answers for name in answer["ids"]]
    assert len(set(ids)) == 3


def test_what_some_sent_beside_is_missing_for_the_others(log, served):
    answered(log, [(served, asked((1, 2), beside={"side": ["a"]})), (served, asked((3, 4)))])
    ((line, _),) = logged(log)
    assert line["beside"] == {"side": ["a", None]}


def test_each_version_answers_its_own(log, served):
    other = replace(served, spec=spec_of(number="2"), outputs=lambda rows: np.zeros((len(rows), 1)))
    answers = answered(log, [(served, asked((1, 2))), (other, asked((1, 2))), (served, asked((3, 4)))])
    assert [(answer["version"], answer["predictions"]) for answer in answers] == [
        ("1", [3.0]),
        ("2", [0.0]),
        ("1", [7.0]),
    ]


def test_a_request_that_the_model_cannot_answer_fails_alone(log, served):
    answers = answered(log, [(served, asked((1, 2))), (served, asked((13, 0))), (served, asked((3, 4)))])
    assert [type(answer) for answer in answers] == [dict, RequestError, dict]
    assert (answers[1].status, "thirteen" in answers[1].message) == (422, True)
    assert [line["rows"] for line, _ in logged(log)] == [[[1, 2]], [[3, 4]]]


def test_an_answer_that_is_no_number_is_none(log, served):
    (answer,) = answered(log, [(replace(served, outputs=lambda _: np.array([[np.nan]])), asked((1, 2)))])
    assert (answer.status, logged(log)) == (422, [])


def test_more_rows_than_one_call_takes_are_parted(log, served):
    answers = answered(log, [(served, asked(*[(1, 1)] * 1500)) for _ in range(3)])
    assert (served.outputs.calls, [len(answer["ids"]) for answer in answers]) == ([1500] * 3, [1500] * 3)


@pytest.mark.parametrize(("full", "kinds"), [("refuse", [RequestError]), ("drop", [dict])])
def test_a_log_that_cannot_be_written_refuses_or_drops_as_it_was_set(log, served, full, kinds, monkeypatch):
    def none_left(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("serving.log.segments.os.write", none_left)
    answers = answered(log, [(served, asked((1, 2)))], full)
    monkeypatch.undo()
    assert ([type(answer) for answer in answers], logged(log)) == (kinds, [])
    if full == "refuse":
        assert (answers[0].status, "No space left" in answers[0].message) == (503, True)


def test_a_value_that_cannot_be_logged_fails_alone_and_nobody_waits_for_ever(log, served):
    other = replace(served, spec=spec_of(number="2"))
    asked_together = [
        (served, asked((1, 2))),
        (served, asked((2**70, 0))),
        (served, asked((3, 4))),
        (other, asked((5, 6))),
    ]
    answers = answered(log, asked_together)
    assert [type(answer).__name__ for answer in answers] == ["dict", "TypeError", "dict", "dict"]
    assert [line["rows"] for line, _ in logged(log)] == [[[1, 2]], [[3, 4]], [[5, 6]]]
