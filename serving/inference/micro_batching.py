"""Micro-batching: requests that wait together are predicted together, and logged by one write.

A call of scikit-learn costs nearly the same for one row as for a hundred. So a request waits until
the event loop has read all other pending requests. If fewer are there than in the last batch, it
waits for up to half the time of a call: callers that got a response together tend to send their
next requests together. A pool of threads would halve the throughput.
"""

import asyncio
import itertools
import os
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from evergreen.lake.request_fields import FIELDS
from serving.errors import RequestError, invalid, overloaded
from serving.inference.loaded_model import LoadedModel
from serving.log.segments import Log
from serving.metrics import Metrics
from serving.model_cache import Spec
from serving.requests import PredictionRequest

_ROWS_PER_CALL = 2048  # rows in one call
_READ_WAIT = 0.002  # seconds, as long as more requests arrive


@dataclass(slots=True)
class _QueuedRequest:
    served: LoadedModel
    sent: PredictionRequest
    ids: list[str]
    arrived: float
    clock: int
    future: "asyncio.Future[dict[str, Any]]"


@dataclass
class MicroBatcher:
    """The queue of requests of one worker.

    Attributes
    ----------
    log : Log
    metrics : Metrics
    full : {"refuse", "drop"}
        What happens if predictions cannot be logged: refuse the request, or respond without logging.
    """

    log: Log
    metrics: Metrics
    full: Literal["refuse", "drop"] = "refuse"
    _call_seconds: dict[tuple[str, str], "deque[float]"] = field(default_factory=dict)
    _queue: list[_QueuedRequest] = field(default_factory=list)
    _last_size: int = 0
    _last_seconds: float = 0.0
    _first_at: float = 0.0
    _seen_size: int = 0
    _id_numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    _prefix: str = field(default_factory=lambda: os.urandom(8).hex())

    async def predict(self, served: LoadedModel, sent: PredictionRequest, arrived: float) -> dict[str, Any]:
        """Predict the rows of a request, and respond once they are logged.

        Raises
        ------
        RequestError
            422 if the model cannot predict these rows, 503 if the log cannot be written.
        """
        ids = sent.ids or self.ids(len(sent.rows))
        loop = asyncio.get_running_loop()
        request = _QueuedRequest(served, sent, ids, arrived, time.time_ns() // 1000, loop.create_future())
        if not self._queue:
            self._first_at, self._seen_size = time.perf_counter(), 0
            loop.call_soon(self._flush)
        self._queue.append(request)
        return await request.future

    def unready(self) -> str:
        """Why no prediction is returned now, as far as the log is the reason; empty if it is not."""
        problem = self.log.problem() if self.full == "refuse" else ""
        return f"The prediction log cannot be written ({problem}), so no prediction is returned." if problem else ""

    def ids(self, count: int) -> list[str]:
        """New unique ids."""
        return [f"{self._prefix}-{next(self._id_numbers):x}" for _ in range(count)]

    def call_seconds(self, served: LoadedModel) -> "deque[float]":
        """Seconds that the last calls of a version took."""
        return self._call_seconds.setdefault((served.spec.model, served.spec.number), deque(maxlen=200))

    def label(self, spec: Spec, labels: dict[str, Any]) -> dict[str, Any]:
        """Accept labels once they are logged, whatever the setting: the log is their only copy.

        Raises
        ------
        RequestError
            503 if the log cannot be written.
        """
        name = f"labels of {spec.model}"
        line = {"of": name, "arrived": time.time_ns() // 1000, **labels}
        try:
            self.log.write(line, (name, {"model": spec.model, "table": "labels"}))
        except OSError as error:
            raise overloaded(
                f"The log cannot be written ({error.strerror}), so no label was accepted. Send them again later."
            ) from None
        return {"labels": len(labels["ids"]), "model": spec.model}

    def _flush(self) -> None:
        began = time.perf_counter()
        if self._worth_waiting(began - self._first_at):
            asyncio.get_running_loop().call_soon(self._flush)
            return
        queue, self._queue = self._queue, []
        for _, same_version in itertools.groupby(sorted(queue, key=_version_key), key=_version_key):
            for group in _groups([request for request in same_version if not request.future.cancelled()]):
                self._answer(group)
        self._last_size, self._last_seconds = len(queue), time.perf_counter() - began

    def _worth_waiting(self, waited: float) -> bool:
        """Whether to wait for more requests before the next call."""
        count, count_before = len(self._queue), self._seen_size
        self._seen_size = count
        return (count > count_before and waited < self._last_seconds + _READ_WAIT) or (
            count < self._last_size and waited < self._last_seconds / 2
        )

    def _answer(self, group: list[_QueuedRequest]) -> None:
        """Predict and log; whatever fails, no caller of the group waits for ever, and other groups go on."""
        try:
            self._predict_group(group)
        except Exception as error:
            for request in group:
                if not request.future.done():
                    request.future.set_exception(error)

    def _answer_each(self, group: list[_QueuedRequest], error: Exception) -> None:
        """Answer each request of a group that failed alone, to find which one caused the error."""
        if len(group) == 1:
            raise error
        for request in group:
            self._answer([request])

    def _predict_group(self, group: list[_QueuedRequest]) -> None:
        rows = [row for request in group for row in request.sent.rows]
        served = group[0].served
        try:
            began = time.perf_counter()
            outputs = served.outputs(rows)
            self.call_seconds(served).append(time.perf_counter() - began)
            if not np.isfinite(outputs).all():
                raise ValueError("a prediction is not a finite number")
            predictions = served.predictions(outputs, rows)
        except Exception as error:  # any error of the estimator
            reason = f"{error} ".splitlines()[0].strip(" .")
            self._answer_each(group, invalid(f"{served.spec.model} cannot predict these rows: {reason}."))
            return
        try:
            dropped = self._log_predictions(group, served, rows, outputs)
        except RequestError:
            raise
        except Exception as error:  # a value that cannot be logged: nothing of the group was
            self._answer_each(group, error)
            return
        self._set_results(group, served, outputs, predictions)
        self.metrics.record_rows(served.spec.model, served.spec.number, len(rows), dropped)

    def _log_predictions(
        self, group: list[_QueuedRequest], served: LoadedModel, rows: list[list[Any]], outputs: NDArray[np.float64]
    ) -> int:
        """Log the predictions; return how many rows could not be logged."""
        spec, mask, now = served.spec, served.mask, time.perf_counter()
        names = sorted({name for request in group for name in request.sent.beside})
        beside = {
            name: [v for request in group for v in request.sent.beside.get(name, [None] * len(request.ids))]
            for name in names
        }
        line = {
            "of": f"{spec.model}@{spec.number} {served.role}",
            "ids": [name for request in group for name in request.ids],
            **{
                field.name: [v for request in group for v in [field.value(request, now)] * len(request.ids)]
                for field in FIELDS
            },
            "rows": served.mask.rows(rows),
            "answers": outputs.tolist(),
            "beside": mask.columns(beside),
        }
        kinds = {"features": mask.features, "beside": mask.beside, "timezone": spec.timezone}
        head = {"model": spec.model, "version": spec.number, "role": served.role, **kinds}
        try:
            self.log.write(line, (line["of"], head))
        except OSError as error:
            if self.full == "refuse":
                message = (
                    f"The prediction log cannot be written ({error.strerror}), so no prediction is returned. "
                    "Send the request again later."
                )
                raise overloaded(message) from None
            return len(rows)
        return 0

    def _set_results(
        self, group: list[_QueuedRequest], served: LoadedModel, outputs: NDArray[np.float64], predictions: list[Any]
    ) -> None:
        begin, spec = 0, served.spec
        for request in group:
            end = begin + len(request.ids)
            response = {
                "predictions": predictions[begin:end],
                "ids": request.ids,
                "model": spec.model,
                "version": spec.number,
            }
            if spec.classes is not None:
                response |= {"classes": spec.classes, "probabilities": outputs[begin:end].tolist()}
            request.future.set_result(response)
            begin = end


def _version_key(request: _QueuedRequest) -> tuple[str, str, str]:
    return request.served.spec.model, request.served.spec.number, request.served.role


def _groups(requests: list[_QueuedRequest]) -> list[list[_QueuedRequest]]:
    """Groups of requests with at most the rows of one call; a larger request is its own group."""
    parts: list[list[_QueuedRequest]] = []
    rows = _ROWS_PER_CALL
    for request in requests:
        rows += len(request.ids)
        if rows > _ROWS_PER_CALL:
            parts.append([])
            rows = len(request.ids)
        parts[-1].append(request)
    return parts
